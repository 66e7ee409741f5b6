import { describe, expect, it } from "vitest";
import type { Variable } from "@/api/dashboards";
import { newPanel } from "./model";
import { ALL, choose, interpolate, narrowed, parseQuestion, repeated, type Resolved, toggled } from "./variables";

const variable = (v: Partial<Variable> = {}): Variable => ({ name: "job", label: "", kind: "query", query: "", regex: "", options: [], multi: true, include_all: true, all_value: "", current: [], hidden: false, ...v });
const of = (chosen: string[], options = ["a", "b.c"], v: Partial<Variable> = {}) => new Map<string, Resolved>([["job", { variable: variable(v), options, chosen }]]);

describe("interpolate", () => {
  it("writes several values as a regular expression that PromQL takes", () => {
    expect(interpolate('up{job=~"$job"}', of(["a", "b.c"]), "regex")).toBe('up{job=~"(a|b\\\\.c)"}');
    expect(interpolate('up{job=~"${job}"}', of(["b.c"]), "regex")).toBe('up{job=~"b\\\\.c"}');
  });
  it("spells All out, or takes what stands for it", () => {
    expect(interpolate("$job", of([ALL]), "regex")).toBe("(a|b\\\\.c)");
    expect(interpolate("$job", of([ALL], ["a"], { all_value: ".+" }), "regex")).toBe(".+");
    expect(interpolate("$job", of([ALL], []), "regex")).toBe(".*");
    expect(interpolate("$job", of([ALL]), "text")).toBe("All");
  });
  it("leaves what is no variable, longer names too", () => {
    expect(interpolate("rate(x[$__rate_interval]) $jobs ${other}", of(["a"]), "regex")).toBe("rate(x[$__rate_interval]) $jobs ${other}");
  });
  it("takes the format that is asked for", () => {
    expect(interpolate("${job:csv} ${job:pipe}", of(["a", "b.c"]), "regex")).toBe("a,b.c a|b.c");
  });
  it("does not quote the value of a variable with one", () => {
    expect(interpolate("$job", of(["b.c"], [], { multi: false, include_all: false }), "regex")).toBe("b.c");
  });
});

describe("questions", () => {
  it("are read as Grafana writes them", () => {
    expect(parseQuestion('label_values(up{env="a, b"}, job)')).toEqual({ kind: "label_values", metric: 'up{env="a, b"}', label: "job" });
    expect(parseQuestion("label_values(job)")).toEqual({ kind: "label_values", metric: "", label: "job" });
    expect(parseQuestion("query_result(topk(3, up))")).toEqual({ kind: "query_result", metric: "topk(3, up)", label: "" });
    expect(parseQuestion("SELECT 1")).toBeNull();
  });
  it("are narrowed by a regular expression, whose group is the value", () => {
    expect(narrowed(["shop/cart", "shop/cart", "x"], "shop/(.+)")).toEqual(["cart"]);
    expect(narrowed(["a"], "(")).toEqual(["a"]);
  });
});

describe("choosing", () => {
  it("follows the address, then what was saved, then the first or All", () => {
    expect(choose(variable(), ["a", "b"], ["b"])).toEqual(["b"]);
    expect(choose(variable({ current: ["b"] }), ["a", "b"], undefined)).toEqual(["b"]);
    expect(choose(variable({ current: ["gone"] }), ["a", "b"], undefined)).toEqual([ALL]);
    expect(choose(variable({ include_all: false }), ["a", "b"], undefined)).toEqual(["a"]);
    expect(choose(variable(), ["a"], ["gone"])).toEqual(["gone"]);
  });
  it("lets All stand alone and never leaves nothing", () => {
    expect(toggled(variable(), [ALL], "a")).toEqual(["a"]);
    expect(toggled(variable(), ["a"], "b")).toEqual(["a", "b"]);
    expect(toggled(variable(), ["a", "b"], ALL)).toEqual([ALL]);
    expect(toggled(variable(), ["a"], "a")).toEqual([ALL]);
    expect(toggled(variable({ include_all: false }), ["a"], "a")).toEqual(["a"]);
  });
});

describe("repeated", () => {
  it("draws a panel once for each value, side by side, and pushes the rest down", () => {
    const first = { ...newPanel("stat", "a"), w: 8, h: 4, repeat: "job" };
    const below = { ...newPanel("stat", "b"), y: 4, w: 24, h: 4 };
    const out = repeated([first, below], of(["1", "2", "3", "4"], ["1", "2", "3", "4"]));
    expect(out.map((p) => [p.id, p.x, p.y, p.scoped?.job?.[0]])).toEqual([
      ["a", 0, 0, "1"], ["a-1", 8, 0, "2"], ["a-2", 16, 0, "3"], ["a-3", 0, 4, "4"], ["b", 0, 8, undefined],
    ]);
  });
});
