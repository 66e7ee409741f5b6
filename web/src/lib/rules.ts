// Rules and objectives in words, their defaults, and what is wrong with one before it is sent. Pure.
import type { Objective, Rule } from "@/api/types";
import { format, sig3, type Unit, unitFromUCUM } from "./format";
import { lasting } from "./incident";

export const emptyRule = (): Omit<Rule, "id"> => ({
  name: "", enabled: true, severity: "warning", signal: "red", service: "", operation: "", env: "", measure: "error_ratio", quantile: 0.95,
  metric: "", agg: "auto", filter: [], query: "", window_s: 300, operator: ">", threshold: 0.05, recovery: null, for_s: 60, keep_firing_s: 0, min_traffic: 0, no_data: "ok", labels: {},
});

export const emptyObjective = (): Omit<Objective, "id"> => ({ name: "", enabled: true, service: "", operation: "", env: "", kind: "availability", slower_than_ms: 500, target: 0.999, window_days: 30, labels: {} });

/** The unit a person types a rule's threshold in, and how many of the API's units one is. */
export function typedUnit(r: Pick<Rule, "signal" | "measure">): { unit: string; factor: number } {
  if (r.signal === "logs") return { unit: "records", factor: 1 };
  if (r.signal === "metric") return { unit: "", factor: 1 };
  switch (r.measure) {
    case "latency": return { unit: "ms", factor: 1e6 };
    case "error_ratio": return { unit: "%", factor: 0.01 };
    case "rate": return { unit: "/s", factor: 1 };
  }
}

/** The unit of a rule's values, for charts. */
export function valueUnit(r: Pick<Rule, "signal" | "measure">, given = ""): Unit {
  if (r.signal === "logs") return "count";
  if (r.signal === "metric") return unitFromUCUM(given);
  return r.measure === "latency" ? "ns" : r.measure === "error_ratio" ? "ratio" : "rate";
}

/** What is typed, in the API's unit; null when it is no number. */
export function typedValue(text: string, factor: number): number | null {
  const n = Number(text.trim().replace(",", "."));
  return text.trim() === "" || !Number.isFinite(n) ? null : Number((n * factor).toPrecision(12));
}
export const shownValue = (v: number | null, factor: number): string => (v === null ? "" : String(Number((v / factor).toPrecision(12))));

/** "p95 of checkout POST /pay", "log records with severity>=error". */
export function measured(r: Rule | Omit<Rule, "id">): string {
  if (r.signal === "metric") return `${r.agg === "auto" ? "" : `${r.agg} of `}${r.metric}${r.filter.length ? ` (${r.filter.join(", ")})` : ""}`;
  if (r.signal === "logs") return `log records with ${r.query || "…"}`;
  const what = r.measure === "latency" ? `p${sig3(r.quantile * 100)}` : r.measure === "rate" ? "requests" : "errors";
  return `${what} of ${[r.service, r.operation].filter(Boolean).join(" ") || "…"}${r.env ? ` in ${r.env}` : ""}`;
}

const seconds = (s: number) => lasting(s * 1000);

/** The whole rule in a sentence. */
export function ruleWords(r: Rule | Omit<Rule, "id">, unit = ""): string {
  const parts = [`${measured(r)} ${r.operator} ${format(r.threshold, valueUnit(r, unit))} over ${seconds(r.window_s)}`];
  if (r.for_s > 0) parts.push(`for ${seconds(r.for_s)}`);
  if (r.recovery !== null) parts.push(`until ${r.operator.startsWith(">") ? "<" : ">"} ${format(r.recovery, valueUnit(r, unit))}`);
  if (r.min_traffic > 0) parts.push(`from ${r.min_traffic} requests`);
  return parts.join(", ");
}

/** The first thing wrong with a rule, by field; empty when it can be tried. */
export function ruleFaults(r: Omit<Rule, "id">): Record<string, string> {
  const out: Record<string, string> = {};
  if (r.signal === "red" && !r.service.trim()) out.service = "Which service?";
  if (r.signal === "metric" && !r.metric.trim()) out.metric = "Which metric?";
  if (r.signal === "logs" && !r.query.trim()) out.query = "Which records?";
  if (!Number.isFinite(r.threshold)) out.threshold = "A number is needed.";
  if (r.recovery !== null && Number.isFinite(r.threshold)) {
    const above = r.operator.startsWith(">");
    if (above ? r.recovery > r.threshold : r.recovery < r.threshold) out.recovery = `Must not be ${above ? "above" : "below"} the threshold.`;
  }
  return out;
}

export function objectiveWords(o: Objective | Omit<Objective, "id">): string {
  const what = o.kind === "availability" ? "succeed" : `take less than ${format(o.slower_than_ms, "ms")}`;
  return `${sig3(o.target * 100)}\u202f% of requests to ${[o.service, o.operation].filter(Boolean).join(" ") || "…"}${o.env ? ` in ${o.env}` : ""} ${what}, over ${o.window_days} days`;
}

/** How much failure an objective allows, in minutes of a total outage. */
export const budgetMinutes = (o: Pick<Objective, "target" | "window_days">): number => (1 - o.target) * o.window_days * 1440;

/** A share near its target with as many digits as tell it from whole: 0.99934 → "99.934 %". */
export function preciseRatio(ratio: number): string {
  const bad = Number((Math.abs(1 - ratio) * 100).toPrecision(10)); // 1 - 0.9 is a little less than 0.1.
  if (bad === 0) return "100\u202f%";
  const digits = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(bad))));
  return `${(ratio * 100).toFixed(bad >= 10 ? 0 : digits)}\u202f%`;
}

export function budgetWords(left: number): string {
  return left >= 0 ? `${format(left, "ratio")} of the error budget left` : `Error budget overspent by ${format(-left, "ratio")}`;
}
