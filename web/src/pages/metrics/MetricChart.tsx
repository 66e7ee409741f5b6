import { type FormEvent, useId, useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Copy, X } from "lucide-react";
import { get } from "@/api/client";
import { newest, useFallback, useLive } from "@/api/live";
import { useMarks } from "@/api/marks";
import { scoped } from "@/api/queries";
import type { FieldValuesAnswer, MetricChartAnswer, MetricInfo } from "@/api/types";
import { useScope } from "@/app/range";
import { TimeChart } from "@/charts/TimeChart";
import { type Aggregation, aggregationsFor, AGGREGATIONS, type ChartSpec } from "@/lib/chartspec";
import { colorAt, colorOf } from "@/lib/color";
import { plural } from "@/lib/format";
import { metricUnit } from "@/lib/metricunit";
import { IconButton } from "@/ui/Button";
import { Empty, Failed, Skeleton } from "@/ui/States";
import css from "./MetricChart.module.css";

interface Props {
  spec: ChartSpec;
  info: MetricInfo | undefined;
  onChange: (spec: ChartSpec) => void;
  onRemove: () => void;
  onDuplicate?: () => void;
}

const NO_SERVICES: readonly string[] = [];
const HEIGHT = 200;
const MAX_SERIES = 20;

/** One metric over time: how it is summed up, by what it is split, what it is narrowed to. */
export function MetricChart({ spec, info, onChange, onRemove, onDuplicate }: Props) {
  return (
    <section className={css.card} aria-label={spec.name} data-testid="metric-chart">
      <header className={css.head}>
        <div className={css.titles}>
          <h2 className={css.title}>{spec.name}</h2>
          {info?.description && <p className={css.description}>{info.description}</p>}
        </div>
        {onDuplicate && (
          <IconButton size="sm" label="Duplicate the chart" onClick={onDuplicate}>
            <Copy size={14} />
          </IconButton>
        )}
        <IconButton size="sm" label="Remove the chart" onClick={onRemove}>
          <X size={14} />
        </IconButton>
      </header>
      <Controls spec={spec} info={info} onChange={onChange} />
      <Plot spec={spec} services={info?.services ?? NO_SERVICES} />
    </section>
  );
}

function Controls({ spec, info, onChange }: Pick<Props, "spec" | "info" | "onChange">) {
  const offered = info ? aggregationsFor(info.type, info.monotonic) : AGGREGATIONS;
  const aggs = offered.includes(spec.agg) ? offered : [...offered, spec.agg];
  const labels = useMemo(() => [...new Set(["service", ...(info?.labels ?? [])])].filter((l) => !spec.by.includes(l)), [info, spec.by]);
  return (
    <div className={css.controls}>
      <label className={css.control}>
        Show
        <select className={css.select} value={spec.agg} onChange={(e) => onChange({ ...spec, agg: e.target.value as Aggregation })}>
          {aggs.map((a) => (
            <option key={a}>{a}</option>
          ))}
        </select>
      </label>
      <div className={css.control} role="group" aria-label="Split by">
        by
        {spec.by.map((l) => (
          <Chip key={l} text={l} label={`Do not split by ${l}`} onRemove={() => onChange({ ...spec, by: spec.by.filter((x) => x !== l) })} />
        ))}
        {labels.length > 0 && (
          <select className={css.select} aria-label="Split by a label" value="" onChange={(e) => e.target.value && onChange({ ...spec, by: [...spec.by, e.target.value] })}>
            <option value="">{spec.by.length ? "+ label" : "nothing"}</option>
            {labels.map((l) => (
              <option key={l}>{l}</option>
            ))}
          </select>
        )}
      </div>
      <Filters spec={spec} info={info} onChange={onChange} />
    </div>
  );
}

function Chip({ text, label, onRemove }: { text: string; label: string; onRemove: () => void }) {
  return (
    <span className={css.chip}>
      {text}
      <button type="button" aria-label={label} onClick={onRemove}>
        <X size={12} />
      </button>
    </span>
  );
}

