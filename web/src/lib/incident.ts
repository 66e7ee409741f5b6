// Incidents in words and in order: what a person reads, made from what the API says. Pure; the present is an argument.
import type { AffectedSeries, Alarm, CodeChange, Delivery, Deployment, Incident, IncidentEvent, Mute, Range, Restart, RootCause, Severity, Subject, Symptom } from "@/api/types";
import { format, sig3, type Unit } from "./format";

/** RFC 3339 → Unix milliseconds; null for what has not happened: null, empty, Go's year 1 and ClickHouse's 1970. */
export function moment(text: string | null | undefined): number | null {
  if (!text) return null;
  const t = Date.parse(text);
  return Number.isNaN(t) || t <= 0 ? null : t;
}

/** The API's units as ours: "1" is a ratio, "/s" a rate. */
export function unitOf(unit: string): Unit {
  switch (unit) {
    case "1": return "ratio";
    case "/s": return "rate";
    case "By": return "bytes";
    case "": return "count";
  }
  return /^\{.*\}$/.test(unit) ? "count" : unit;
}

/** "POST /charge of payment", "payment → postgresql", "jvm.memory.used of payment". */
export function subjectName(s: Subject): string {
  if (s.metric) return `${s.metric} of ${s.service}`;
  if (s.function) return `${functionName(s.function)} of ${s.service}${s.version ? ` ${s.version}` : ""}`;
  if (s.peer) return `${s.service} → ${s.peer}`;
  const part = s.version ? ` ${s.version}` : s.instance ? ` (${s.instance})` : "";
  return s.operation ? `${s.operation} of ${s.service}${part}` : s.service + part;
}

/** A function without the path of its package: recommend.Score. */
const functionName = (f: string): string => f.slice(f.split("(")[0]!.lastIndexOf("/") + 1);

/** A function's file, without the folders that a build ran in, and line: "shop/score.go:41". */
export function placeOf(c: CodeChange): string {
  if (!c.function.file) return "";
  const parts = c.function.file.split("/");
  const file = parts.length > 3 ? parts.slice(-2).join("/") : c.function.file;
  return c.function.line ? `${file}:${c.function.line}` : file;
}

/** What a function takes, and took: "51.6 ms of CPU time a request in 1.4.2, 16.7 ms in 1.4.1". */
export function costWords(c: CodeChange): string {
  const unit: Unit = !c.per_request ? "ratio" : c.cost === "alloc" ? "bytes" : "ns";
  const what = `${c.cost === "alloc" ? "allocated" : "of CPU time"} ${c.per_request ? "a request" : "of the service"}`;
  const now = `${format(c.now, unit)} ${what}${c.version ? ` in ${c.version}` : ""}`;
  if (c.new || c.was <= 0) return `${now}, not there before`;
  return `${now}, ${format(c.was, unit)} ${c.previous ? `in ${c.previous}` : "before"}`;
}

/** The subject without its service, for where the service stands beside it. */
export function subjectPart(s: Subject, what?: string): string {
  if (what) return what;
  if (s.metric) return [s.metric, s.label].filter(Boolean).join(" ");
  if (s.function) return functionName(s.function);
  if (s.peer) return `calls to ${s.peer}`;
  return s.operation || (s.version && `version ${s.version}`) || s.instance || "all requests";
}

const SYMPTOMS: Record<Symptom, string> = { latency: "Latency", errors: "Errors", traffic: "Requests", saturation: "Saturation", cpu: "CPU a request", alloc: "Memory a request", code: "Code" };
export const symptomName = (s: Symptom): string => SYMPTOMS[s] ?? s;

