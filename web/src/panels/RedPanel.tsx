import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Panel, RedSource } from "@/api/dashboards";
import { newest, useFallback, useLive } from "@/api/live";
import { heatmapQuery, redQuery } from "@/api/queries";
import type { HeatmapAnswer, RedAnswer } from "@/api/types";
import { Heatmap } from "@/charts/Heatmap";
import { colorAt, colorOf } from "@/lib/color";
import { mergeHeatmap, mergeRed, steadyRates } from "@/lib/columns";
import { useBox } from "@/ui/useBox";
import { Skeleton } from "@/ui/States";
import { Bars } from "./Bars";
import { Nothing, type PanelProps, usePanelScope } from "./PanelView";
import { type Line, wordsOf } from "./PromPanel";
import { useDrawn } from "./rows";
import { Series } from "./Series";
import { Gauges, Stats } from "./Stats";
import { Values } from "./Values";
import css from "./panels.module.css";

const UNITS = { rate: "rate", error_ratio: "ratio", p50_ns: "ns", p95_ns: "ns", p99_ns: "ns", latency: "ns" } as const;
const NAMES = { rate: "Requests", error_ratio: "Errors", p50_ns: "p50", p95_ns: "p95", p99_ns: "p99", latency: "Latency" } as const;

/** Requests, errors and latency as traces tell them. */
export function RedPanel(props: PanelProps & { red: RedSource }) {
  return props.panel.type === "heatmap" || props.red.measure === "latency" ? <LatencyHeat {...props} /> : <Measure {...props} />;
}

function Measure({ panel, red, markers, seen }: PanelProps & { red: RedSource }) {
  const scope = usePanelScope(panel);
  const of = { service: red.service || undefined, operation: red.operation || undefined, by: red.by === "none" ? undefined : red.by };
  const live = useLive<RedAnswer>({ kind: "red", env: scope.env, ...of }, { from: scope.range.from, enabled: scope.live && seen, merge: mergeRed });
  const fallback = useFallback(scope.live, live);
  const q = useQuery({ ...redQuery(scope, of), refetchInterval: fallback, enabled: seen && (!scope.live || fallback !== false) });
  const data = newest(live.data, q.data);
  const lines = useMemo(() => (data ? lineOf(data, red) : []), [data, red]);
  useDrawn(data?.range, lines);
  if (!data) return q.error ? <Nothing bad>{wordsOf(q.error)}</Nothing> : <Skeleton height="100%" />;
  if (lines.length === 0) return <Nothing>No requests in this range</Nothing>;
  const drawn: Panel = { ...panel, unit: panel.unit || UNITS[red.measure] };
  switch (panel.type) {
    case "stat":
      return <Stats panel={drawn} range={data.range} lines={lines} />;
    case "gauge":
      return <Gauges panel={drawn} lines={lines} />;
    case "bar":
      return <Bars panel={drawn} lines={lines} />;
    case "table":
      return <Values panel={drawn} lines={lines} />;
    default:
      return <Series panel={drawn} range={data.range} lines={lines} markers={markers} freshAt={live.freshAt} />;
  }
}

function lineOf(data: RedAnswer, red: RedSource): Line[] {
  const measure = red.measure === "latency" ? "p95_ns" : red.measure;
  return data.series.map((s, i) => {
    const values = measure === "rate" ? steadyRates(data.range, s.rate) : s[measure];
    const label = s.key || NAMES[measure];
    return { key: s.key, label, values, labels: s.key ? { [red.by]: s.key } : {}, color: red.by === "service" ? colorOf(s.key) : measure === "error_ratio" && data.series.length === 1 ? "var(--bad)" : colorAt(i) };
  });
}

function LatencyHeat({ panel, red, markers, seen }: PanelProps & { red: RedSource }) {
  const scope = usePanelScope(panel);
  const { ref, height } = useBox<HTMLDivElement>();
  const of = { service: red.service || undefined, operation: red.operation || undefined };
  const live = useLive<HeatmapAnswer>({ kind: "heatmap", env: scope.env, ...of }, { from: scope.range.from, enabled: scope.live && seen, merge: mergeHeatmap });
  const fallback = useFallback(scope.live, live);
  const q = useQuery({ ...heatmapQuery(scope, of), refetchInterval: fallback, enabled: seen && (!scope.live || fallback !== false) });
  const data = newest(live.data, q.data);
  return (
    <div ref={ref} className={css.fill}>
      {!data ? (
        q.error ? <Nothing bad>{wordsOf(q.error)}</Nothing> : <Skeleton height="100%" />
      ) : (
        height > 0 && <Heatmap bare headless title={panel.title || "Latency"} data={data} height={Math.max(60, height - 24)} markers={markers} freshAt={live.freshAt} />
      )}
    </div>
  );
}
