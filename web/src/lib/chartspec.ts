// Charts of metrics by their OpenTelemetry names as one URL parameter, as links of incidents and older ones have them, and
// what they are in PromQL. Charts are joined by ";",
// their parts by "~": name, aggregation, labels to group by, filters, each
// escaped. Absent parts at the end are left out: "http.server.request.duration~p95~http.route".
import type { PromMetric } from "@/api/dashboards";
import { build, type Filter, suggested, type Summary } from "./dash/builder";

export const AGGREGATIONS = ["auto", "avg", "sum", "min", "max", "rate", "p50", "p90", "p95", "p99", "count"] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

export interface ChartSpec {
  name: string;
  agg: Aggregation;
  by: readonly string[];
  /** "label:value" */
  filter: readonly string[];
}

/** More charts than this on one page would only be scrolled past. */
export const MAX_CHARTS = 12;

const escape = (s: string) => encodeURIComponent(s).replaceAll("~", "%7E").replaceAll("%2F", "/").replaceAll("%3A", ":");
const list = (items: readonly string[]) => items.map(escape).join(",");

export function encodeCharts(charts: readonly ChartSpec[]): string {
  return charts
    .slice(0, MAX_CHARTS)
    .map((c) => [escape(c.name), c.agg === "auto" ? "" : c.agg, list(c.by), list(c.filter)].join("~").replace(/~+$/, ""))
    .join(";");
}

export function decodeCharts(text: string | undefined): ChartSpec[] {
  if (!text) return [];
  return text.split(";").flatMap((part) => {
    const [name = "", agg = "", by = "", filter = ""] = part.split("~");
    const spec = { name: unescape(name), agg: AGGREGATIONS.find((a) => a === agg) ?? "auto", by: items(by), filter: items(filter) };
    return spec.name ? [spec] : [];
  }).slice(0, MAX_CHARTS);
}

const items = (text: string): string[] => text.split(",").map(unescape).filter(Boolean);

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Typed by hand: a lone percent sign means itself.
  }
}

const QUANTILES: Partial<Record<Aggregation, number>> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };
const SUMMED: Partial<Record<Aggregation, Summary>> = { avg: "avg", sum: "sum", min: "min", max: "max" };

/** The same chart in PromQL, as far as the names that PromQL knows tell; undefined for a metric that is not known. */
export function exprOf(spec: ChartSpec, known: readonly PromMetric[]): string | undefined {
  const mine = known.filter((m) => m.name === spec.name || m.otel === spec.name);
  const ending = (end: string) => mine.find((m) => m.name.endsWith(end));
  const bucket = ending("_bucket");
  const metric = spec.agg === "rate" || spec.agg === "count" ? (ending("_count") ?? mine[0]) : (bucket ?? mine[0]);
  if (!metric) return undefined;
  const base = suggested(metric);
  const filters = spec.filter.map(filterOf);
  const by = spec.by.map(labelOf);
  const quantile = QUANTILES[spec.agg];
  if (spec.agg === "avg" && bucket) {
    const sum = (end: string) => build({ ...base, metric: metric.name.replace(/_bucket$/, end), course: "rate", summary: "sum", quantile: null, filters, by });
    return `${sum("_sum")} / ${sum("_count")}`;
  }
  if (quantile !== undefined && base.quantile !== null) return build({ ...base, quantile, filters, by });
  const summary = SUMMED[spec.agg] ?? (base.quantile !== null ? "none" : base.summary === "none" && by.length > 0 ? "avg" : base.summary);
  return build({ ...base, summary, filters, by });
}

/** What of OpenTelemetry's resource became a label of its own, and all others by Prometheus' rule for names. */
const labelOf = (key: string): string => (key === "service" || key === "service.name" ? "job" : key === "service.instance.id" ? "instance" : key.replace(/[^A-Za-z0-9_]/g, "_"));

function filterOf(text: string): Filter {
  const cut = text.indexOf(":");
  const label = labelOf(text.slice(0, cut));
  const value = text.slice(cut + 1);
  // A job may be namespace/name.
  return label === "job" ? jobFilter(value) : { label, op: "=", value };
}

/** The series of a service, with or without its namespace. */
export const jobFilter = (service: string): Filter => ({ label: "job", op: "=~", value: `(.+/)?${service.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}` });
