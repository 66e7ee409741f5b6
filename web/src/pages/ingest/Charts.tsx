import { useMemo } from "react";
import type { IngestHistory } from "@/api/types";
import { TimeChart } from "@/charts/TimeChart";
import type { ChartSeries } from "@/charts/model";
import { gapsForZero, rangeOf, windowOf } from "@/lib/ingest";
import { ChartGrid } from "@/ui/Panel";

const SIGNALS = ["traces", "logs", "metrics", "profiles"];

/** The last quarter of an hour of this process, whatever range the page's other views have. */
export function Charts({ h, freshAt }: { h: IngestHistory; freshAt: number }) {
  const range = useMemo(() => rangeOf(h), [h]);
  const shown = useMemo(() => windowOf(h), [h]);
  const series = useMemo(() => seriesOf(h), [h]);
  const frame = { range, window: shown, freshAt, height: 140 };
  return (
    <ChartGrid min={300}>
      <TimeChart {...frame} title="Accepted" unit="rate" series={series.items} />
      <TimeChart {...frame} title="Volume" unit="bytes/s" series={series.bytes} />
      <TimeChart {...frame} title="Time to the acknowledgement, p99" unit="ms" series={series.acks} />
      <TimeChart {...frame} title="A span's end to its visibility, p95" unit="ms" series={series.lag} />
      <TimeChart {...frame} title="Refused requests" unit="rate" series={series.refused} />
      <TimeChart {...frame} title="On disk and in flight" unit="bytes" series={series.waiting} />
    </ChartGrid>
  );
}

function seriesOf(h: IngestHistory) {
  type Column = "items_per_s" | "bytes_per_s" | "refused_per_s" | "ack_p99_ms";
  const of = (column: Column, gaps = false): ChartSeries[] => {
    const all = SIGNALS.filter((s) => h.signals[s]).map((s) => ({ key: s, label: s, values: gaps ? gapsForZero(h.signals[s]![column]) : h.signals[s]![column] }));
    const some = all.filter((s) => s.values.some((v) => v));
    return some.length > 0 ? some : all.slice(0, 1);
  };
  return {
    items: of("items_per_s"),
    bytes: of("bytes_per_s"),
    acks: of("ack_p99_ms", true),
    refused: of("refused_per_s"),
    lag: [{ key: "lag", label: "spans", values: gapsForZero(h.lag_p95_ms), fill: true }] as ChartSeries[],
    waiting: [
      { key: "spool", label: "spool", values: h.spool_bytes, fill: true },
      { key: "flight", label: "in flight", values: h.in_flight_bytes },
    ] as ChartSeries[],
  };
}
