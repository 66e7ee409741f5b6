import { expect, test } from "vitest";
import { budgetMinutes, budgetWords, emptyObjective, emptyRule, objectiveWords, preciseRatio, ruleFaults, ruleWords, shownValue, typedUnit, typedValue } from "./rules";

test("a rule reads as a sentence", () => {
  const r = { ...emptyRule(), service: "checkout", recovery: 0.02, min_traffic: 50 };
  expect(ruleWords(r)).toBe("errors of checkout > 5\u202f% over 5\u202fmin, for 1\u202fmin, until < 2\u202f%, from 50 requests");
  expect(ruleWords({ ...emptyRule(), service: "checkout", operation: "POST /pay", measure: "latency", threshold: 4e8, for_s: 0 })).toBe("p95 of checkout POST /pay > 400\u202fms over 5\u202fmin");
});

test("thresholds are typed in people's units and sent exactly", () => {
  const { factor } = typedUnit({ signal: "red", measure: "error_ratio" });
  expect(typedValue("0,1", factor)).toBe(0.001);
  expect(shownValue(0.001, factor)).toBe("0.1");
  expect(typedValue("", factor)).toBeNull();
  expect(typedValue("abc", factor)).toBeNull();
  expect(typedValue("250", typedUnit({ signal: "red", measure: "latency" }).factor)).toBe(250e6);
});

test("what is wrong is said by field", () => {
  expect(ruleFaults({ ...emptyRule(), threshold: NaN })).toEqual({ service: "Which service?", threshold: "A number is needed." });
  expect(ruleFaults({ ...emptyRule(), service: "a", recovery: 0.06 })).toEqual({ recovery: "Must not be above the threshold." });
  expect(ruleFaults({ ...emptyRule(), service: "a", operator: "<", recovery: 0.01 })).toEqual({ recovery: "Must not be below the threshold." });
  expect(ruleFaults({ ...emptyRule(), service: "a", recovery: 0.02 })).toEqual({});
});

test("objectives and their budget", () => {
  const o = { ...emptyObjective(), service: "checkout" };
  expect(objectiveWords(o)).toBe("99.9\u202f% of requests to checkout succeed, over 30 days");
  expect(Math.round(budgetMinutes(o) * 10) / 10).toBe(43.2);
});

test("shares near a target keep the digits that matter", () => {
  expect([0.99934, 0.9, 0.5, 1, 0.999, 0.95].map(preciseRatio)).toEqual(["99.934\u202f%", "90\u202f%", "50\u202f%", "100\u202f%", "99.90\u202f%", "95.0\u202f%"]);
  expect([0.34, -0.2].map(budgetWords)).toEqual(["34\u202f% of the error budget left", "Error budget overspent by 20\u202f%"]);
});
