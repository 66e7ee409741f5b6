// The metric charts of a page as one URL parameter. Charts are joined by ";",
// their parts by "~": name, aggregation, labels to group by, filters, each
// escaped. Absent parts at the end are left out: "http.server.request.duration~p95~http.route".
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

/** Which aggregations mean something for a type of metric. */
export function aggregationsFor(type: string, monotonic: boolean): readonly Aggregation[] {
  if (type === "histogram" || type === "exponential_histogram" || type === "summary") return ["auto", "avg", "p50", "p90", "p95", "p99", "max", "rate", "count"];
  if (type === "sum" && monotonic) return ["auto", "rate", "sum"];
  return ["auto", "avg", "sum", "min", "max"];
}
