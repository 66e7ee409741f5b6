import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { newest, useFallback, useLive } from "@/api/live";
import { useBands } from "@/api/bands";
import { heatmapQuery, redQuery } from "@/api/queries";
import type { BandsAnswer, HeatmapAnswer, RedAnswer, VersionRow } from "@/api/types";
import { around, durationText, query, tracesSearch } from "@/app/links";
import { useScope } from "@/app/range";
import { Heatmap } from "@/charts/Heatmap";
import type { Marker } from "@/charts/model";
import { TimeChart } from "@/charts/TimeChart";
import { bandOver, marksOver } from "@/lib/bands";
import { mergeHeatmap, mergeRed, steadyRates } from "@/lib/columns";
import { Failed, Skeleton } from "@/ui/States";
import { serviceRoute } from "./route";
import css from "./Page.module.css";

interface Props {
  service: string;
  /** The service and what it is narrowed to, as a trace search. */
  filter: string;
  versions: readonly VersionRow[];
}

/** Requests, errors and latency, live. Each leads to the traces behind it. */
export function Charts({ service, filter, versions }: Props) {
  return (
    <>
      <RequestsAndErrors service={service} filter={filter} versions={versions} />
      <Latency service={service} filter={filter} />
    </>
  );
}

function useSelection(service: string) {
  const { operation, version, instance } = serviceRoute.useSearch();
  return { service, operation, version, instance };
}

function RequestsAndErrors({ service, filter, versions }: Props) {
  const scope = useScope();
  const navigate = useNavigate();
  const selection = useSelection(service);
  const live = useLive<RedAnswer>({ kind: "red", env: scope.env, ...selection }, { from: scope.range.from, enabled: scope.live, merge: mergeRed });
  const q = useQuery({ ...redQuery(scope, selection), refetchInterval: useFallback(scope.live, live) });
  const data = newest(live.data, q.data);
  const plain = !selection.version && !selection.instance;
  const traffic = useBands(scope, { ...selection, symptom: "traffic" }, plain);
  const errors = useBands(scope, { ...selection, symptom: "errors" }, plain);
  const marks = useMemo(() => (data ? [marksOf(data, traffic, versions), marksOf(data, errors, versions)] : [[], []]), [data, traffic, errors, versions]);
  const bands = useMemo(() => [data && bandOver(data.range, traffic), data && bandOver(data.range, errors)], [data, traffic, errors]);
  if (!data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} still="The tables below are asked for separately." /> : <ChartSkeletons />;
  const s = data.series[0];
  const open = (more: string) => (at: number, step: number) => void navigate(tracesSearch(query(filter, more), around(at, step)));
  const common = { range: data.range, height: 150, freshAt: live.freshAt, legend: false };
  return (
    <div className={css.row}>
      <TimeChart {...common} title="Requests" unit="rate" markers={marks[0]} band={bands[0]} onPoint={open("")} series={[{ key: "rate", label: "Requests", values: s ? steadyRates(data.range, s.rate) : [], color: "var(--accent)", fill: true }]} />
      <TimeChart {...common} title="Errors" unit="ratio" markers={marks[1]} band={bands[1]} onPoint={open("status:error")} series={[{ key: "errors", label: "Errors", values: s?.error_ratio ?? [], color: "var(--bad)", fill: true }]} />
    </div>
  );
}

/** Incidents, and deploys as detection noticed them; until it answers, as the versions tell. */
function marksOf(data: RedAnswer, b: BandsAnswer | undefined, versions: readonly VersionRow[]): Marker[] {
  const marks = marksOver(data.range, b);
  return marks.some((m) => m.kind === "deploy") ? marks : [...marks, ...deploys(versions, data)];
}

/** A version first seen inside the range is a deploy; the first one ever is not. */
function deploys(versions: readonly VersionRow[], data: RedAnswer | undefined): Marker[] {
  if (!data || versions.length < 2) return [];
  const oldest = Math.min(...versions.map((v) => v.first_seen_ms));
  return versions
    .filter((v) => v.version && v.first_seen_ms > oldest && v.first_seen_ms > data.range.from_ms + data.range.step_ms)
    .map((v) => ({ at: v.first_seen_ms, label: v.version, kind: "deploy" }));
}

function Latency({ service, filter }: { service: string; filter: string }) {
  const scope = useScope();
  const navigate = useNavigate();
  const { operation, version, instance } = useSelection(service);
  const usual = useBands(scope, { service, operation, symptom: "latency" }, !version && !instance);
  // A version's heatmap has no live stream; it is asked for again instead.
  const streams = scope.live && !version;
  const live = useLive<HeatmapAnswer>({ kind: "heatmap", service, operation, env: scope.env }, { from: scope.range.from, enabled: streams, merge: mergeHeatmap });
  const fallback = useFallback(scope.live, live);
  const q = useQuery({ ...heatmapQuery(scope, { service, operation, version }), refetchInterval: scope.live && version ? 5_000 : fallback });
  const data = newest(live.data, q.data);
  const band = useMemo(() => data && bandOver(data.range, usual), [data, usual]);
  const marks = useMemo(() => (data ? marksOver(data.range, usual) : []), [data, usual]);
  if (!data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} /> : <Skeleton height={280} />;
  return (
    <Heatmap
      title="Latency"
      data={data}
      height={220}
      freshAt={live.freshAt}
      band={band}
      markers={marks}
      note="drag a rectangle to see its traces"
      onSelect={(s) =>
        void navigate(
          tracesSearch(query(filter, `duration>=${durationText(s.minNs)}`, `duration<=${durationText(s.maxNs)}`), { from: String(s.fromMs), to: String(s.toMs) }),
        )
      }
    />
  );
}

function ChartSkeletons() {
  return (
    <div className={css.row}>
      <Skeleton height={210} />
      <Skeleton height={210} />
    </div>
  );
}