/** How far off, in a few words: "9.2× slower", "12 % errors, usually 0.1 %", "no requests". */
export function offBy(a: Pick<Alarm, "symptom" | "observed" | "expected" | "unit"> & Partial<Pick<Alarm, "channel">>): string {
  const u = unitOf(a.unit);
  const times = a.expected > 0 ? a.observed / a.expected : Infinity;
  switch (a.symptom) {
    case "cpu":
    case "alloc":
      if (Number.isFinite(times) && times > 1.05 && times < 100) return `${sig3(times)}× as much`;
      return format(a.observed, u);
    case "latency":
      if (Number.isFinite(times) && times > 1.05) return `${sig3(times)}× slower`;
      return times < 0.95 ? `${sig3(1 / times)}× quicker` : format(a.observed, u);
    case "errors":
      return `${format(a.observed, u)} errors, usually ${format(a.expected, u)}`;
    case "traffic":
      if (a.channel === "no_data") return "no telemetry";
      if (a.observed === 0) return "no requests";
      return times >= 1 && Number.isFinite(times) ? `${sig3(times)}× the usual requests` : `${sig3((1 - times) * 100)}\u202f% fewer requests`;
    default:
      return `${format(a.observed, u)}, usually ${format(a.expected, u)}`;
  }
}

/** How far what was called normal may go before it is told again: a quarter beyond what was seen, as detection has it. */
export function acceptedUpTo(a: Pick<Alarm, "observed" | "expected" | "unit">): string {
  const u = unitOf(a.unit);
  return a.observed < a.expected ? `down to ${format(a.observed / WORSE, u)}` : `up to ${format(a.observed * WORSE, u)}`;
}
const WORSE = 1.25;

/** Whether a mute that holds keeps any of an incident's alarms silent. */
export function isMuted(i: Incident, mutes: readonly Mute[], now: number): boolean {
  return mutes.some((m) => {
    const until = moment(m.until);
    if (until !== null && until <= now) return false;
    const { service, operation, symptom } = m.subject;
    return (i.alarms ?? []).some((a) => a.subject.service === service && (!operation || a.subject.operation === operation) && (!symptom || a.symptom === symptom));
  });
}

/** "12 min", "3 h 5 min", "2 d 4 h": how long something lasted. */
export function lasting(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}\u202fs`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min}\u202fmin`;
  const h = Math.floor(min / 60);
  if (h < 48) return min % 60 ? `${h}\u202fh ${min % 60}\u202fmin` : `${h}\u202fh`;
  const d = Math.floor(h / 24);
  return h % 24 ? `${d}\u202fd ${h % 24}\u202fh` : `${d}\u202fd`;
}

export function incidentLasted(i: Incident, now: number): string {
  const from = moment(i.started_at) ?? now;
  return lasting((moment(i.resolved_at) ?? now) - from);
}

/** Worst first, then newest; the open before the resolved. */
export function byUrgency(a: Incident, b: Incident): number {
  if (a.status !== b.status) return a.status === "open" ? -1 : 1;
  const severity = a.status === "open" ? rankOf(a.severity) - rankOf(b.severity) : 0;
  return severity || Date.parse(b.started_at) - Date.parse(a.started_at);
}
const RANK: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };
const rankOf = (s: Severity) => RANK[s] ?? 3;

/** The likeliest cause in one line: "payment POST /charge, version 1.5.0". */
export function causeName(c: RootCause): string {
  const detail = [c.version && `version ${c.version}`, c.attribute && `${c.attribute.key} ${c.attribute.value}`, c.function].filter(Boolean);
  return [[c.service, c.operation].filter(Boolean).join(" "), ...detail].join(", ");
}

/** A confidence in words, since 0.83 means little to most: the number stands beside it. */
export function confidenceWords(c: number): string {
  if (c >= 0.85) return "almost certain";
  if (c >= 0.6) return "likely";
  if (c >= 0.35) return "possible";
  return "a guess";
}

/** A confidence as a number: more than whole percents would claim more than is known. */
export const percent = (share: number): string => `${Math.round(share * 100)}\u202f%`;

/** What people did to an incident, read from its events: the newest word counts. */
export interface Standing {
  acknowledged: boolean;
  normal: boolean;
}
export function standing(events: readonly IncidentEvent[]): Standing {
  const out: Standing = { acknowledged: false, normal: false };
  for (const e of [...events].sort((a, b) => Date.parse(a.ts) - Date.parse(b.ts))) {
    if (e.kind === "acknowledged") out.acknowledged = true;
    else if (e.kind === "reopened" || e.kind === "opened") out.acknowledged = false;
    else if (e.kind === "normal") out.normal = true;
    else if (NOT_NORMAL.has(e.kind)) out.normal = false;
  }
  return out;
}
const NOT_NORMAL = new Set(["not_normal", "abnormal", "normal_undone", "normal_withdrawn"]);

