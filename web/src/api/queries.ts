// One function for each question the pages ask. Keys carry the raw range
// ("now-15m"), so that a relative range is one cache entry that refreshes.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import { get, type Params } from "./client";
import type {
  CapsAnswer, CardinalityAnswer, DependenciesAnswer, ErrorsAnswer, HeatmapAnswer, IngestAnswer, IngestHistory, IngestKeysAnswer, MapAnswer, OperationsAnswer,
  IncidentAnswer, IncidentsAnswer, RedAnswer, RetentionAnswer, ServiceAnswer, ServicesAnswer, Status, StorageAnswer,
} from "./types";

/** How often views without a live subscription ask again while live. */
export const POLL_MS = 10_000;

/** A GET of the API as query options. `scope` gives from, to, env, and polling while live. */
export function scoped<T>(path: string, scope: Scope, params: Params = {}, pollMs = POLL_MS) {
  const all: Params = { from: scope.range.from, to: scope.range.to, env: scope.env, ...params };
  return queryOptions({
    queryKey: [path, all],
    queryFn: ({ signal }) => get<T>(path, all, signal),
    refetchInterval: scope.live ? pollMs : false,
    placeholderData: keepPreviousData,
  });
}

/** A GET that no range applies to. */
export function plain<T>(path: string, params: Params = {}, pollMs: number | false = false) {
  return queryOptions({
    queryKey: [path, params],
    queryFn: ({ signal }) => get<T>(path, params, signal),
    refetchInterval: pollMs,
  });
}

const of = (service: string) => `/services/${encodeURIComponent(service)}`;

export const statusQuery = (pollMs: number | false = 15_000) => plain<Status>("/status", {}, pollMs);
export const servicesQuery = (scope: Scope) => scoped<ServicesAnswer>("/services", scope, {}, 5_000);
export const serviceQuery = (scope: Scope, service: string) => scoped<ServiceAnswer>(of(service), scope);
export const operationsQuery = (scope: Scope, service: string, kind: "entry" | "all") => scoped<OperationsAnswer>(`${of(service)}/operations`, scope, { kind });
export const dependenciesQuery = (scope: Scope, service: string) => scoped<DependenciesAnswer>(`${of(service)}/dependencies`, scope);
export const errorsQuery = (scope: Scope, service: string) => scoped<ErrorsAnswer>(`${of(service)}/errors`, scope);
export const redQuery = (scope: Scope, params: Params) => scoped<RedAnswer>("/red", scope, params);
export const heatmapQuery = (scope: Scope, params: Params) => scoped<HeatmapAnswer>("/heatmap", scope, params);
export const mapQuery = (scope: Scope, params: Params) => scoped<MapAnswer>("/map", scope, params);
export const retentionQuery = () => plain<RetentionAnswer>("/settings/retention");
export const ingestKeysQuery = () => plain<IngestKeysAnswer>("/settings/ingest-keys", {}, 10_000);
export const storageQuery = () => plain<StorageAnswer>("/storage", {}, 30_000);
export const ingestQuery = (live: boolean) => plain<IngestAnswer>("/ingest", {}, live && 2_000);
export const ingestHistoryQuery = (live: boolean) => plain<IngestHistory>("/ingest/history", {}, live && 5_000);
export const cardinalityQuery = (live: boolean) => plain<CardinalityAnswer>("/ingest/cardinality", {}, live && 5_000);
export const capsQuery = () => plain<CapsAnswer>("/settings/caps");

/** The open incidents, whenever they began: the badge, and the top of the list. */
export const openIncidentsQuery = (pollMs: number | false) => plain<IncidentsAnswer>("/incidents", { status: "open", from: "now-400d", limit: 200 }, pollMs);
export const incidentQuery = (id: string, pollMs: number | false = false) => plain<IncidentAnswer>(`/incidents/${encodeURIComponent(id)}`, {}, pollMs);
