// What the logs page asks: records by cursor, the tail, the histogram, facets.
import { useMemo } from "react";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { get } from "@/api/client";
import { useFallback, useLive } from "@/api/live";
import { scoped } from "@/api/queries";
import type { FacetsAnswer, LogHistogramAnswer, LogsAnswer } from "@/api/types";
import type { Scope } from "@/app/range";
import { combine, mergeTail } from "@/lib/tail";

const PAGE_SIZE = 200;
const AROUND_POLL_MS = 5_000;
const LATE_POLL_MS = 10_000;

export function useLogList(scope: Scope, q: string, order: "newest" | "oldest") {
  const tails = scope.live && order === "newest";
  const live = useLive<LogsAnswer>({ kind: "logs", q: q || undefined }, { from: scope.range.from, enabled: tails, merge: mergeTail });
  const fallback = useFallback(tails, live);
  const params = { q, order, from: scope.range.from, to: scope.range.to, limit: PAGE_SIZE };
  const query = useInfiniteQuery({
    queryKey: ["/logs", params],
    queryFn: ({ pageParam, signal }) => get<LogsAnswer>("/logs", { ...params, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // The tail looks a few seconds back; what arrives later than that is found by asking again.
    refetchInterval: (state) => (scope.live && (state.state.data?.pages.length ?? 0) <= 1 ? fallback || LATE_POLL_MS : false),
    placeholderData: keepPreviousData,
  });
  const streamed = live.data?.logs;
  const pages = query.data?.pages;
  const records = useMemo(() => combine(streamed ?? [], (pages ?? []).flatMap((p) => p.logs), order), [streamed, pages, order]);
  return { query, records, tails, freshAt: live.freshAt };
}

export type LogList = ReturnType<typeof useLogList>;

export const useHistogram = (scope: Scope, q: string) => useQuery(scoped<LogHistogramAnswer>("/logs/histogram", scope, { q }, AROUND_POLL_MS));
export const useLogFacets = (scope: Scope, q: string) => useQuery(scoped<FacetsAnswer>("/logs/facets", scope, { q }, AROUND_POLL_MS * 2));
