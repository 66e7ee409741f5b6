import { describe, expect, it } from "vitest";
import type { PromAnswer } from "@/api/dashboards";
import { heatOf, histogramOf, legends, levelOf, mergeProm, reduce } from "./prom";

const range = (from: number, to: number) => ({ from_ms: from, to_ms: to, step_ms: 10, resolution: "raw" as const, now_ms: to, complete_to_ms: to });
const answer = (from: number, to: number, series: Record<string, (number | null)[]>): PromAnswer => ({
  range: range(from, to),
  results: [{ series: Object.entries(series).map(([job, values]) => ({ labels: { job }, values })), more: 0, error: "", warnings: [] }],
});

describe("mergeProm", () => {
  it("slides: new steps are laid over old ones, what ended becomes a gap, what began appears", () => {
    const merged = mergeProm(answer(0, 40, { a: [1, 2, 3, 4], b: [5, 5, 5, 5] }), answer(30, 60, { a: [40, 50, 60], c: [null, 7, 8] }));
    expect(merged.range).toMatchObject({ from_ms: 20, to_ms: 60 });
    const by = Object.fromEntries(merged.results[0]!.series.map((s) => [s.labels.job, s.values]));
    expect(by).toEqual({ a: [3, 40, 50, 60], b: [5, null, null, null], c: [null, null, 7, 8] });
  });
  it("forgets series that have slid out, and replaces what cannot be joined", () => {
    const held = answer(0, 20, { a: [1, null], b: [null, 2] });
    expect(mergeProm(held, answer(20, 30, { b: [3] })).results[0]!.series.map((s) => s.labels.job)).toEqual(["b"]);
    const far = answer(500, 540, { a: [1, 1, 1, 1] });
    expect(mergeProm(held, far)).toBe(far);
  });
});

describe("legends", () => {
  it("say what tells series apart, or what is written", () => {
    const series = [{ labels: { __name__: "up", job: "a", env: "x" }, values: [] }, { labels: { __name__: "up", job: "b", env: "x" }, values: [] }];
    expect(legends(series, "")).toEqual(["a", "b"]);
    expect(legends(series, "{{ env }}/{{job}}")).toEqual(["x/a", "x/b"]);
    expect(legends([{ labels: {}, values: [] }], "")).toEqual(["value"]);
    expect(legends([{ labels: { __name__: "up" }, values: [] }], "")).toEqual(["up"]);
  });
});

describe("heatOf", () => {
  it("takes cumulative buckets apart", () => {
    const h = heatOf(range(0, 20), [
      { labels: { le: "0.1" }, values: [1, 0] }, { labels: { le: "+Inf" }, values: [6, 2] }, { labels: { le: "1" }, values: [4, 2] },
    ])!;
    expect(h.bounds_ns).toEqual([0.01, 0.1, 1, 10].map((b) => expect.closeTo(b, 9)));
    expect(h.cells).toEqual([1, 3, 2, 0, 2, 0]);
  });
  it("spreads other values by size", () => {
    const h = heatOf(range(0, 10), [{ labels: {}, values: [0] }, { labels: {}, values: [10] }, { labels: {}, values: [10] }], 2)!;
    expect(h.cells).toEqual([1, 2]);
  });
  it("sums stretches up in a histogram", () => {
    expect(histogramOf([{ labels: {}, values: [0, 0, 10] }], String, 2).map((b) => b.value)).toEqual([2, 1]);
  });
});

describe("values", () => {
  it("come down to one number", () => {
    const v = [1, null, 5, 3, null];
    expect([reduce(v, "last"), reduce(v, "mean"), reduce(v, "min"), reduce(v, "max"), reduce(v, "sum"), reduce(v, "count")]).toEqual([3, 3, 1, 5, 9, 3]);
    expect(reduce([null], "last")).toBeNull();
  });
  it("mean what the last threshold at or below them says", () => {
    const t = [{ from: null, level: "bad" as const }, { from: 1, level: "ok" as const }, { from: 5, level: "warn" as const }];
    expect([levelOf(0, t), levelOf(1, t), levelOf(7, t), levelOf(null, t)]).toEqual(["bad", "ok", "warn", "ok"]);
  });
});
