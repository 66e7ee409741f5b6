import { useCallback, useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useScope, useScopeActions } from "@/app/range";
import { durationText } from "@/app/links";
import { Heatmap } from "@/charts/Heatmap";
import { addTerm, withEnv } from "@/lib/searchlang";
import { decodeSelection, encodeSelection, type Selection } from "@/lib/selection";
import { Facets } from "@/search/Facets";
import { SearchLine } from "@/search/SearchLine";
import { isUnclear, Unclear } from "@/search/Unclear";
import { Page } from "@/ui/Panel";
import { Failed, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { Compare } from "./Compare";
import { ErrorStrip } from "./ErrorStrip";
import { ExportButton } from "./ExportButton";
import { TraceList } from "./TraceList";
import { tracesRoute } from "./route";
import { useTraceFacets, useTraceHeatmap, useTraceList } from "./useTraces";
import css from "./Page.module.css";

export default function TracesPage() {
  const search = tracesRoute.useSearch();
  const navigate = useNavigate({ from: "/traces" });
  const scope = useScope();
  const actions = useScopeActions();
  const text = search.q ?? "";
  const sort = search.sort ?? "newest";
  const { q, shift } = withEnv(text, scope.env);
  const selection = useMemo(() => decodeSelection(search.sel), [search.sel]);
  const narrowed = selection ? within(q, selection) : q;
  const listScope = useMemo(() => (selection ? { ...scope, live: false, range: { from: String(selection.fromMs), to: String(selection.toMs) } } : scope), [scope, selection]);

  const heat = useTraceHeatmap(scope, q);
  const facets = useTraceFacets(scope, q);
  const list = useTraceList(listScope, narrowed, sort);

  const setQ = useCallback((next: string) => void navigate({ search: (o) => ({ ...o, q: next || undefined }), resetScroll: false }), [navigate]);
  const select = useCallback((s: Selection | null) => void navigate({ search: (o) => ({ ...o, sel: s ? encodeSelection(s) : undefined }), resetScroll: false }), [navigate]);
  const zoom = (s: Selection) =>
    void navigate({ search: (o) => ({ ...o, sel: undefined, q: within(text, s), from: String(s.fromMs), to: String(s.toMs) }) as never, resetScroll: false });

  return (
    <Page
      wide
      title="Traces"
      aside={
        <>
          <Segmented label="Order" value={sort} onChange={(v) => void navigate({ search: (o) => ({ ...o, sort: v === "slowest" ? v : undefined }), resetScroll: false })} options={[{ id: "newest", label: "Newest" }, { id: "slowest", label: "Slowest" }]} />
          <ExportButton list={list} />
        </>
      }
    >
      <SearchLine signal="traces" label="Search traces" placeholder="service:checkout duration>500ms status:error" value={text} onCommit={setQ} error={list.error ?? heat.error} shift={shift} />
      {isUnclear(list.error, heat.error) ? (
        <Unclear signal="traces" />
      ) : (
        <div className={css.columns}>
          <Facets data={facets.data} q={text} onChange={setQ} />
          <div className={css.main}>
            {heat.data ? (
              <div className={css.heat} data-stale={heat.isPlaceholderData || undefined}>
                <Heatmap bare title="Latency" data={heat.data} height={180} selection={selection} onSelect={select} note={heat.data.sampled ? "sampled · drag a rectangle to ask why" : "drag a rectangle to ask why"} />
                <ErrorStrip data={heat.data} onZoom={actions.zoomTo} />
              </div>
            ) : heat.error ? (
              <div className={css.surface}>
                <Failed error={heat.error} retry={() => void heat.refetch()} still={list.error ? undefined : "The list below still works."} />
              </div>
            ) : (
              <Skeleton height={262} />
            )}
            {selection && <Compare scope={scope} q={q} text={text} selection={selection} onQuery={setQ} onZoom={() => zoom(selection)} onClose={() => select(null)} />}
            <TraceList list={list} text={text} slowest={sort === "slowest"} selected={!!selection} onWiden={actions.widen} onQuery={setQ} />
          </div>
        </div>
      )}
    </Page>
  );
}

/** The search narrowed to the durations of a selection. */
function within(q: string, s: Selection): string {
  return addTerm(addTerm(q, `duration>=${durationText(s.minNs)}`), `duration<=${durationText(s.maxNs)}`);
}
