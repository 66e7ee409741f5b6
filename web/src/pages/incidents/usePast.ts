import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { get, type Params } from "@/api/client";
import type { IncidentsAnswer } from "@/api/types";
import type { Scope } from "@/app/range";
import { DEFAULT_RANGE } from "@/lib/time";
import type { IncidentsSearch, WHEN } from "./route";

const PAGE = 50;
const POLL_MS = 20_000;

/** The resolved incidents of the chosen time, a page at a time. */
export function usePast(scope: Scope, search: IncidentsSearch) {
  const chosen = scope.range.from !== DEFAULT_RANGE.from || scope.range.to !== DEFAULT_RANGE.to;
  const when: (typeof WHEN)[number] = search.when ?? (chosen ? "range" : "7d");
  const range = when === "range" ? scope.range : { from: `now-${when}`, to: "now" };
  const params: Params = { status: "resolved", from: range.from, to: range.to, service: search.service, severity: search.severity, limit: PAGE };
  const q = useInfiniteQuery({
    queryKey: ["/incidents", params, "pages"],
    queryFn: ({ signal, pageParam }) => get<IncidentsAnswer>("/incidents", { ...params, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
    enabled: search.status !== "open",
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });
  return {
    when,
    list: q.data?.pages.flatMap((p) => p.incidents) ?? [],
    pending: q.isPending && q.fetchStatus !== "idle",
    error: q.error,
    refetch: () => void q.refetch(),
    hasMore: q.hasNextPage,
    loadingMore: q.isFetchingNextPage,
    more: () => void q.fetchNextPage(),
  };
}
