import { expect, test } from "vitest";
import { oneOf, parseSearch, stringifySearch, validateGlobal } from "./search";

test("the URL round-trips", () => {
  for (const search of [{ q: 'service:checkout duration>500ms status:error name:"GET /x"' }, { from: "1763733600000", to: "now" }, { q: "a&b=c#d +é" }, {}]) {
    expect(parseSearch(stringifySearch(search).slice(1))).toEqual(search);
  }
});

test("reads well and leaves out what is absent", () => {
  expect(stringifySearch({ q: "service:checkout", from: undefined, env: "", live: false })).toBe("?q=service:checkout");
  expect(stringifySearch({})).toBe("");
});

test("the default range is not written", () => {
  expect(validateGlobal({ from: "now-15m", to: "now" })).toEqual({});
  expect(validateGlobal({ from: "now-15m", to: "now-5m" })).toEqual({ from: "now-15m", to: "now-5m" });
  expect(validateGlobal({ from: "now-1h" })).toEqual({ from: "now-1h", to: "now" });
});

test("nonsense in the URL is ignored", () => {
  expect(validateGlobal({ live: "maybe", tz: "mars", env: "", from: "" })).toEqual({});
  expect(oneOf({ sort: "drop table" }, "sort", ["rate", "p95"])).toBeUndefined();
});
