import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { get, type Params } from "./client";
import type { BandsAnswer, Symptom } from "./types";

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
