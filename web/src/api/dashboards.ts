// The JSON contract of dashboards and of PromQL answers in columns: query/dashboards/model.go, query/api/promql.go.
import type { Range } from "./types";

// GET /dashboards ; POST a Dashboard → Dashboard
export interface DashboardsAnswer { dashboards: DashboardSummary[] }
export interface DashboardSummary { id: string; title: string; description: string; tags: string[]; ready_made: boolean; version: number; updated_at: string; panels: number }

// GET, PUT, DELETE /dashboards/{id} ; a PUT names the version it was made from: 409 when another came between
export interface Dashboard {
  id: string; title: string; description: string; tags: string[]; ready_made: boolean; version: number; updated_at: string
  range: string; variables: Variable[]; annotations: { deploys: boolean; incidents: boolean }; links: DashLink[]; panels: Panel[]
}
export interface DashLink { title: string; url: string; range: boolean }
export type VariableKind = "query" | "custom" | "text" | "constant" | "interval";
export interface Variable {
  name: string; label: string; kind: VariableKind; query: string; regex: string; options: string[]
  multi: boolean; include_all: boolean; all_value: string; current: string[]; hidden: boolean
}
export type PanelType = "timeseries" | "bar" | "heatmap" | "histogram" | "stat" | "gauge" | "table" | "logs" | "traces" | "flamegraph" | "text" | "row";
export type Reducer = "last" | "mean" | "min" | "max" | "sum" | "count";
export type Level = "ok" | "warn" | "bad";
export interface PromQuery { expr: string; legend: string; instant: boolean; hidden: boolean }
export type Measure = "rate" | "error_ratio" | "p50_ns" | "p95_ns" | "p99_ns" | "latency";
export interface RedSource { service: string; operation: string; measure: Measure; by: "none" | "service" | "operation" | "version" | "instance" }
export interface Threshold { from: number | null; level: Level }
export interface Panel {
  id: string; type: PanelType; title: string; description: string
  x: number; y: number; w: number; h: number
  queries: PromQuery[]; red: RedSource | null; search: string; profile: { service: string; type: string } | null; text: string
  unit: string; decimals: number | null; min: number | null; max: number | null; log: boolean
  style: "line" | "stacked" | "bars"; fill: boolean; legend: "list" | "table" | "hidden"; reduce: Reducer; sparkline: boolean
  thresholds: Threshold[]; links: DashLink[]; repeat: string; range: string; collapsed: boolean
}

// GET /dashboards/{id}/versions ; POST /dashboards/{id}/restore {version}
export interface DashboardVersion { version: number; saved_at: string; message: string; title: string; panels: number }
// POST /dashboards/import?preview=1 any document
export interface ImportAnswer { dashboard: Dashboard; from: "tidemark" | "grafana"; notes: { panel: string; level: "changed" | "lost"; text: string }[] }

// GET /promql?from&to&expr (repeatable)&step=&instant= ; live kind "promql"
export interface PromAnswer { range: Range; results: PromResult[] }
export interface PromResult {
  series: PromSeries[]; more: number // series not answered
  error: string; warnings: string[]
}
export interface PromSeries { labels: Record<string, string>; values: (number | null)[] }
// GET /promql/metrics?q
export interface PromMetricsAnswer { metrics: PromMetric[]; more: boolean }
export interface PromMetric { name: string; type: string; unit: string; help: string; series: number; otel: string /* the name it was sent under, where that is another */ }
