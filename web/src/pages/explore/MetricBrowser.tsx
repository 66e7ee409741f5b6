import { useEffect, useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight } from "lucide-react";
import type { PromMetric } from "@/api/dashboards";
import { labelValues, promMetricsQuery } from "@/api/prom";
import { jobFilter } from "@/lib/chartspec";
import { build, suggested, unitOf } from "@/lib/dash/builder";
import { newPanel } from "@/lib/dash/model";
import { integer, plural } from "@/lib/format";
import { PanelView } from "@/panels/PanelView";
import { SearchField } from "@/ui/SearchField";
import { Query, SkeletonRows } from "@/ui/States";
import css from "./MetricBrowser.module.css";

interface Props {
  q: string;
  onQuery: (q: string) => void;
  /** Only what this service sends. */
  service: string | undefined;
  onService: (service: string) => void;
  chosen: string | undefined;
  onChoose: (m: PromMetric) => void;
  open: boolean;
}

const ROW = 44;

/** Every name that PromQL knows: what it measures, how many series it has, and what it looks like. */
export function MetricBrowser({ q, onQuery, service, onService, chosen, onChoose, open: begin }: Props) {
  const [open, setOpen] = useState(begin);
  const [looked, setLooked] = useState<PromMetric | null>(null);
  const all = useQuery(promMetricsQuery(q));
  const sent = useNamesOf(service);
  const list = { ...all, data: useMemo(() => (all.data && sent ? { ...all.data, metrics: all.data.metrics.filter((m) => sent.has(m.name)) } : all.data), [all.data, sent]) };
  const choose = (m: PromMetric) => (setOpen(false), onChoose(m));
  const shown = looked ?? list.data?.metrics.find((m) => m.name === chosen) ?? null;
  return (
    <section className={css.browser} aria-label="Metrics">
      <button type="button" className={css.narrow} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />} Choose a metric
        {all.data && <span className={css.facts}>{plural(all.data.metrics.length, "name")}</span>}
      </button>
      <div className={css.body} data-open={open || undefined}>
        <div className={css.head}>
          <SearchField label="Search metrics" value={q} onChange={onQuery} placeholder="Name or description" />
          <Services value={service ?? ""} onChange={onService} />
        </div>
        <Query query={list} skeleton={<SkeletonRows rows={10} height={ROW} />}>
          {(data) => (
            <>
              <List metrics={data.metrics} chosen={chosen} onChoose={choose} onLook={setLooked} />
              <p className={css.count}>{data.metrics.length === 0 ? "No metric matches" : `${plural(data.metrics.length, "metric")}${data.more ? "; search to find the others" : ""}`}</p>
            </>
          )}
        </Query>
        {shown && <About metric={shown} />}
      </div>
    </section>
  );
}

const RANGE = { from: "now-2h", to: "now" };
/** A job may be namespace/service. */
const serviceOf = (job: string) => job.slice(job.indexOf("/") + 1);

function useNamesOf(service: string | undefined): ReadonlySet<string> | undefined {
  const match = `{job=~${JSON.stringify(jobFilter(service ?? "").value)}}`;
  const q = useQuery({ queryKey: ["label-values", "__name__", match], queryFn: ({ signal }) => labelValues("__name__", match, RANGE, signal), enabled: !!service, staleTime: 60_000 });
  return useMemo(() => (service && q.data ? new Set(q.data) : undefined), [service, q.data]);
}

function Services({ value, onChange }: { value: string; onChange: (service: string) => void }) {
  const q = useQuery({ queryKey: ["label-values", "job", ""], queryFn: ({ signal }) => labelValues("job", "", RANGE, signal), staleTime: 60_000 });
  const services = [...new Set([...(q.data ?? []).map(serviceOf), value].filter(Boolean))].sort();
  return (
    <select className={css.service} aria-label="Sent by" value={value} onChange={(e) => onChange(e.target.value)}>
      <option value="">All services</option>
      {services.map((s) => (
        <option key={s}>{s}</option>
      ))}
    </select>
  );
}

function List({ metrics, chosen, onChoose, onLook }: { metrics: readonly PromMetric[]; chosen: string | undefined; onChoose: (m: PromMetric) => void; onLook: (m: PromMetric | null) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const virtual = useVirtualizer({ count: metrics.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 8 });
  useEffect(() => void scroller.current?.scrollTo({ top: 0 }), [metrics.length]);
  useEffect(() => () => clearTimeout(timer.current), []);
  // Passing over rows asks nothing; resting on one does.
  const look = (m: PromMetric) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onLook(m), 250);
  };
  return (
    <div ref={scroller} className={css.scroller} onMouseLeave={() => clearTimeout(timer.current)}>
      <ul style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((v) => {
          const m = metrics[v.index]!;
          return (
            <li key={m.name} className={css.item} style={{ height: ROW, transform: `translateY(${v.start}px)` }} aria-setsize={metrics.length} aria-posinset={v.index + 1}>
              <button type="button" className={css.metric} aria-pressed={m.name === chosen} onClick={() => (onLook(null), onChoose(m))} onMouseEnter={() => look(m)} onFocus={() => look(m)}>
                <span className={css.name}>{m.name}</span>
                <span className={css.facts}>
                  {m.type}
                  {m.unit && m.unit !== "1" && ` · ${m.unit}`} · {integer(m.series)} series
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function About({ metric: m }: { metric: PromMetric }) {
  const panel = useMemo(() => {
    const b = suggested(m);
    return { ...newPanel("timeseries" as const, "example"), title: m.name, unit: unitOf(b, [m]), legend: "hidden" as const, queries: [{ expr: build(b), legend: "", instant: false, hidden: false }] };
  }, [m]);
  return (
    <div className={css.about} data-testid="metric-about">
      <p className={css.aboutName}>{m.name}</p>
      {m.otel && <p className={css.facts}>sent as {m.otel}</p>}
      {m.help && <p className={css.help}>{m.help}</p>}
      <div className={css.example}>
        <PanelView key={m.name} panel={panel} markers={[]} seen />
      </div>
    </div>
  );
}
