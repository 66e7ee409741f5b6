// Log records as a list that grows while it is read: pages asked for, records
// that stream in, and what a reader who scrolled away has not seen yet.
import type { LogRecord, LogsAnswer } from "@/api/types";

/** Streamed records kept; older ones can be scrolled to by pages. */
export const MAX_TAIL = 2000;

const newer = (a: LogRecord, b: LogRecord) => (a.ts_ns === b.ts_ns ? (a.id < b.id ? 1 : -1) : padded(a.ts_ns) < padded(b.ts_ns) ? 1 : -1);
const padded = (ns: string) => ns.padStart(20, "0");

/** Lays streamed records over those held, newest first, each once. */
export function mergeTail(held: LogsAnswer, update: LogsAnswer): LogsAnswer {
  const seen = new Set(update.logs.map((l) => l.id));
  const logs = [...update.logs, ...held.logs.filter((l) => !seen.has(l.id))].sort(newer).slice(0, MAX_TAIL);
  return { ...update, logs };
}

/** Everything known, in order, each record once. */
export function combine(streamed: readonly LogRecord[], pages: readonly LogRecord[], order: "newest" | "oldest"): LogRecord[] {
  const seen = new Set<string>();
  const all = [...streamed, ...pages].filter((l) => !seen.has(l.id) && seen.add(l.id));
  if (streamed.length) all.sort(newer);
  return order === "oldest" && streamed.length ? all.reverse() : all;
}

/** Splits off what came after the newest record that was on screen when the reader scrolled away. */
export function holdBack(records: readonly LogRecord[], heldAt: string | null): { shown: readonly LogRecord[]; waiting: number } {
  if (heldAt === null) return { shown: records, waiting: 0 };
  const first = records.findIndex((r) => padded(r.ts_ns) <= padded(heldAt));
  const waiting = first < 0 ? records.length : first;
  return { shown: records.slice(waiting), waiting };
}

/** A record's attribute or resource attribute, for a column. */
export function fieldOf(r: LogRecord, key: string): string {
  if (key === "service") return r.service;
  return r.attributes.find((a) => a.key === key)?.value ?? r.resource[key] ?? "";
}
