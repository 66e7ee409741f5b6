// Dashboards as documents: what a new panel is, how variables are written into one, and how choices read in an address.
import type { Dashboard, Panel, PanelType } from "@/api/dashboards";
import { type Choices, interpolate, references, type Resolved } from "./variables";

export const PANEL_TYPES: readonly { id: PanelType; label: string; about: string }[] = [
  { id: "timeseries", label: "Time series", about: "Values over time: lines, stacked or bars" },
  { id: "stat", label: "Stat", about: "One large number" },
  { id: "gauge", label: "Gauge", about: "A value between two ends" },
  { id: "bar", label: "Bars", about: "One bar a series" },
  { id: "table", label: "Table", about: "One row a series" },
  { id: "heatmap", label: "Heatmap", about: "How values spread over time" },
  { id: "histogram", label: "Histogram", about: "How often values lie where" },
  { id: "logs", label: "Logs", about: "Records that match a search" },
  { id: "traces", label: "Traces", about: "Traces that match a search" },
  { id: "flamegraph", label: "Flame graph", about: "Where a service spends its time" },
  { id: "text", label: "Text", about: "Markdown" },
  { id: "row", label: "Row", about: "A heading that folds what is below" },
];

const SIZES: Partial<Record<PanelType, { w: number; h: number }>> = { stat: { w: 4, h: 4 }, gauge: { w: 4, h: 5 }, bar: { w: 8, h: 8 }, row: { w: 24, h: 1 }, text: { w: 8, h: 4 }, logs: { w: 24, h: 9 }, traces: { w: 24, h: 9 }, flamegraph: { w: 24, h: 12 } };

export const sizeOf = (type: PanelType) => SIZES[type] ?? { w: 12, h: 8 };

export function newPanel(type: PanelType, id: string): Panel {
  return {
    id, type, title: "", description: "", x: 0, y: 0, ...sizeOf(type),
    queries: [], red: null, search: "", profile: null, text: "", unit: "", decimals: null, min: null, max: null, log: false,
    style: "line", fill: false, legend: "list", reduce: "last", sparkline: type === "stat", thresholds: [], links: [], repeat: "", range: "", collapsed: false,
  };
}

export const newDashboard = (title: string): Dashboard => ({
  id: "", title, description: "", tags: [], ready_made: false, version: 0, updated_at: "0001-01-01T00:00:00Z", range: "",
  variables: [], annotations: { deploys: true, incidents: true }, links: [], panels: [],
});

/** An id that no panel has. */
export function freeId(panels: readonly { id: string }[]): string {
  const taken = new Set(panels.map((p) => p.id));
  for (let n = panels.length + 1; ; n++) if (!taken.has(`p${n}`)) return `p${n}`;
}

/** A panel with its variables written out; what a repetition stands for comes before what is chosen above. */
export function writtenOut(panel: Panel & { scoped?: Choices }, by: ReadonlyMap<string, Resolved>): Panel {
  let of = by;
  if (panel.scoped) {
    const own = new Map(by);
    for (const [name, chosen] of Object.entries(panel.scoped)) {
      const r = by.get(name);
      if (r) own.set(name, { ...r, chosen });
    }
    of = own;
  }
  if (of.size === 0) return panel;
  const say = (text: string) => interpolate(text, of, "text");
  const raw = (text: string) => interpolate(text, of, "raw");
  return {
    ...panel,
    title: say(panel.title),
    description: say(panel.description),
    text: say(panel.text),
    search: raw(panel.search),
    queries: panel.queries.map((q) => ({ ...q, expr: interpolate(q.expr, of, "regex"), legend: say(q.legend) })),
    red: panel.red && { ...panel.red, service: all(panel.red.service, of), operation: all(panel.red.operation, of) },
    profile: panel.profile && { ...panel.profile, service: raw(panel.profile.service) },
    links: panel.links.map((l) => ({ ...l, title: say(l.title), url: interpolate(l.url, of, "raw") })),
  };
}

/** For what takes one value or all of them: several chosen is all. */
function all(text: string, of: ReadonlyMap<string, Resolved>): string {
  for (const name of references(text)) {
    const r = of.get(name);
    if (r && (r.chosen.length !== 1 || r.chosen[0] === "$__all")) return "";
  }
  return interpolate(text, of, "raw");
}

/** The variables that a panel needs before it can ask. */
export function needs(panel: Panel): Set<string> {
  const texts = [...panel.queries.map((q) => q.expr), panel.search, panel.red?.service ?? "", panel.red?.operation ?? "", panel.profile?.service ?? ""];
  const out = new Set(texts.flatMap((t) => [...references(t)]));
  if (panel.repeat) out.add(panel.repeat);
  return out;
}

const PREFIX = "var-";

/** Choices as parameters of an address: var-name=a,b with \ before a comma that is part of a value. */
export function choicesFrom(search: Record<string, unknown>): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const [key, value] of Object.entries(search)) if (key.startsWith(PREFIX) && typeof value === "string" && value !== "") out[key.slice(PREFIX.length)] = split(value);
  return out;
}

export const choiceKey = (name: string) => PREFIX + name;
export const choiceText = (values: readonly string[]) => values.map((v) => v.replace(/[\\,]/g, "\\$&")).join(",");

function split(text: string): string[] {
  const out = [""];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && i + 1 < text.length) out[out.length - 1] += text[++i]!;
    else if (c === ",") out.push("");
    else out[out.length - 1] += c;
  }
  return out;
}

/** What is saved, for comparing: the version and the time are the server's. */
export const contentOf = (d: Dashboard): string => JSON.stringify({ ...d, version: 0, updated_at: "" });
