import { expect, test } from "vitest";
import { around, durationText, pageOf, query, term } from "./links";

test("terms are quoted when they must be", () => {
  expect(term("service", "checkout")).toBe("service:checkout");
  expect(term("name", "GET /cart")).toBe('name:"GET /cart"');
  expect(term("name", 'say "hi"')).toBe('name:"say \\"hi\\""');
  expect(query(term("service", "a"), false, undefined, "status:error")).toBe("service:a status:error");
});

test.each([[1_234_567, "1.23ms"], [500e6, "500ms"], [2.5e9, "2.5s"], [900, "900ns"], [12_340, "12.3us"]])("durationText(%s)", (ns, want) => expect(durationText(ns)).toBe(want));

test("around is never narrower than a minute", () => expect(around(1_000_000, 1000)).toEqual({ from: "970000", to: "1030000" }));

test("links of the API become pages; others do not", () => {
  expect(pageOf("/traces/ab?span=cd")).toEqual({ to: "/traces/ab", search: { span: "cd" } });
  expect(pageOf("https://evil.example/")).toBeNull();
  expect(pageOf("//evil.example/")).toBeNull();
  expect(pageOf("/\\evil.example/")).toBeNull();
});
