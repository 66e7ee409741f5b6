import { useCallback, useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { Download, WrapText } from "lucide-react";
import { useMarks } from "@/api/marks";
import type { LogHistogramAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { TimeChart } from "@/charts/TimeChart";
import { csv, download } from "@/lib/csv";
import { valuesOf, withEnv } from "@/lib/searchlang";
import { LEVEL_COLOR, LEVELS, level } from "@/lib/severity";
import { fieldOf } from "@/lib/tail";
import { Facets } from "@/search/Facets";
import { SearchLine } from "@/search/SearchLine";
import { isUnclear, Unclear } from "@/search/Unclear";
import { Button } from "@/ui/Button";
import { Page } from "@/ui/Panel";
import { Failed, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { LogListView } from "./LogList";
import { logsRoute } from "./route";
import { type LogList, useHistogram, useLogFacets, useLogList } from "./useLogs";
import css from "./Page.module.css";

const NO_COLUMNS: readonly string[] = [];

export default function LogsPage() {
  const search = logsRoute.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const scope = useScope();
  const text = search.q ?? "";
  const order = search.order ?? "newest";
  const { q, shift } = withEnv(text, scope.env);
  const columns = useMemo(() => search.cols?.split(",").filter(Boolean) ?? NO_COLUMNS, [search.cols]);
  const list = useLogList(scope, q, order);
  const histogram = useHistogram(scope, q);
  const facets = useLogFacets(scope, q);
  const set = useCallback((p: object, replace = false) => void navigate({ search: (o) => ({ ...o, ...p }), replace, resetScroll: false }), [navigate]);
  const setQ = useCallback((next: string) => set({ q: next || undefined, open: undefined }), [set]);
  const setColumns = useCallback((cols: readonly string[]) => set({ cols: cols.join(",") || undefined }), [set]);
  const setOpen = useCallback((open: string | undefined) => set({ open }, true), [set]);

  return (
    <Page
      wide
      title="Logs"
      aside={
        <>
          <Segmented label="Order" value={order} onChange={(v) => set({ order: v === "oldest" ? v : undefined })} options={[{ id: "newest", label: "Newest" }, { id: "oldest", label: "Oldest" }]} />
          <Button pressed={search.wrap === "1"} onClick={() => set({ wrap: search.wrap ? undefined : "1" }, true)}>
            <WrapText size={14} aria-hidden /> Wrap
          </Button>
          <Button disabled={list.records.length === 0} onClick={() => exportLogs(list, columns)}>
            <Download size={14} aria-hidden /> CSV
          </Button>
        </>
      }
    >
      <SearchLine signal="logs" label="Search logs" placeholder='severity>=warn service:checkout "timed out"' value={text} onCommit={setQ} error={list.query.error ?? histogram.error} shift={shift} />
      {isUnclear(list.query.error, histogram.error) ? (
        <Unclear signal="logs" />
      ) : (
        <div className={css.columns}>
          <Facets data={facets.data} q={text} onChange={setQ} />
          <div className={css.main}>
            {histogram.data ? <Histogram data={histogram.data} text={text} /> : histogram.error ? <div className={css.surface}><Failed error={histogram.error} retry={() => void histogram.refetch()} /></div> : <Skeleton height={170} />}
            <LogListView list={list} columns={columns} wrap={search.wrap === "1"} open={search.open} text={text} onOpen={setOpen} onColumns={setColumns} onQuery={setQ} />
          </div>
        </div>
      )}
    </Page>
  );
}

function Histogram({ data, text }: { data: LogHistogramAnswer; text: string }) {
  const services = useMemo(() => valuesOf(text, "service"), [text]);
  const markers = useMarks(useScope(), services);
  const series = useMemo(
    () =>
      LEVELS.flatMap((l) => {
        const counts = data.series.find((s) => s.severity === l)?.counts;
        return counts?.some((n) => n > 0) ? [{ key: l, label: l, values: counts, color: LEVEL_COLOR[l] }] : [];
      }),
    [data],
  );
  return <TimeChart title={data.sampled ? "Records (sampled)" : "Records"} range={data.range} series={series} unit="count" style="stacked" height={96} legend={series.length > 0} markers={markers} />;
}

function exportLogs(list: LogList, columns: readonly string[]) {
  const header = ["time", "severity", "service", "body", "trace_id", "span_id", ...columns];
  const rows = list.records.map((r) => [
    new Date(Number(BigInt(r.ts_ns) / 1_000_000n)).toISOString(), r.severity_text || level(r.severity), r.service, r.body, r.trace_id, r.span_id, ...columns.map((c) => fieldOf(r, c)),
  ]);
  download("logs.csv", csv(header, rows));
}