function Filters({ spec, info, onChange }: Pick<Props, "spec" | "info" | "onChange">) {
  const [text, setText] = useState("");
  const id = useId();
  const { range } = useScope();
  const cut = text.indexOf(":");
  const key = cut > 0 ? text.slice(0, cut) : "";
  const values = useQuery({
    queryKey: ["/fields/values", "metrics", key, text.slice(cut + 1), range.from, range.to],
    queryFn: ({ signal }) => get<FieldValuesAnswer>("/fields/values", { signal: "metrics", key, q: text.slice(cut + 1), from: range.from, to: range.to }, signal),
    enabled: key !== "",
    staleTime: 60_000,
  });
  const add = (e: FormEvent) => {
    e.preventDefault();
    const filter = text.trim();
    if (cut <= 0 || cut === filter.length - 1) return;
    if (!spec.filter.includes(filter)) onChange({ ...spec, filter: [...spec.filter, filter] });
    setText("");
  };
  const options = key ? (values.data?.values ?? []).map((v) => `${key}:${v.value}`) : ["service", ...(info?.labels ?? [])].map((l) => `${l}:`);
  return (
    <form className={css.control} onSubmit={add} aria-label="Filters">
      where
      {spec.filter.map((f) => (
        <Chip key={f} text={f} label={`Remove the filter ${f}`} onRemove={() => onChange({ ...spec, filter: spec.filter.filter((x) => x !== f) })} />
      ))}
      <input className={css.input} list={id} value={text} onChange={(e) => setText(e.target.value)} placeholder="label:value" aria-label="Add a filter" spellCheck={false} autoComplete="off" />
      <datalist id={id}>
        {options.map((o) => (
          <option key={o} value={o} />
        ))}
      </datalist>
    </form>
  );
}

function Plot({ spec, services }: { spec: ChartSpec; services: readonly string[] }) {
  const scope = useScope();
  const named = useMemo(() => spec.filter.flatMap((f) => (f.startsWith("service:") ? [f.slice("service:".length)] : [])), [spec.filter]);
  const markers = useMarks(scope, named.length ? named : services);
  // The environment is one more filter: a metric has no column for it.
  const filter = useMemo(() => (scope.env ? [...spec.filter, `env:${scope.env}`] : [...spec.filter]), [spec.filter, scope.env]);
  const by = spec.by.join(",") || undefined;
  const live = useLive<MetricChartAnswer>({ kind: "metric", name: spec.name, agg: spec.agg, by, filter }, { from: scope.range.from, enabled: scope.live });
  const q = useQuery({ ...scoped<MetricChartAnswer>("/metrics/chart", scope, { name: spec.name, agg: spec.agg, by, filter, limit: MAX_SERIES, env: undefined }), refetchInterval: useFallback(scope.live, live) });
  const data = newest(live.data, q.isPlaceholderData ? undefined : q.data) ?? q.data;
  const series = useMemo(() => data?.series.map((s, i) => line(s, spec, i, byName(data, spec), data.series.length)) ?? [], [data, spec]);
  if (!data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} still="The other charts are asked for separately." /> : <Skeleton height={HEIGHT + 30} />;
  if (data.series.length === 0) return <Empty title="No points in this range">{spec.filter.length ? "No series has these labels." : "Nothing was received for it in this range; choose a wider one."}</Empty>;
  return (
    <>
      <TimeChart bare title={about(data, spec)} range={data.range} series={series} unit={metricUnit(data.unit)} height={HEIGHT} freshAt={live.freshAt} legend={series.length > 1} markers={markers} />
      {data.more > 0 && <p className={css.more}>The {series.length} largest are shown; {plural(data.more, "other series", "other series")} are not. Narrow with a filter.</p>}
    </>
  );
}

function about(data: MetricChartAnswer, spec: ChartSpec): string {
  return `${data.agg}${spec.by.length ? ` by ${spec.by.join(", ")}` : ""}`;
}

/** Services keep their lasting colours as long as these tell the lines apart. */
function byName(data: MetricChartAnswer, spec: ChartSpec): boolean {
  if (spec.by.length !== 1 || spec.by[0] !== "service") return false;
  return new Set(data.series.map((s) => colorOf(s.labels.service ?? ""))).size === data.series.length;
}

function line(s: MetricChartAnswer["series"][number], spec: ChartSpec, i: number, lasting: boolean, n: number) {
  const label = spec.by.length ? spec.by.map((k) => s.labels[k] || "(none)").join(" · ") : Object.values(s.labels).join(" · ") || spec.name;
  const color = lasting ? colorOf(label) : colorAt(i);
  return { key: `${label} ${i}`, label, values: s.values, color, fill: n === 1 };
}
