import { expect, it } from "vitest";
import { aggregationsFor, type ChartSpec, decodeCharts, encodeCharts, MAX_CHARTS } from "./chartspec";

const spec = (p: Partial<ChartSpec>): ChartSpec => ({ name: "m", agg: "auto", by: [], filter: [], ...p });

it.each<ChartSpec[]>([
  [spec({ name: "http.server.request.duration", agg: "p95", by: ["http.route", "service"], filter: ["region:eu", "http.route:/a,b;c~d%"] })],
  [spec({}), spec({ name: "a~b;c,d" }), spec({ filter: ["k:v"] })],
  [],
])("charts survive the URL %#", (...charts) => expect(decodeCharts(encodeCharts(charts))).toEqual(charts));

it("reads well", () => expect(encodeCharts([spec({ name: "process.cpu.time" }), spec({ name: "x", agg: "p95", by: ["a"] })])).toBe("process.cpu.time;x~p95~a"));
it("forgives nonsense", () => expect(decodeCharts(";;~avg;x~nonsense;50%")).toEqual([spec({ name: "x" }), spec({ name: "50%" })]));
it("is bounded", () => expect(decodeCharts("a;".repeat(50))).toHaveLength(MAX_CHARTS));
it("offers quantiles only of distributions", () => {
  expect(aggregationsFor("histogram", false)).toContain("p95");
  expect(aggregationsFor("gauge", false)).not.toContain("p95");
  expect(aggregationsFor("sum", true)).toContain("rate");
});
