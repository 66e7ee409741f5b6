import { describe, expect, test } from "vitest";
import type { HeatmapAnswer, Range, RedAnswer, RedSeries } from "@/api/types";
import { joinColumn, joined, mergeHeatmap, mergeRed, pointCount, steadyRates, timesOf } from "./columns";

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

const heat = (r: Range, bounds: number[], cells: number[], p99: (number | null)[]): HeatmapAnswer => ({ range: r, bounds_ns: bounds, cells, p50_ns: p99, p95_ns: p99, p99_ns: p99 });

describe("mergeHeatmap", () => {
  const held = heat(range(0, 20), [1, 10, 100], [1, 2, 3, 4], [5, 6]);
  test("replaces whole columns and slides", () => {
    expect(mergeHeatmap(held, heat(range(10, 30), [1, 10, 100], [30, 0, 5, 6], [7, 8]))).toMatchObject({ cells: [30, 0, 5, 6], p99_ns: [7, 8] });
    expect(mergeHeatmap(held, heat(range(20, 30), [1, 10, 100], [5, 6], [8])).cells).toEqual([3, 4, 5, 6]);
  });
  test("an update with other rows extends what is held", () => {
    const out = mergeHeatmap(held, heat(range(10, 20), [10, 100, 1000], [7, 9], [1]));
    expect(out.bounds_ns).toEqual([1, 10, 100, 1000]);
    expect(out.cells).toEqual([1, 2, 0, 0, 7, 9]);
  });
  test("an update without any request clears its columns and keeps the rest", () => {
    const out = mergeHeatmap(held, heat(range(10, 20), [], [], [null]));
    expect(out.cells).toEqual([1, 2, 0, 0]);
    expect(out.bounds_ns).toEqual([1, 10, 100]);
  });
  test("the first requests ever bring the rows", () => {
    const out = mergeHeatmap(heat(range(0, 20), [], [], [null, null]), heat(range(10, 20), [1, 10], [4], [5]));
    expect(out.cells).toEqual([0, 4]);
  });
});

test("the step still filling is a rate over what has passed of it", () => {
  const r = { ...range(0, 30), now_ms: 25 };
  expect(steadyRates(r, [1, 2, 3])).toEqual([1, 2, 6]);
  expect(steadyRates({ ...r, now_ms: 21 }, [1, 2, 3])).toEqual([1, 2, null]);
  expect(steadyRates({ ...r, now_ms: 25 }, [null, 2, null])).toEqual([null, 2, null]);
});
