import { expect, it } from "vitest";
import { type ChartSpec, decodeCharts, encodeCharts, exprOf, MAX_CHARTS } from "./chartspec";

const spec = (p: Partial<ChartSpec>): ChartSpec => ({ name: "m", agg: "auto", by: [], filter: [], ...p });

it.each<ChartSpec[]>([
  [spec({ name: "http.server.request.duration", agg: "p95", by: ["http.route", "service"], filter: ["region:eu", "http.route:/a,b;c~d%"] })],
  [spec({}), spec({ name: "a~b;c,d" }), spec({ filter: ["k:v"] })],
  [],
])("charts survive the URL %#", (...charts) => expect(decodeCharts(encodeCharts(charts))).toEqual(charts));

it("reads well", () => expect(encodeCharts([spec({ name: "process.cpu.time" }), spec({ name: "x", agg: "p95", by: ["a"] })])).toBe("process.cpu.time;x~p95~a"));
it("forgives nonsense", () => expect(decodeCharts(";;~avg;x~nonsense;50%")).toEqual([spec({ name: "x" }), spec({ name: "50%" })]));
it("is bounded", () => expect(decodeCharts("a;".repeat(50))).toHaveLength(MAX_CHARTS));
it("says the same in PromQL", () => {
  const metric = (name: string, otel: string, type: string) => ({ name, otel, type, unit: "", help: "", series: 1 });
  const known = [metric("queue_length", "queue.length", "gauge"), metric("jobs_total", "jobs", "counter"), ...["bucket", "count", "sum"].map((p) => metric(`wait_seconds_${p}`, "wait", "counter"))];
  const of = (p: Partial<ChartSpec>) => exprOf(spec(p), known);
  expect(of({ name: "queue.length" })).toBe("queue_length");
  expect(of({ name: "queue.length", agg: "max", by: ["queue.name"], filter: ["queue.name:mail"] })).toBe('max by (queue_name) (queue_length{queue_name="mail"})');
  expect(of({ name: "jobs", filter: ["service:a.b"] })).toBe('sum(rate(jobs_total{job=~"(.+/)?a\\\\.b"}[$__rate_interval]))');
  expect(of({ name: "wait", agg: "p99", by: ["service"] })).toBe("histogram_quantile(0.99, sum by (le, job) (rate(wait_seconds_bucket[$__rate_interval])))");
  expect(of({ name: "wait", agg: "avg" })).toBe("sum(rate(wait_seconds_sum[$__rate_interval])) / sum(rate(wait_seconds_count[$__rate_interval]))");
  expect(of({ name: "wait", agg: "rate" })).toBe("sum(rate(wait_seconds_count[$__rate_interval]))");
  expect(of({ name: "absent" })).toBeUndefined();
});
