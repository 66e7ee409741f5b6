import { useQuery } from "@tanstack/react-query";
import { useFallback, useLive } from "@/api/live";
import { openIncidentsQuery } from "@/api/queries";
import type { Incident, IncidentsAnswer } from "@/api/types";
import { useScope } from "./range";

/** While nothing streams: a page that is paused must not miss an outage. */
const SLOW_POLL_MS = 15_000;

/** The open incidents, pushed as they change. Undefined until known. */
export function useOpenIncidents(): { open: readonly Incident[] | undefined; error: unknown; refetch: () => unknown } {
  const { live } = useScope();
  const stream = useLive<IncidentsAnswer>({ kind: "incidents" }, { from: "now-15m", enabled: live });
  const fallback = useFallback(live, stream);
  const q = useQuery(openIncidentsQuery(live ? fallback : SLOW_POLL_MS));
  const open = (live && !fallback ? stream.data : undefined)?.incidents ?? q.data?.incidents;
  return { open, error: open ? null : q.error, refetch: q.refetch };
}
