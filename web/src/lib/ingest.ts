// The state of ingest in words, and changes of the cardinality guards. Pure.
import type { Caps, Cardinality, IngestAnswer, IngestHistory, Range } from "@/api/types";
import { ago, format, plural } from "./format";

export type Tone = "ok" | "warn" | "bad";

export interface Verdict {
  tone: Tone;
  title: string;
  detail: string;
}

/** How recent a refusal must be to be the state of things. */
const RECENT_MS = 60_000;

/** How ingest is doing, in one sentence; what is worst wins. */
export function verdict(a: IngestAnswer): Verdict {
  const recent = a.problems.filter((p) => p.kind === "refused" && a.now_ms - p.last_ms < RECENT_MS && !SENDERS_FAULT.has(p.reason));
  const worst = recent.sort((x, y) => y.last_ms - x.last_ms)[0];
  if (worst) return { tone: "bad", title: "Requests are being refused", detail: sentence(`${worst.meaning}. ${worst.fix}`) };
  if (!a.storing || a.spool.batches > 0) {
    const age = a.spool.oldest_ms === null ? "" : `, the oldest from ${ago(a.now_ms - a.spool.oldest_ms)}`;
    const title = a.storing ? "The spool is being stored" : "ClickHouse is away";
    const room = `${format(a.spool.bytes, "bytes")} of ${format(a.spool.max_bytes, "bytes")}`;
    return { tone: "warn", title, detail: `Requests are acknowledged and safe on disk: ${plural(a.spool.batches, "batch", "batches")} (${room})${age}.` };
  }
  if (a.spool.quarantined > 0) return { tone: "warn", title: "Some files could not be stored", detail: `${plural(a.spool.quarantined, "file")} moved to quarantine; they are kept there.` };
  if (!a.signals.some((s) => s.requests > 0)) return { tone: "ok", title: "Nothing has arrived yet", detail: "This process has taken no request since its start." };
  return { tone: "ok", title: "Everything that arrives is stored", detail: a.visible ? `It can be seen ${format(a.visible.p50_ms, "ms")} after a span ends, 95 % within ${format(a.visible.p95_ms, "ms")}.` : "Nothing has arrived in the last two minutes." };
}

/** Refusals that say something of their sender rather than of us. */
const SENDERS_FAULT = new Set(["malformed", "too_large", "unsupported_type", "unreadable", "unauthenticated", "permission_denied", "rate_limited"]);

/** Capital first, one full stop last. */
export function sentence(text: string): string {
  const t = text.trim();
  if (!t) return "";
  return t[0]!.toUpperCase() + t.slice(1) + (/[.!?]$/.test(t) ? "" : ".");
}

const KINDS: Record<IngestAnswer["problems"][number]["kind"], string> = {
  rejected: "not stored; the sender was told",
  refused: "request refused",
  truncated: "stored, shortened",
  folded: "stored, counted together",
  repeated: "stored once",
  "set aside": "kept in a file",
};

/** What became of it, in a few words. */
export const kindWords = (p: Pick<IngestAnswer["problems"][number], "kind" | "reason">): string => (p.reason === "values_capped" ? "stored, not offered" : (KINDS[p.kind] ?? p.kind));

/** "too_old" → "Too old" */
export function reasonName(reason: string): string {
  const words = reason.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whether something was lost or had to be sent again, and thus deserves a colour. */
export const isLoss = (kind: IngestAnswer["problems"][number]["kind"]): boolean => kind === "rejected" || kind === "refused" || kind === "set aside";

/** The history as the range of a chart. */
export function rangeOf(h: IngestHistory): Range {
  const steps = h.lag_p95_ms.length;
  const to = h.start_ms + steps * h.step_ms;
  return { from_ms: h.start_ms, to_ms: to, step_ms: h.step_ms, resolution: "raw", now_ms: to, complete_to_ms: to };
}

/** A quarter of an hour up to the newest step, so that a young process shows how young it is. */
export function windowOf(h: IngestHistory): { from: number; to: number } {
  const to = h.start_ms + h.lag_p95_ms.length * h.step_ms;
  return { from: to - 15 * 60_000, to };
}

/** 0 where nothing happened is "no answer to measure", not an instant one. */
export const gapsForZero = (values: readonly number[]): (number | null)[] => values.map((v) => (v > 0 ? v : null));

export type CapKind = "operations" | "series" | "values";

export const CAP_KINDS: Record<CapKind, { label: string; one: string; of: string; what: string; beyond: string; detail: string }> = {
  operations: { label: "Operations", one: "operation", of: "service", what: "operations a service", beyond: "spans folded", detail: "Charts tell so many span names of a service apart. Spans with further names are stored as sent and counted under (other)." },
  series: { label: "Series", one: "series", of: "metric", what: "series a metric", beyond: "points rejected", detail: "A metric has so many combinations of attributes. Points of further ones are rejected, and their sender is told." },
  values: { label: "Values", one: "value", of: "key", what: "values a key", beyond: "values not offered", detail: "So many values of an attribute are offered when you type. Search finds the others all the same." },
};

/** The caps with one changed: of all (name null) or of one service, metric or key; n null takes the exception back. */
export function withCap(caps: Caps, kind: CapKind, name: string | null, n: number | null): Caps {
  if (name === null) return { ...caps, [kind]: n ?? 0 };
  const field = `${kind}_of` as const;
  const { [name]: _, ...others } = caps[field];
  return { ...caps, [field]: n === null ? others : { ...others, [name]: n } };
}

/** What is set now: null where there is no exception, or nothing but what is configured. */
export function capOf(caps: Caps, kind: CapKind, name: string | null): number | null {
  if (name === null) return caps[kind] || null;
  return caps[`${kind}_of`][name] ?? null;
}

/** What is wrong with a number typed as a cap, or null. */
export function capError(text: string, max: number): string | null {
  const n = Number(text);
  return /^\d+$/.test(text.trim()) && n >= 1 && n <= max ? null : `Want a whole number from 1 to ${max.toLocaleString("en")}.`;
}

/** What to offer when somebody wants room: the next round number above what there is. */
export function roomierCap(c: Pick<Cardinality, "kept" | "beyond" | "cap">, max: number): number {
  const want = Math.max(c.kept + c.beyond, c.cap) * 1.25;
  const size = 10 ** Math.floor(Math.log10(Math.max(want, 1)));
  return Math.min(max, [1, 2, 5, 10].map((f) => f * size).find((v) => v >= want)!);
}

/** Rows of names with an exception that have sent nothing, so that it can be found and taken back. */
export function withSilentExceptions(rows: readonly Cardinality[], exceptions: Record<string, number>): Cardinality[] {
  const seen = new Set(rows.map((r) => r.name));
  const silent = Object.entries(exceptions).filter(([name]) => !seen.has(name));
  return [...rows, ...silent.map(([name, cap]) => ({ name, signal: "", kept: 0, cap, beyond: 0, times: 0, sample: [], last: "" }))];
}
