import { useMemo } from "react";
import { ApiError } from "@/api/client";
import type { Panel, PromAnswer } from "@/api/dashboards";
import { useProm } from "@/api/prom";
import type { Range } from "@/api/types";
import { useScope } from "@/app/range";
import type { ChartSeries } from "@/charts/model";
import { Heatmap } from "@/charts/Heatmap";
import { colorAt, colorOf } from "@/lib/color";
import { heatOf, legends } from "@/lib/dash/prom";
import { SCALE } from "@/lib/heat";
import { useBox } from "@/ui/useBox";
import { Skeleton } from "@/ui/States";
import { Bars, Histogram } from "./Bars";
import { Nothing, type PanelProps } from "./PanelView";
import { useDrawn } from "./rows";
import { Series } from "./Series";
import { Gauges, Stats } from "./Stats";
import { Values } from "./Values";
import css from "./panels.module.css";

/** A series with its name, as all pictures of PromQL draw it. */
export interface Line extends ChartSeries {
  labels: Record<string, string>;
}

/** Pictures that need the newest value only, where no query asks for another. */
const MOMENTARY = new Set<Panel["type"]>(["bar", "gauge", "table"]);

/** PromQL, drawn as the panel's type wants it. */
export function PromPanel({ panel, markers, seen }: PanelProps) {
  const queries = useMemo(() => panel.queries.filter((q) => !q.hidden && q.expr.trim() !== ""), [panel.queries]);
  const exprs = useMemo(() => queries.map((q) => q.expr), [queries]);
  const instant = queries.length > 0 && (queries.every((q) => q.instant) || (MOMENTARY.has(panel.type) && panel.reduce === "last"));
  const { data, error, freshAt } = useProm(exprs, useScope(), { range: panel.range || undefined, instant, enabled: seen });
  const lines = useMemo(() => (data ? linesOf(data, queries) : []), [data, queries]);
  useDrawn(data?.range, lines);
  if (exprs.length === 0) return <Nothing>No query yet</Nothing>;
  if (!data) return error ? <Nothing bad>{wordsOf(error)}</Nothing> : <Skeleton height="100%" />;
  const refused = data.results.find((r) => r.error)?.error;
  if (lines.length === 0) return refused ? <Nothing bad>{refused}</Nothing> : <Nothing>No data in this range</Nothing>;
  const more = data.results.reduce((n, r) => n + r.more, 0);
  return (
    <div className={css.prom}>
      {(refused || more > 0) && (
        <p className={css.notice} role="status">
          {refused ?? `The ${lines.length} largest series; ${more} more are not shown`}
        </p>
      )}
      <div className={css.picture}>
        <Picture panel={panel} range={data.range} lines={lines} markers={markers} freshAt={freshAt} />
      </div>
    </div>
  );
}

function Picture({ panel, range, lines, markers, freshAt }: { panel: Panel; range: Range; lines: readonly Line[]; markers: PanelProps["markers"]; freshAt: number }) {
  switch (panel.type) {
    case "stat":
      return <Stats panel={panel} range={range} lines={lines} />;
    case "gauge":
      return <Gauges panel={panel} lines={lines} />;
    case "bar":
      return <Bars panel={panel} lines={lines} />;
    case "histogram":
      return <Histogram panel={panel} lines={lines} />;
    case "table":
      return <Values panel={panel} lines={lines} />;
    case "heatmap":
      return <Heat panel={panel} range={range} lines={lines} markers={markers} freshAt={freshAt} />;
    default:
      return <Series panel={panel} range={range} lines={lines} markers={markers} freshAt={freshAt} />;
  }
}

function Heat({ panel, range, lines, markers, freshAt }: { panel: Panel; range: Range; lines: readonly Line[]; markers: PanelProps["markers"]; freshAt: number }) {
  const { ref, height } = useBox<HTMLDivElement>();
  const heat = useMemo(() => {
    const h = heatOf(range, lines.map((l) => ({ labels: l.labels, values: [...l.values] })));
    return h && { ...h, bounds_ns: h.bounds_ns.map((b) => b * SCALE) };
  }, [range, lines]);
  return (
    <div ref={ref} className={css.fill}>
      {heat && height > 0 && <Heatmap bare headless lineless title={panel.title} data={heat} unit={panel.unit || "count"} height={Math.max(60, height - 24)} markers={markers} freshAt={freshAt} />}
    </div>
  );
}

export function linesOf(data: PromAnswer, queries: readonly { legend: string }[]): Line[] {
  const out: Line[] = [];
  data.results.forEach((r, k) => {
    const names = legends(r.series, queries[k]?.legend ?? "");
    r.series.forEach((s, i) => out.push({ key: `${k} ${names[i]} ${JSON.stringify(s.labels)}`, label: names[i]!, values: s.values, labels: s.labels }));
  });
  const lasting = lastingColours(out);
  return out.map((l, i) => ({ ...l, color: lasting ? colorOf(l.label) : colorAt(i) }));
}

/** Services keep their colour of every page as long as these tell the lines apart. */
function lastingColours(lines: readonly Line[]): boolean {
  if (lines.length === 0 || !lines.every((l) => l.label === (l.labels.service_name ?? l.labels.service ?? ""))) return false;
  return new Set(lines.map((l) => colorOf(l.label))).size === lines.length;
}

export function wordsOf(error: unknown): string {
  if (error instanceof ApiError) return error.detail ?? error.message;
  return error instanceof Error ? error.message : "Something went wrong";
}
