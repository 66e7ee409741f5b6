import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import type { Marker } from "@/charts/model";
import { marksFor } from "@/lib/bands";
import { get } from "./client";
import type { DeploymentsAnswer, Incident, IncidentsAnswer } from "./types";

const POLL_MS = 30_000;

const MOST_PAST = 50;
const NONE: readonly Incident[] = [];

/**
 * Deploys in the range and incidents that are open, for charts of whatever these services send; none named: of all.
 * With `past` also incidents of the range that have been resolved.
 */
export function useMarks(scope: Scope, services: readonly string[], { past = false } = {}): readonly Marker[] {
  const { open } = useOpenIncidents();
  const params = { from: scope.range.from, to: scope.range.to, env: scope.env, service: services.length === 1 ? services[0] : undefined };
  const q = useQuery({
    queryKey: ["/deployments", params],
    queryFn: ({ signal }) => get<DeploymentsAnswer>("/deployments", params, signal),
    refetchInterval: scope.live ? POLL_MS : false,
    staleTime: POLL_MS,
    retry: false,
  });
  const range = { from: scope.range.from, to: scope.range.to, limit: MOST_PAST };
  const resolved = useQuery({
    queryKey: ["/incidents", range],
    queryFn: ({ signal }) => get<IncidentsAnswer>("/incidents", range, signal),
    refetchInterval: scope.live ? POLL_MS : false,
    staleTime: POLL_MS,
    retry: false,
    enabled: past,
  });
  const incidents = useMemo(() => {
    const now = open ?? NONE;
    const known = new Set(now.map((i) => i.id));
    return [...now, ...(past ? (resolved.data?.incidents ?? NONE) : NONE).filter((i) => !known.has(i.id))];
  }, [open, past, resolved.data]);
  const names = services.join("\u0000");
  return useMemo(() => marksFor(names ? names.split("\u0000") : [], q.data?.deployments ?? [], incidents, Date.now()), [names, q.data, incidents]);
}
