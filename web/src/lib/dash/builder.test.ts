import { describe, expect, it } from "vitest";
import { build, type Built, parseBuilt, suggested, unitOf } from "./builder";

const plain: Built = { metric: "up", filters: [], course: "none", summary: "none", by: [], quantile: null, top: null };

describe("builder", () => {
  it("writes PromQL and reads back what it wrote", () => {
    const cases: [Built, string][] = [
      [plain, "up"],
      [{ ...plain, filters: [{ label: "job", op: "=~", value: 'a"b\\c' }, { label: "http.route", op: "!=", value: "" }] }, 'up{job=~"a\\"b\\\\c", "http.route"!=""}'],
      [{ ...plain, metric: "x_total", course: "rate", summary: "sum", by: ["job", "env"] }, "sum by (job, env) (rate(x_total[$__rate_interval]))"],
      [{ ...plain, metric: "x_bucket", course: "rate", quantile: 0.95, by: ["job"], top: 5 }, "topk(5, histogram_quantile(0.95, sum by (le, job) (rate(x_bucket[$__rate_interval]))))"],
      [{ ...plain, metric: "x", course: "rate", quantile: 0.5 }, "histogram_quantile(0.5, sum (rate(x[$__rate_interval])))"],
      [{ ...plain, metric: "go.memory.used", summary: "max" }, 'max({"go.memory.used"})'],
    ];
    for (const [b, text] of cases) {
      expect(build(b)).toBe(text);
      expect(parseBuilt(text)).toEqual(b);
    }
  });
  it("does not pretend to read what it would not write", () => {
    for (const text of ["", "up + 1", "sum without (x) (up)", "rate(up[5m])", 'sum(up) / sum(down)', "up{"]) expect(parseBuilt(text)).toBeNull();
  });
  it("suggests what most people want to see", () => {
    expect(build(suggested({ name: "x_total", type: "counter" }))).toBe("sum(rate(x_total[$__rate_interval]))");
    expect(build(suggested({ name: "x_bucket", type: "counter" }))).toBe("histogram_quantile(0.95, sum by (le) (rate(x_bucket[$__rate_interval])))");
    expect(build(suggested({ name: "x", type: "gauge" }))).toBe("x");
  });
  it("knows the unit", () => {
    const known = [{ name: "b_total", type: "counter", unit: "By", help: "", series: 1, otel: "" }];
    expect(unitOf({ ...plain, metric: "b_total", course: "rate" }, known)).toBe("bytes/s");
    expect(unitOf({ ...plain, metric: "http_request_duration_seconds_bucket", course: "rate", quantile: 0.9 }, [])).toBe("s");
    expect(unitOf({ ...plain, metric: "x_total", course: "rate" }, [])).toBe("rate");
    expect(unitOf({ ...plain, metric: "x_seconds_bucket", course: "rate", summary: "sum", by: ["le"] }, [])).toBe("s");
    expect(unitOf({ ...plain, metric: "x_seconds_count", course: "rate", summary: "sum" }, [])).toBe("rate");
    expect(unitOf({ ...plain, metric: "x_seconds", summary: "avg" }, [{ name: "x_seconds", type: "gauge", unit: "seconds", help: "", series: 1, otel: "" }])).toBe("s");
  });
});
