// What the traces page asks: the list by cursor, the heatmap, the facets, and the
// comparison of a selection with the rest.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { get } from "@/api/client";
import { scoped } from "@/api/queries";
import type { CompareAnswer, FacetsAnswer, TraceHeatmapAnswer, TracesAnswer } from "@/api/types";
import type { Scope } from "@/app/range";
import type { Selection } from "@/lib/selection";

export const PAGE_SIZE = 50;
const LIST_POLL_MS = 4_000;
const AROUND_POLL_MS = 10_000;

export function useTraceList(scope: Scope, q: string, sort: "newest" | "slowest") {
  const params = { q, sort, from: scope.range.from, to: scope.range.to, limit: PAGE_SIZE };
  return useInfiniteQuery({
    queryKey: ["/traces", params],
    queryFn: ({ pageParam, signal }) => get<TracesAnswer>("/traces", { ...params, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // A reader who scrolled on is reading: the list then keeps still.
    refetchInterval: (query) => (scope.live && (query.state.data?.pages.length ?? 0) <= 1 ? LIST_POLL_MS : false),
    placeholderData: keepPreviousData,
  });
}

export const useTraceHeatmap = (scope: Scope, q: string) => useQuery(scoped<TraceHeatmapAnswer>("/traces/heatmap", scope, { q }, AROUND_POLL_MS));

export const useTraceFacets = (scope: Scope, q: string) => useQuery(scoped<FacetsAnswer>("/traces/facets", scope, { q }, AROUND_POLL_MS));

export function useCompare(scope: Scope, q: string, s: Selection) {
  return useQuery({
    ...scoped<CompareAnswer>("/traces/compare", scope, { q, sel_from: s.fromMs, sel_to: s.toMs, min_ns: s.minNs, max_ns: s.maxNs }),
    refetchInterval: false,
  });
}
