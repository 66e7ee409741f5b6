// What completion and hover help ask of the product.
import type { MetricMetadata, PrometheusClient } from "@prometheus-io/codemirror-promql/dist/esm/client/prometheus";
import { get } from "@/api/client";
import type { PromMetric, PromMetricsAnswer } from "@/api/dashboards";
import { labelNames, labelValues } from "@/api/prom";

const FRESH_MS = 60_000;
/** As many names are asked for: of more, some are not known here. */
export const MOST_KNOWN = 10_000;
const RANGE = { from: "now-2h", to: "now" };

let metrics: { at: number; list: Promise<PromMetric[]> } | undefined;

/** Every metric with its help, kept for a minute. */
export function knownMetrics(): Promise<PromMetric[]> {
  if (!metrics || Date.now() - metrics.at > FRESH_MS) {
    const list = get<PromMetricsAnswer>("/promql/metrics", { limit: MOST_KNOWN }).then((a) => a.metrics);
    metrics = { at: Date.now(), list };
    list.catch(() => (metrics = undefined));
  }
  return metrics.list;
}

interface Matcher {
  name: string;
  value: string;
}

const quoted = (s: string) => JSON.stringify(s);

/** A selector of a metric by name and what else has been written already; plain equality is enough to narrow offers. */
function selector(metric: string | undefined, matchers: readonly Matcher[] = []): string {
  const parts = [...(metric ? [`__name__=${quoted(metric)}`] : []), ...matchers.filter((m) => m.value !== "" && /^[A-Za-z_]\w*$/.test(m.name)).map((m) => `${m.name}=${quoted(m.value)}`)];
  return parts.length > 0 ? `{${parts.join(",")}}` : "";
}

export const completionClient: PrometheusClient = {
  labelNames: (metric) => labelNames(selector(metric), RANGE).catch(() => []),
  // Matchers may be regular expressions: only the name narrows.
  labelValues: (label, metric) => (label === "__name__" ? completionClient.metricNames() : labelValues(label, selector(metric), RANGE).catch(() => [])),
  metricMetadata: async () => {
    const out: Record<string, MetricMetadata[]> = {};
    for (const m of await knownMetrics().catch(() => [])) out[m.name] = [{ type: m.type, help: m.help }];
    return out;
  },
  series: async (metric) => {
    const names = await completionClient.labelNames(metric);
    return names.map((n) => new Map([[n, ""]]));
  },
  metricNames: () => knownMetrics().then((list) => list.map((m) => m.name)).catch(() => []),
  flags: () => Promise.resolve({}),
};