export type StoryKind = "symptom" | "cause" | "deploy" | "restart" | "event" | "note" | "message";

/** One entry of an incident's story. */
export interface StoryItem {
  at: number;
  kind: StoryKind;
  /** The event's own kind: opened, resolved, … */
  event?: string;
  title: string;
  text?: string;
  link?: string;
  service?: string;
  /** The first thing that was off. */
  first?: boolean;
  failed?: boolean;
}

const EVENT_TITLES: Record<string, string> = {
  opened: "Incident opened", updated: "Updated", resolved: "Resolved", reopened: "Came back", acknowledged: "Acknowledged", note: "Note",
  muted: "Muted", unmuted: "No longer muted", normal: "Marked as normal", not_normal: "No longer marked as normal", escalated: "Got worse", explained: "Explained", severity: "Severity changed", merged: "Joined with another incident",
};

export function eventTitle(kind: string): string {
  return EVENT_TITLES[kind] ?? (kind.charAt(0).toUpperCase() + kind.slice(1)).replaceAll("_", " ");
}

/** Everything that happened, oldest first: symptoms as they began, deploys, what the product and people did, messages. */
export function story(a: { incident: Incident; events: readonly IncidentEvent[]; deployments: readonly Deployment[]; restarts?: readonly Restart[]; deliveries?: readonly Delivery[]; channelName?: (id: string) => string }): StoryItem[] {
  const items: StoryItem[] = [];
  items.push(...symptoms(a.incident.alarms ?? []));
  for (const d of a.deployments) {
    items.push({ at: Date.parse(d.ts), kind: "deploy", title: `${d.service} ${d.version} deployed`, text: [d.previous && `before: ${d.previous}`, d.text].filter(Boolean).join(" · ") || undefined, link: d.link || undefined, service: d.service });
  }
  for (const r of a.restarts ?? []) {
    items.push({ at: Date.parse(r.ts), kind: "restart", title: `${r.service} restarted`, text: r.instances > 1 ? `${r.instances} instances` : undefined, service: r.service });
  }
  for (const e of a.events) {
    if (e.kind === "notified") continue; // The deliveries say it with their answers.
    items.push({ at: Date.parse(e.ts), kind: e.kind === "note" ? "note" : "event", event: e.kind, title: eventTitle(e.kind), text: e.text && e.text !== eventTitle(e.kind) ? e.text : undefined });
  }
  for (const d of a.deliveries ?? []) {
    const name = a.channelName?.(d.channel) ?? d.channel;
    items.push({ at: Date.parse(d.created_at), kind: "message", title: deliveryTitle(d, name), text: d.status === "failed" ? d.answer : undefined, failed: d.status === "failed" });
  }
  items.sort((x, y) => x.at - y.at || ORDER[x.kind] - ORDER[y.kind]);
  const first = items.find((i) => i.kind === "symptom");
  if (first) first.first = true;
  return withoutRuns(items.filter((i) => Number.isFinite(i.at)));
}

/** Updates one after the other are one entry: the newest, with how many they were. */
function withoutRuns(items: readonly StoryItem[]): StoryItem[] {
  const out: StoryItem[] = [];
  let run = 0;
  for (const i of items) {
    const follows = i.event === "updated" && out.at(-1)?.event === "updated";
    run = follows ? run + 1 : 1;
    if (follows) out[out.length - 1] = { ...i, title: `Updated ${run}×` };
    else out.push(i);
  }
  return out;
}
/** Series of one service that go off together are one symptom. */
const TOGETHER_MS = 60_000;

