import { useMemo, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { watchedBandsQuery, watchedQuery } from "@/api/bands";
import type { WatchedMetric } from "@/api/types";
import { useScope, useSpan } from "@/app/range";
import { TimeChart } from "@/charts/TimeChart";
import { marksOver } from "@/lib/bands";
import { encodeCharts } from "@/lib/chartspec";
import { plural } from "@/lib/format";
import { chartColumns, unitOf } from "@/lib/incident";
import { Button } from "@/ui/Button";
import { Empty, Failed, Query, Skeleton } from "@/ui/States";
import css from "./Metrics.module.css";

const SHOWN = 12;
const HEIGHT = 140;
/** Up to here a chart has a point a minute, as metrics are judged. */
const BY_MINUTE_MS = 12 * 3_600_000;

/** What the service is known by beside its requests (CPU, memory, runtime, pools, queues, caches), with what was expected. */
export function Metrics({ service, first }: { service: string; first?: string }) {
  const scope = useScope();
  const [all, setAll] = useState(false);
  const q = useQuery(watchedQuery(scope, service));
  const explore = (
    <Link to="/explore" search={{ service }} className="link">
      All its metrics
    </Link>
  );
  return (
    <Query query={q} skeleton={<Skeleton height={300} />}>
      {({ metrics }) => {
        if (metrics.length === 0) {
          return (
            <Empty title="Nothing is watched here yet" action={explore}>
              CPU, memory, runtime, connection pools, queue lag and cache hits are watched with no configuration once {service} sends them for a few minutes.
            </Empty>
          );
        }
        const ordered = [...metrics.filter((m) => m.metric === first), ...metrics.filter((m) => m.metric !== first)];
        return (
          <div className={css.metrics}>
            <div className={css.head}>
              <span className={css.note}>Judged by the minute; the shade is what was expected. Of several instances the worst one counts.</span>
              {explore}
            </div>
            <div className={css.grid}>
              {ordered.slice(0, all ? undefined : SHOWN).map((m) => (
                <Chart key={[m.env, m.metric, m.label, m.peer].join("\u0000")} service={service} metric={m} />
              ))}
            </div>
            {metrics.length > SHOWN && !all && (
              <Button size="sm" onClick={() => setAll(true)}>
                {plural(metrics.length - SHOWN, "more chart")}
              </Button>
            )}
          </div>
        );
      }}
    </Query>
  );
}

function Chart({ service, metric: m }: { service: string; metric: WatchedMetric }) {
  const scope = useScope();
  const span = useSpan();
  const q = useQuery({ ...watchedBandsQuery(scope, service, m, span.to - span.from <= BY_MINUTE_MS ? "1m" : undefined) });
  const drawn = useMemo(() => q.data && chartColumns(q.data), [q.data]);
  const marks = useMemo(() => (drawn && q.data ? marksOver(drawn.range, q.data) : []), [drawn, q.data]);
  const title = [m.what[0]!.toUpperCase() + m.what.slice(1), m.peer, m.label].filter(Boolean).join(" · ");
  if (!q.data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} still="The other charts are asked for separately." /> : <Skeleton height={HEIGHT + 70} />;
  if (!drawn || drawn.value.every((v) => v === null)) return <Empty title={title}>No points in this range.</Empty>;
  const band = drawn.upper.some((v) => v !== null) ? { lower: drawn.lower, upper: drawn.upper, label: "expected" } : undefined;
  return (
    <TimeChart
      title={`${title} of ${service}`}
      heading={
        <span title={`${m.metric}${m.history_days < 1 ? ", learned for less than a day" : ""}`}>
          {title} <code className={css.name}>{m.metric}</code>
        </span>
      }
      range={drawn.range}
      unit={unitOf(m.unit)}
      height={HEIGHT}
      legend={false}
      band={band}
      markers={marks}
      series={[{ key: m.metric, label: title, values: drawn.value, color: "var(--accent)" }]}
      aside={
        <Link to="/metrics/explore" search={{ charts: encodeCharts([{ name: m.metric, agg: "auto", by: [], filter: [`service:${service}`] }]) }} className="link">
          Explore
        </Link>
      }
    />
  );
}
