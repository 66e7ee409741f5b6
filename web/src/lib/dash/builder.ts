// PromQL without writing it: a metric, what is chosen of it, and how it is summed up. build writes the expression and
// parseBuilt reads back what build writes, so that the builder and the editor show the same.
import type { PromMetric } from "@/api/dashboards";

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Filter {
  label: string;
  op: Operator;
  value: string;
}

export const SUMMARIES = ["none", "sum", "avg", "min", "max", "count"] as const;
export type Summary = (typeof SUMMARIES)[number];
export const COURSES = ["none", "rate", "increase", "avg_over_time", "max_over_time", "min_over_time"] as const;
export type Course = (typeof COURSES)[number];

export interface Built {
  metric: string;
  filters: readonly Filter[];
  /** Over a stretch of time. */
  course: Course;
  /** Across series. */
  summary: Summary;
  by: readonly string[];
  /** Of the buckets of a histogram: 0.95; null for no quantile. */
  quantile: number | null;
  /** Only the largest. */
  top: number | null;
}

const WINDOW = "$__rate_interval";
const quote = (s: string) => `"${s.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
const plainName = (s: string) => /^[A-Za-z_:][\w:]*$/.test(s);
const plainLabel = (s: string) => /^[A-Za-z_]\w*$/.test(s);
const label = (s: string) => (plainLabel(s) ? s : quote(s));

export function build(b: Built): string {
  const filters = b.filters.filter((f) => f.label).map((f) => `${label(f.label)}${f.op}${quote(f.value)}`);
  const named = plainName(b.metric);
  const inner = named ? filters : [quote(b.metric), ...filters];
  let out = `${named ? b.metric : ""}${inner.length > 0 ? `{${inner.join(", ")}}` : ""}`;
  if (b.course !== "none") out = `${b.course}(${out}[${WINDOW}])`;
  const by = b.by.map(label);
  if (b.quantile !== null) {
    const grouped = b.metric.endsWith("_bucket") ? ["le", ...by] : by;
    out = `histogram_quantile(${b.quantile}, sum${grouped.length ? ` by (${grouped.join(", ")})` : ""} (${out}))`;
  } else if (b.summary !== "none") out = `${b.summary}${by.length ? ` by (${by.join(", ")}) ` : ""}(${out})`;
  return b.top === null ? out : `topk(${b.top}, ${out})`;
}

const NAME = String.raw`[A-Za-z_:][\w:]*`;
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;

/** Reads what build writes; null for everything else. */
export function parseBuilt(text: string): Built | null {
  let rest = text.trim();
  const b = { metric: "", filters: [] as Filter[], course: "none" as Course, summary: "none" as Summary, by: [] as string[], quantile: null as number | null, top: null as number | null };
  const unwrap = (re: RegExp) => {
    const m = re.exec(rest);
    if (m) rest = m.at(-1)!.trim();
    return m;
  };
  const top = unwrap(/^topk\((\d+), ([\s\S]+)\)$/);
  if (top) b.top = Number(top[1]);
  const quantile = unwrap(/^histogram_quantile\((0?\.\d+|0|1), sum(?: by \(([^()]*)\))? \(([\s\S]+)\)\)$/);
  if (quantile) {
    b.quantile = Number(quantile[1]);
    b.by = names(quantile[2]).filter((n) => n !== "le");
  } else {
    const sum = unwrap(/^(sum|avg|min|max|count)(?: by \(([^()]*)\) )?\(([\s\S]+)\)$/);
    if (sum) {
      b.summary = sum[1] as Summary;
      b.by = names(sum[2]);
    }
  }
  const course = unwrap(/^(rate|increase|avg_over_time|max_over_time|min_over_time)\(([\s\S]+)\[\$__rate_interval\]\)$/);
  if (course) b.course = course[1] as Course;
  const selector = new RegExp(`^(${NAME})?(?:\\{([\\s\\S]*)\\})?$`).exec(rest);
  if (!selector) return null;
  b.metric = selector[1] ?? "";
  const items = selector[2] === undefined ? [] : matchers(selector[2]);
  if (!items) return null;
  for (const item of items) {
    if ("name" in item) {
      if (b.metric) return null;
      b.metric = item.name;
    } else b.filters.push(item);
  }
  return b.metric && build(b) === text.trim() ? b : null;
}

const unquote = (s: string) => s.slice(1, -1).replace(/\\n/g, "\n").replace(/\\(.)/g, "$1");
const names = (list: string | undefined) => (list ?? "").split(",").map((s) => s.trim()).filter(Boolean).map((s) => (s.startsWith('"') ? unquote(s) : s));

function matchers(text: string): (Filter | { name: string })[] | null {
  const out: (Filter | { name: string })[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const m = new RegExp(`^\\s*(?:(${NAME}|${QUOTED})\\s*(=~|!~|!=|=)\\s*(${QUOTED})|(${QUOTED}))\\s*(?:,|$)`).exec(rest);
    if (!m) return null;
    if (m[4]) out.push({ name: unquote(m[4]) });
    else out.push({ label: m[1]!.startsWith('"') ? unquote(m[1]!) : m[1]!, op: m[2] as Operator, value: unquote(m[3]!) });
    rest = rest.slice(m[0].length);
  }
  return out;
}

/** What most people want to see of a metric. */
export function suggested(m: Pick<PromMetric, "name" | "type">): Built {
  const plain: Built = { metric: m.name, filters: [], course: "none", summary: "none", by: [], quantile: null, top: null };
  if (m.name.endsWith("_bucket") || m.type === "histogram") return { ...plain, course: "rate", quantile: 0.95 };
  if (m.type === "counter") return { ...plain, course: "rate", summary: "sum" };
  return plain;
}

/** A unit by the endings that Prometheus gives names. */
function unitByName(name: string): string {
  if (/_count$/.test(name)) return "";
  return /_seconds(_|$)/.test(name) ? "s" : /_milliseconds(_|$)/.test(name) ? "ms" : /_bytes(_|$)/.test(name) ? "bytes" : /_ratio$/.test(name) ? "ratio" : /_percent$/.test(name) ? "percent" : "";
}

const UNITS: Record<string, string> = { By: "bytes", seconds: "s", "1": "", "%": "percent" };

/** The unit of a metric's values. */
function baseUnit(metric: string, known: readonly PromMetric[]): string {
  const unit = known.find((k) => k.name === metric)?.unit ?? "";
  const ours = unit.startsWith("{") ? "" : (UNITS[unit] ?? unit);
  return ours || unitByName(metric);
}

/** The unit of what an expression is worth, as far as its metric and shape tell; of buckets, that of their bounds. */
export function unitOf(b: Built | null, known: readonly PromMetric[]): string {
  if (!b) return "";
  const base = baseUnit(b.metric, known);
  if (b.quantile !== null || b.by.includes("le")) return base;
  if (b.summary === "count") return "";
  if (b.course !== "rate") return base;
  return b.metric.endsWith("_bucket") || base === "" ? "rate" : base === "bytes" ? "bytes/s" : base === "s" ? "" : base === "ratio" ? "rate" : base;
}
