import { useCallback, useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { scoped, statusQuery } from "@/api/queries";
import type { MetricsAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { type ChartSpec, decodeCharts, encodeCharts, MAX_CHARTS } from "@/lib/chartspec";
import { Page } from "@/ui/Panel";
import { Empty } from "@/ui/States";
import { Browser } from "./Browser";
import { MetricChart } from "./MetricChart";
import { metricsRoute } from "./route";
import css from "./Page.module.css";

const LIST_POLL_MS = 30_000;
/** Someone may just have turned metrics on and be waiting for the first. */
const EMPTY_POLL_MS = 3_000;

export default function MetricsPage() {
  const search = metricsRoute.useSearch();
  const navigate = useNavigate({ from: "/metrics/explore" });
  const scope = useScope();
  const charts = useMemo(() => decodeCharts(search.charts), [search.charts]);
  const list = useQuery({
    ...scoped<MetricsAnswer>("/metrics", scope, { q: search.q, service: search.service }),
    refetchInterval: (query) => scope.live && (query.state.data?.metrics.length ? LIST_POLL_MS : EMPTY_POLL_MS),
  });
  const setCharts = useCallback(
    (next: readonly ChartSpec[], replace = false) => void navigate({ search: (o) => ({ ...o, charts: encodeCharts(next) || undefined }), replace, resetScroll: false }),
    [navigate],
  );
  const toggle = (name: string) => {
    const without = charts.filter((c) => c.name !== name);
    const added: ChartSpec = { name, agg: "auto", by: [], filter: [] };
    setCharts(without.length < charts.length ? without : [added, ...charts].slice(0, MAX_CHARTS));
  };
  return (
    <Page wide title="Metrics">
      <div className={css.columns}>
        <Browser
          list={list}
          q={search.q ?? ""}
          service={search.service}
          shown={charts}
          onQuery={(q) => void navigate({ search: (o) => ({ ...o, q: q || undefined }), replace: true, resetScroll: false })}
          onService={(service) => void navigate({ search: (o) => ({ ...o, service: service || undefined }), resetScroll: false })}
          onToggle={toggle}
        />
        <div className={css.main}>
          {charts.length === 0 && <Nothing any={(list.data?.metrics.length ?? 0) > 0 || !!search.q || !!search.service || list.isPending} />}
          {charts.map((spec, i) => (
            <MetricChart
              key={`${i} ${spec.name}`}
              spec={spec}
              info={list.data?.metrics.find((m) => m.name === spec.name)}
              onChange={(next) => setCharts(charts.map((c, k) => (k === i ? next : c)))}
              onRemove={() => setCharts(charts.filter((_, k) => k !== i))}
              onDuplicate={charts.length < MAX_CHARTS ? () => setCharts([...charts.slice(0, i + 1), spec, ...charts.slice(i + 1)]) : undefined}
            />
          ))}
        </div>
      </div>
    </Page>
  );
}

function Nothing({ any }: { any: boolean }) {
  const status = useQuery(statusQuery());
  if (any) {
    return (
      <div className={css.surface}>
        <Empty title="Choose a metric">Each one chosen becomes a chart here; the address keeps them all, so that a link shows the same charts.</Empty>
      </div>
    );
  }
  return (
    <div className={css.surface}>
      <Empty title="No metrics in this range" command={status.data ? `export OTEL_METRICS_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=${status.data.otlp_http}` : undefined}>
        Metrics sent over OTLP or by Prometheus remote write appear here. For most OpenTelemetry SDKs this turns them on:
      </Empty>
    </div>
  );
}
