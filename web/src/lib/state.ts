// A service's state in words, from its numbers now and just before. It is careful:
// few calls say nothing, and healthy is silence.
import type { Red } from "@/api/types";
import { format, sig3 } from "./format";

export interface State {
  tone: "ok" | "warn" | "bad";
  /** Empty while there is nothing to say. */
  words: string;
}

const OK: State = { tone: "ok", words: "" };
/** Below this many calls a ratio or a quantile is noise. */
const MIN_CALLS = 30;
/** Slower by less than this nobody notices, whatever the factor: 5 ms. */
const MIN_SLOWER_NS = 5e6;

export function stateOf(now: Red, before: Red | null): State {
  if (now.calls === 0) return before && before.calls >= MIN_CALLS ? { tone: "warn", words: "No requests any more" } : OK;
  if (now.calls < MIN_CALLS) return OK;
  const errors = errorState(now, before);
  if (errors) return errors;
  if (!before || before.calls < MIN_CALLS) return OK;
  const was = before.p95_ns;
  const is = now.p95_ns;
  if (was && is && is >= was * 1.8 && is - was >= MIN_SLOWER_NS) return { tone: is >= was * 4 ? "bad" : "warn", words: `${sig3(is / was)}× slower than before` };
  if (now.rate <= before.rate * 0.4) return { tone: "warn", words: `${sig3(before.rate / Math.max(now.rate, 1e-9))}× fewer requests than before` };
  return OK;
}

function errorState(now: Red, before: Red | null): State | null {
  const was = before && before.calls >= MIN_CALLS ? before.error_ratio : null;
  if (was === null) return now.error_ratio >= 0.02 ? { tone: now.error_ratio >= 0.05 ? "bad" : "warn", words: `${format(now.error_ratio, "ratio")} errors` } : null;
  if (now.error_ratio < 0.01 || now.error_ratio < was * 2 || now.errors < 5) {
    return now.error_ratio >= 0.25 ? { tone: "bad", words: `${format(now.error_ratio, "ratio")} errors, as before` } : null;
  }
  return { tone: now.error_ratio >= 0.05 ? "bad" : "warn", words: `${format(now.error_ratio, "ratio")} errors, was ${format(was, "ratio")}` };
}

/** Sorts the unusual first: bad, warn, then silence. */
export const severity = (s: State): number => (s.tone === "bad" ? 2 : s.tone === "warn" ? 1 : 0);
