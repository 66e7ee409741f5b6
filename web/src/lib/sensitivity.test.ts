import { expect, test } from "vitest";
import { budgetWords, LEVELS, levelOf } from "./sensitivity";

test("budgets in words", () => {
  expect([3, 1, 0.1, 0.03, 0.003].map(budgetWords)).toEqual(["3 false alarms a day", "1 false alarm a day", "1 false alarm in 10 days", "1 false alarm in 33 days", "1 false alarm in 11 months"]);
});

test("a budget set elsewhere shows as the nearest level", () => {
  expect(LEVELS.map(levelOf)).toEqual(LEVELS.map((_, i) => i));
  expect(levelOf(0.02)).toBe(2);
  expect(levelOf(100)).toBe(LEVELS.length - 1);
});
