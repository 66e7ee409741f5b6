import { useEffect, useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Check, ChevronDown, ChevronRight } from "lucide-react";
import { servicesQuery } from "@/api/queries";
import type { MetricInfo, MetricsAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import type { ChartSpec } from "@/lib/chartspec";
import { integer, plural } from "@/lib/format";
import { SearchField } from "@/ui/SearchField";
import { Query, SkeletonRows } from "@/ui/States";
import css from "./Page.module.css";

interface Props {
  list: { data: MetricsAnswer | undefined; error: unknown; isPending: boolean; refetch: () => unknown };
  q: string;
  service: string | undefined;
  shown: readonly ChartSpec[];
  onQuery: (q: string) => void;
  onService: (service: string) => void;
  onToggle: (name: string) => void;
}

const ROW = 58;

/** Every metric seen in the range: what it measures, and how many series it has. */
export function Browser({ list, q, service, shown, onQuery, onService, onToggle }: Props) {
  // On a narrow screen the charts come first once there are any.
  const [open, setOpen] = useState(shown.length === 0);
  return (
    <section className={css.browser} aria-label="Metrics seen">
      <button type="button" className={css.narrow} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />} Choose metrics
      </button>
      <div className={css.browserBody} data-open={open || undefined}>
        <div className={css.browserHead}>
          <SearchField label="Search metrics" value={q} onChange={onQuery} placeholder="Name or description" />
          <ServiceSelect value={service} onChange={onService} />
        </div>
        <Query query={list} skeleton={<SkeletonRows rows={8} height={ROW} />}>
          {(data) => (
            <>
              <List metrics={data.metrics} shown={shown} onToggle={onToggle} />
              <p className={css.count}>
                {data.metrics.length === 0 ? (q || service ? "No metric matches" : "No metrics in this range") : `${plural(data.metrics.length, "metric")}${data.more ? "; search to find the others" : ""}`}
              </p>
            </>
          )}
        </Query>
      </div>
    </section>
  );
}

function ServiceSelect({ value, onChange }: { value: string | undefined; onChange: (service: string) => void }) {
  const services = useQuery(servicesQuery(useScope())).data?.services ?? [];
  const names = useMemo(() => [...new Set([...services.map((s) => s.service), ...(value ? [value] : [])])].sort(), [services, value]);
  return (
    <select className={css.select} aria-label="Service" value={value ?? ""} onChange={(e) => onChange(e.target.value)}>
      <option value="">All services</option>
      {names.map((n) => (
        <option key={n}>{n}</option>
      ))}
    </select>
  );
}

function List({ metrics, shown, onToggle }: { metrics: readonly MetricInfo[]; shown: readonly ChartSpec[]; onToggle: (name: string) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: metrics.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 8 });
  const active = useMemo(() => new Set(shown.map((s) => s.name)), [shown]);
  useEffect(() => void scroller.current?.scrollTo({ top: 0 }), [metrics.length]);
  return (
    <div ref={scroller} className={css.scroller}>
      <ul style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((v) => {
          const m = metrics[v.index]!;
          return (
            <li key={m.name} className={css.item} style={{ height: ROW, transform: `translateY(${v.start}px)` }} aria-setsize={metrics.length} aria-posinset={v.index + 1}>
              <button type="button" className={css.metric} aria-pressed={active.has(m.name)} onClick={() => onToggle(m.name)} title={m.description}>
                <span className={css.metricName}>
                  {m.name}
                  {active.has(m.name) && <Check size={13} aria-hidden />}
                </span>
                <span className={css.metricAbout}>{m.description || m.services.slice(0, 3).join(", ")}</span>
                <span className={css.metricFacts}>
                  {m.type.replace("_", " ")}
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
