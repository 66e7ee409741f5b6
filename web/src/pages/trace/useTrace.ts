// The trace and its logs. A young trace is asked for again until its spans have
// had time to arrive.
import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import { ApiError, get } from "@/api/client";
import type { LogRecord, LogsAnswer, TraceAnswer } from "@/api/types";
import { buildWaterfall } from "@/lib/waterfall";

/** Batching exporters send within seconds; half a minute after the last span a trace is taken as complete. */
const YOUNG_MS = 30_000;
const POLL_MS = 2_000;
/** How often a trace that is not there is looked for by itself: about half a minute. */
const MAX_LOOKS = 15;
const LOG_MARGIN_MS = 60_000;
const MAX_LOGS = 1000;

export const isYoung = (a: TraceAnswer): boolean => a.now_ms - Number(BigInt(a.end_ns) / 1_000_000n) < YOUNG_MS;

export function useTrace(id: string) {
  const query = useQuery({
    queryKey: ["/traces/one", id],
    queryFn: ({ signal }) => get<TraceAnswer>(`/traces/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: (q) => {
      // A link may be opened before the first span is stored.
      if (q.state.error instanceof ApiError && q.state.error.status === 404) return q.state.errorUpdateCount <= MAX_LOOKS ? POLL_MS : false;
      return q.state.data && isYoung(q.state.data) ? POLL_MS : false;
    },
    // The same spans again must not rebuild the waterfall.
    structuralSharing: (old, fresh) => (sameSpans(old as TraceAnswer | undefined, fresh as TraceAnswer) ? { ...(old as TraceAnswer), now_ms: (fresh as TraceAnswer).now_ms } : fresh),
  });
  const spans = query.data?.spans;
  const waterfall = useMemo(() => (spans ? buildWaterfall({ spans }) : null), [spans]);
  return { query, waterfall };
}

// Spans are never changed once stored: as many are the same ones.
const sameSpans = (old: TraceAnswer | undefined, fresh: TraceAnswer) => !!old && old.trace_id === fresh.trace_id && old.spans.length === fresh.spans.length && old.truncated === fresh.truncated;

export function useTraceLogs(trace: TraceAnswer) {
  const from = Number(BigInt(trace.start_ns) / 1_000_000n) - LOG_MARGIN_MS;
  const to = Number(BigInt(trace.end_ns) / 1_000_000n) + LOG_MARGIN_MS;
  const query = useQuery({
    queryKey: ["/logs", "trace", trace.trace_id, from, to],
    queryFn: ({ signal }) => get<LogsAnswer>("/logs", { q: `trace:${trace.trace_id}`, from, to, limit: MAX_LOGS, order: "oldest" }, signal),
    refetchInterval: isYoung(trace) ? POLL_MS * 2 : false,
  });
  const bySpan = useMemo(() => {
    const out = new Map<string, LogRecord[]>();
    for (const l of query.data?.logs ?? []) {
      const list = out.get(l.span_id);
      if (list) list.push(l);
      else out.set(l.span_id, [l]);
    }
    return out;
  }, [query.data]);
  return { query, bySpan };
}

export type TraceLogs = ReturnType<typeof useTraceLogs>;
