import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import type { Marker } from "@/charts/model";
import { marksFor } from "@/lib/bands";
import { get } from "./client";
import type { DeploymentsAnswer } from "./types";

const POLL_MS = 30_000;

/** Deploys in the range and incidents that are open, for charts of whatever these services send; none named: of all. */
export function useMarks(scope: Scope, services: readonly string[]): readonly Marker[] {
  const { open } = useOpenIncidents();
  const params = { from: scope.range.from, to: scope.range.to, env: scope.env, service: services.length === 1 ? services[0] : undefined };
  const q = useQuery({
    queryKey: ["/deployments", params],
    queryFn: ({ signal }) => get<DeploymentsAnswer>("/deployments", params, signal),
    refetchInterval: scope.live ? POLL_MS : false,
    staleTime: POLL_MS,
    retry: false,
  });
  const names = services.join("\u0000");
  return useMemo(() => marksFor(names ? names.split("\u0000") : [], q.data?.deployments ?? [], open ?? [], Date.now()), [names, q.data, open]);
}