function symptoms(alarms: readonly Alarm[]): StoryItem[] {
  const groups: { at: number; service: string; list: Alarm[] }[] = [];
  const timed = alarms.flatMap((al) => (moment(al.began) === null ? [] : [{ at: moment(al.began)!, al }])).sort((x, y) => x.at - y.at);
  for (const { at, al } of timed) {
    const group = groups.find((g) => g.service === al.subject.service && at - g.at <= TOGETHER_MS && !al.name && !g.list[0]!.name);
    if (group) group.list.push(al);
    else groups.push({ at, service: al.subject.service, list: [al] });
  }
  return groups.map(({ at, service, list }) => {
    const worst = (s: Symptom) => list.filter((x) => x.symptom === s).sort((x, y) => y.score - x.score)[0]!;
    const words = [...new Set(list.map((x) => x.symptom))].map((s) => offBy(worst(s)));
    const one = list.length === 1 ? list[0]! : null;
    return { at, kind: "symptom", title: one ? one.name || subjectName(one.subject) : service, text: words.join("; ") + (one ? "" : ` (${list.length} series)`), service };
  });
}

const ORDER: Record<StoryKind, number> = { deploy: 0, restart: 1, symptom: 2, cause: 3, event: 4, message: 5, note: 6 };

const DELIVERY: Record<Delivery["status"], string> = { delivered: "Told", pending: "Telling", failed: "Could not tell", suppressed: "Did not tell" };
function deliveryTitle(d: Delivery, channel: string): string {
  const what = { firing: "", updated: " of the change", repeated: " again", resolved: " that it is over", test: " (test)" }[d.state] ?? "";
  return `${DELIVERY[d.status] ?? d.status} ${channel}${what}`;
}

/** An affected series as columns over a range of even steps; what is missing in between is a gap. */
export function chartColumns(s: Pick<AffectedSeries, "ts" | "value" | "expected" | "lower" | "upper">): { range: Range; value: (number | null)[]; expected: (number | null)[]; lower: (number | null)[]; upper: (number | null)[] } | null {
  const first = s.ts[0];
  const last = s.ts.at(-1);
  if (first === undefined || last === undefined) return null;
  let step = Infinity;
  for (let i = 1; i < s.ts.length; i++) step = Math.min(step, s.ts[i]! - s.ts[i - 1]!);
  if (!Number.isFinite(step) || step <= 0) step = 10_000;
  const n = Math.round((last - first) / step) + 1;
  const place = (column: readonly (number | null)[]) => {
    const out = new Array<number | null>(n).fill(null);
    s.ts.forEach((t, i) => (out[Math.round((t - first) / step)] = column[i] ?? null));
    return out;
  };
  const to = first + n * step;
  const range: Range = { from_ms: first, to_ms: to, step_ms: step, resolution: step >= 3_600_000 ? "1h" : step >= 60_000 ? "1m" : "10s", now_ms: to, complete_to_ms: to };
  return { range, value: place(s.value), expected: place(s.expected), lower: place(s.lower), upper: place(s.upper) };
}

/** Columns of other steps laid over a chart's range: each point takes what holds at its time; null outside. */
export function aligned(range: Range, ts: readonly number[], column: readonly (number | null)[]): (number | null)[] {
  const n = Math.max(0, Math.round((range.to_ms - range.from_ms) / range.step_ms));
  const step = ts.length > 1 ? Math.max(range.step_ms, ts[1]! - ts[0]!) : range.step_ms;
  const out = new Array<number | null>(n).fill(null);
  let at = 0;
  for (let i = 0; i < n; i++) {
    const t = range.from_ms + i * range.step_ms;
    while (at + 1 < ts.length && ts[at + 1]! <= t) at++;
    const held = ts[at];
    if (held !== undefined && held <= t && t - held < step) out[i] = column[at] ?? null;
  }
  return out;
}

/** Does an incident pass the list's filters? Words are looked for in title, services and the likeliest cause. */
export function matches(i: Incident, f: { q?: string; service?: string; severity?: Severity; env?: string }): boolean {
  if (f.service && !i.services.includes(f.service)) return false;
  if (f.severity && i.severity !== f.severity) return false;
  if (f.env && i.env && i.env !== f.env) return false;
  if (!f.q) return true;
  const cause = i.root_causes[0];
  const text = [i.title, i.summary, ...i.services, cause?.operation, cause?.version].join(" ").toLowerCase();
  return f.q.toLowerCase().split(/\s+/).every((w) => text.includes(w));
}
