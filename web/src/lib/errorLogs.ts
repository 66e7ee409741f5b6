// Error records that say the same, as one line each: what was said, by whom, how often, and one of them to look at.
import type { LogRecord } from "@/api/types";

export interface ErrorPattern {
  key: string;
  service: string;
  body: string;
  /** What the record's attributes say of the error, where the body does not. */
  detail: string;
  count: number;
  firstMs: number;
  lastMs: number;
  /** The newest of them that belongs to a trace, else the newest. */
  example: LogRecord;
}

const DETAIL_KEYS = ["exception.message", "error.message", "error", "err", "exception.type", "error.type"];
const msOf = (ns: string) => Number(BigInt(ns) / 1_000_000n);

/** Ids, numbers and addresses differ from record to record and make no other message. */
function shape(text: string): string {
  return text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,}\b|\d+(\.\d+)*/gi, "#");
}

function detailOf(l: LogRecord): string {
  for (const key of DETAIL_KEYS) {
    const value = l.attributes.find((a) => a.key === key)?.value;
    if (value) return l.body.includes(value) ? "" : value;
  }
  return "";
}

/** The most frequent first; among equals the newest. */
export function errorPatterns(logs: readonly LogRecord[]): ErrorPattern[] {
  const found = new Map<string, ErrorPattern>();
  for (const l of logs) {
    const detail = detailOf(l);
    const key = [l.service, shape(l.body), shape(detail)].join("\0");
    const at = msOf(l.ts_ns);
    const p = found.get(key);
    if (!p) {
      found.set(key, { key, service: l.service, body: l.body, detail, count: 1, firstMs: at, lastMs: at, example: l });
      continue;
    }
    p.count++;
    p.firstMs = Math.min(p.firstMs, at);
    const newer = at >= p.lastMs;
    p.lastMs = Math.max(p.lastMs, at);
    if ((newer && (l.trace_id || !p.example.trace_id)) || (l.trace_id && !p.example.trace_id)) Object.assign(p, { example: l, body: l.body, detail });
  }
  return [...found.values()].sort((a, b) => b.count - a.count || b.lastMs - a.lastMs);
}
