import { describe, expect, test } from "vitest";
import type { HeatmapAnswer, Range, RedAnswer, RedSeries } from "@/api/types";
import { joinColumn, joined, mergeHeatmap, mergeRed, pointCount, timesOf } from "./columns";

const range = (from: number, to: number, step = 10): Range => ({ from_ms: from, to_ms: to, step_ms: step, resolution: "10s", now_ms: to, complete_to_ms: to - step });

test("times are aligned with the columns", () => {
  expect(pointCount(range(1000, 1050))).toBe(5);
  expect(timesOf(range(1000, 1030))).toEqual([1, 1.01, 1.02]);
});

describe("joined", () => {
  test("an update moves the window and keeps its width", () => {
    const r = joined(range(0, 50), range(40, 70))!;
    expect([r.from_ms, r.to_ms]).toEqual([20, 70]);
  });
  test("another step, or a hole between, cannot be joined", () => {
    expect(joined(range(0, 50), range(40, 70, 30))).toBeNull();
    expect(joined(range(0, 50), range(60, 80))).toBeNull();
  });
  test("an update that reaches further back than what is held replaces it", () => expect(joined(range(20, 50), range(0, 50))).toBeNull());
});

test("joinColumn replaces the updated points, keeps the others, leaves gaps as gaps", () => {
  const into = joined(range(0, 50), range(40, 70))!;
  expect(joinColumn(range(0, 50), [1, 2, 3, null, 5], range(40, 70), [50, 60, 70], into)).toEqual([3, null, 50, 60, 70]);
  // A series that stopped: nothing is invented for the new steps.
  expect(joinColumn(range(0, 50), [1, 2, 3, 4, 5], range(40, 70), undefined, into)).toEqual([3, 4, 5, null, null]);
});

const total = { calls: 1, rate: 1, errors: 0, error_ratio: 0, p50_ns: 1, p95_ns: 1, p99_ns: 1, max_ns: 1 };
const series = (key: string, v: (number | null)[]): RedSeries => ({ key, rate: v, error_ratio: v, p50_ns: v, p95_ns: v, p99_ns: v, total });

test("mergeRed keeps a series that fell silent and adds one that is new", () => {
  const held: RedAnswer = { range: range(0, 30), series: [series("a", [1, 2, 3]), series("b", [7, 8, 9])] };
  const update: RedAnswer = { range: range(20, 40), series: [series("a", [30, 40]), series("c", [5, 6])] };
  const out = mergeRed(held, update);
  expect(out.series.map((s) => [s.key, s.rate])).toEqual([["a", [2, 30, 40]], ["b", [8, 9, null]], ["c", [null, 5, 6]]]);
  expect(out.range.to_ms).toBe(40);
});

test("mergeHeatmap replaces whole columns, and everything when the bounds changed", () => {
  const line = [null, null];
  const held: HeatmapAnswer = { range: range(0, 20), bounds_ns: [1, 10, 100], cells: [1, 2, 3, 4], p50_ns: line, p95_ns: line, p99_ns: [5, 6] };
  const update: HeatmapAnswer = { range: range(10, 30), bounds_ns: [1, 10, 100], cells: [30, 0, 5, 6], p50_ns: line, p95_ns: line, p99_ns: [7, 8] };
  expect(mergeHeatmap(held, update)).toMatchObject({ cells: [30, 0, 5, 6], p99_ns: [7, 8] });
  const partial = { ...update, range: range(20, 30), cells: [5, 6] };
  expect(mergeHeatmap(held, partial).cells).toEqual([3, 4, 5, 6]);
  const other = { ...update, bounds_ns: [1, 20, 100] };
  expect(mergeHeatmap(held, other)).toBe(other);
});
