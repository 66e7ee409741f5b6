import { expect, it } from "vitest";
import { withRecent } from "./recent";

it("brings a search to the front once", () => {
  expect(withRecent(["b", "a"], "a")).toEqual(["a", "b"]);
  expect(withRecent(["b"], "")).toEqual(["b"]);
});

it("replaces what a search grew from, and keeps a dozen", () => {
  expect(withRecent(["service:a", "x"], "service:a status:error")).toEqual(["service:a status:error", "x"]);
  expect(withRecent(Array.from({ length: 20 }, (_, i) => `q${i}`), "new")).toHaveLength(12);
});
