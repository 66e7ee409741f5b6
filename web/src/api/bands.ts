import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { get, type Params } from "./client";
import { scoped } from "./queries";
import type { BandsAnswer, Symptom, WatchedAnswer, WatchedMetric } from "./types";

const POLL_MS = 30_000;

/** What was expected of a service or one of its operations. A chart without it is still a chart: failures stay silent. */
export function useBands(scope: Scope, of: { service: string; operation?: string; symptom: Symptom }, enabled = true): BandsAnswer | undefined {
  const params: Params = { from: scope.range.from, to: scope.range.to, env: scope.env, service: of.service, operation: of.operation, symptom: of.symptom };
  const q = useQuery({
    queryKey: ["/bands", params],
    queryFn: ({ signal }) => get<BandsAnswer>("/bands", params, signal),
    refetchInterval: scope.live ? POLL_MS : false,
    placeholderData: keepPreviousData,
    enabled,
    retry: false,
  });
  return enabled ? q.data : undefined;
}

/** A metric that a service is known by: what it was and what was expected, judged by the minute. */
export const watchedBandsQuery = (scope: Scope, service: string, m: WatchedMetric, step: string | undefined) =>
  scoped<BandsAnswer>("/bands", scope, { service, env: m.env || undefined, metric: m.metric, label: m.label || undefined, peer: m.peer || undefined, step }, POLL_MS);

export const watchedQuery = (scope: Scope, service: string) =>
  queryOptions({
    queryKey: ["/services/watched", service, scope.env],
    queryFn: ({ signal }) => get<WatchedAnswer>(`/services/${encodeURIComponent(service)}/watched`, { env: scope.env }, signal),
    refetchInterval: scope.live ? 2 * POLL_MS : false,
  });
