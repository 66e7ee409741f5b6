// Questions in PromQL: the answers in columns of our API, and what the Prometheus API tells of names and labels.
import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { mergeProm } from "@/lib/dash/prom";
import { type Range, resolve } from "@/lib/time";
import { ApiError, get, withParams } from "./client";
import { useLive, useLiveStatus } from "./live";
import type { DashboardsAnswer, PromAnswer, PromMetricsAnswer } from "./dashboards";
import type { Problem } from "./types";

export interface PromData {
  data: PromAnswer | undefined;
  error: unknown;
  /** Browser clock of the newest data; 0 where it is not live. */
  freshAt: number;
  refetch: () => void;
}

export interface PromOptions {
  /** Its own range instead of the page's: now-1h. */
  range?: string;
  instant?: boolean;
  enabled?: boolean;
}

/**
 * The answers to some expressions over the page's range. While live they come over the websocket alone, so that an
 * expression costs one evaluation however many people watch it; else, or while the websocket is away, over HTTP.
 */
export function useProm(exprs: readonly string[], scope: Scope, { range, instant = false, enabled = true }: PromOptions = {}): PromData {
  const window: Range = range ? { from: range, to: "now" } : scope.range;
  const ask = enabled && exprs.length > 0;
  const streams = ask && (range ? !scope.paused : scope.live);
  const live = useLive<PromAnswer>({ kind: "promql", exprs: [...exprs], instant }, { from: window.from, enabled: streams, merge: instant ? undefined : mergeProm });
  const { state } = useLiveStatus();
  const away = streams && (live.error !== undefined || state === "offline");
  const params = { from: window.from, to: window.to, expr: exprs, instant: instant ? 1 : undefined };
  const q = useQuery({
    queryKey: ["/promql", params],
    queryFn: ({ signal }) => get<PromAnswer>("/promql", params, signal),
    enabled: ask && (!streams || away),
    refetchInterval: away ? 10_000 : false,
    placeholderData: keepPreviousData,
  });
  const refused = live.error && !q.data ? asError(live.error) : undefined;
  const fromLive = streams && !away ? live.data : undefined;
  return { data: fromLive ?? (streams && !away ? q.data : (q.data ?? live.data)), error: q.error ?? (fromLive ? undefined : refused), freshAt: streams ? live.freshAt : 0, refetch: () => void q.refetch() };
}

const asError = (p: Problem) => new ApiError(p);

export const dashboardsQuery = () =>
  queryOptions({ queryKey: ["/dashboards"], queryFn: ({ signal }) => get<DashboardsAnswer>("/dashboards", {}, signal) });

export const promMetricsQuery = (q: string) =>
  queryOptions({ queryKey: ["/promql/metrics", q], queryFn: ({ signal }) => get<PromMetricsAnswer>("/promql/metrics", { q }, signal), staleTime: 30_000, placeholderData: keepPreviousData });

/** Where Prometheus' own HTTP API is. */
export const PROMETHEUS = "/prometheus";

async function prometheus<T>(path: string, params: Record<string, string | number | readonly string[] | undefined>, signal?: AbortSignal): Promise<T> {
  const res = await fetch(withParams(`${PROMETHEUS}/api/v1${path}`, params), { signal, headers: { Accept: "application/json" } });
  const body = (await res.json().catch(() => null)) as { status?: string; data?: T; error?: string } | null;
  if (!res.ok || body?.status !== "success") {
    throw new ApiError({ type: "about:blank", title: body?.error ?? `The server answered ${res.status}`, status: res.status, request_id: res.headers.get("X-Request-Id") ?? "" });
  }
  return body.data as T;
}

/** Unix seconds of a range, for the Prometheus API. */
function bounds(range: Range): { start: string; end: string } {
  const { from, to } = resolve(range, Date.now());
  return { start: (from / 1000).toFixed(3), end: (to / 1000).toFixed(3) };
}

export const labelValues = (label: string, match: string, range: Range, signal?: AbortSignal) =>
  prometheus<string[]>(`/label/${encodeURIComponent(label)}/values`, { "match[]": match ? [match] : undefined, ...bounds(range) }, signal);

export const labelNames = (match: string, range: Range, signal?: AbortSignal) => prometheus<string[]>("/labels", { "match[]": match ? [match] : undefined, ...bounds(range) }, signal);

/** Why the server cannot read an expression; null where it can. */
export async function parseFault(query: string): Promise<string | null> {
  const res = await fetch(withParams(`${PROMETHEUS}/api/v1/parse_query`, { query }), { headers: { Accept: "application/json" } });
  const body = (await res.json()) as { status?: string; errorType?: string; error?: string };
  return res.status === 400 && body.errorType === "bad_data" ? (body.error ?? null) : null;
}

interface Vector {
  resultType: string;
  result: { metric: Record<string, string>; value?: [number, string] }[];
}

export const instant = (expr: string, range: Range, signal?: AbortSignal) => prometheus<Vector>("/query", { query: expr, time: bounds(range).end }, signal);
