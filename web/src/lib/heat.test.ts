import { expect, test } from "vitest";
import { intensity, rowOf, ticks, usedRows, valueAt } from "./heat";

const bounds = [1e3, 1e4, 1e5, 1e6, 1e7];

test("rowOf and valueAt are inverse, logarithmic between two bounds", () => {
  expect(rowOf(1e4, bounds)).toBe(1);
  expect(rowOf(Math.sqrt(1e5 * 1e6), bounds)).toBeCloseTo(2.5);
  for (const row of [0, 0.3, 1, 2.75, 4]) expect(rowOf(valueAt(row, bounds), bounds)).toBeCloseTo(row);
  expect(rowOf(1, bounds)).toBe(0);
  expect(rowOf(1e12, bounds)).toBe(4);
});

test("rows without requests are cut, with air left", () => {
  const rows = 40;
  const cells = new Array<number>(rows * 2).fill(0);
  cells[20] = 5;
  cells[rows + 24] = 1;
  expect(usedRows(cells, rows)).toEqual({ from: 19, to: 27 - 1 + 1 });
  expect(usedRows(new Array<number>(rows).fill(0), rows)).toEqual({ from: 0, to: rows });
});

test("one among thousands is still seen", () => {
  expect(intensity(0, 100)).toBe(0);
  expect(intensity(1, 10_000)).toBeGreaterThan(0.1);
  expect(intensity(10_000, 10_000)).toBe(1);
});

test("ticks are round and inside", () => {
  expect(ticks(1e3, 1e9, 10)).toEqual([1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]);
  expect(ticks(8e6, 3e8, 8)).toEqual([1e7, 2e7, 5e7, 1e8, 2e8]);
  expect(ticks(1e3, 1e9, 4).length).toBeLessThanOrEqual(4);
});
