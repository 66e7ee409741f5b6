import { expect, test } from "vitest";
import type { Red } from "@/api/types";
import { severity, stateOf } from "./state";

const red = (calls: number, errors: number, p95ms: number): Red => ({
  calls, rate: calls / 900, errors, error_ratio: calls ? errors / calls : 0, p50_ns: p95ms * 3e5, p95_ns: p95ms * 1e6, p99_ns: p95ms * 2e6, max_ns: p95ms * 3e6,
});
const words = (now: Red, before: Red | null) => stateOf(now, before).words.replaceAll("\u202f", " ");

test("healthy is silent", () => expect(stateOf(red(1000, 1, 100), red(1000, 1, 110))).toEqual({ tone: "ok", words: "" }));
test("few calls say nothing", () => expect(words(red(5, 5, 9000), red(1000, 0, 10))).toBe(""));
test("slower", () => expect(words(red(1000, 0, 230), red(1000, 0, 100))).toBe("2.3× slower than before"));
test("slower by a hair is not news, whatever the factor", () => expect(words(red(1000, 0, 3), red(1000, 0, 1))).toBe(""));
test("errors", () => {
  expect(words(red(1000, 82, 100), red(1000, 3, 100))).toBe("8.2 % errors, was 0.3 %");
  expect(stateOf(red(1000, 82, 100), red(1000, 3, 100)).tone).toBe("bad");
  expect(stateOf(red(1000, 20, 100), red(1000, 1, 100)).tone).toBe("warn");
});
test("errors without a before", () => {
  expect(words(red(1000, 120, 100), null)).toBe("12 % errors");
  expect(stateOf(red(1000, 30, 100), null).tone).toBe("warn");
  expect(words(red(1000, 10, 100), null)).toBe("");
});
test("silence after traffic", () => expect(words(red(0, 0, 0), red(1000, 0, 1))).toBe("No requests any more"));
test("far fewer requests", () => expect(words(red(200, 0, 100), red(1000, 0, 100))).toBe("5× fewer requests than before"));
test("bad sorts before warn before silence", () => expect((["ok", "bad", "warn"] as const).map((tone) => severity({ tone, words: "" }))).toEqual([0, 2, 1]));
