import { useQuery } from "@tanstack/react-query";
import { plain } from "@/api/queries";
import type { Span, UsualAnswer } from "@/api/types";
import { format, sig3 } from "@/lib/format";
import { Skeleton } from "@/ui/States";
import css from "./Detail.module.css";

/** Below this a percentile says little. */
const MIN_COUNT = 20;

/** Where this span's duration lies among its kind in the last day. */
export function Usual({ span, env }: { span: Span; env: string | undefined }) {
  const q = useQuery({ ...plain<UsualAnswer>("/spans/usual", { service: span.service, name: span.name, kind: span.kind, duration_ns: span.duration_ns, env }), staleTime: 60_000 });
  if (q.isPending) return <Skeleton height={38} />;
  // A line beside the point: when it cannot be had the span's own facts still stand.
  if (!q.data || q.data.percentile === null || q.data.count < MIN_COUNT) {
    return <p className={css.usual}>{q.error ? "Its usual latency could not be had." : "Too few spans of this kind in the last day to say what is usual."}</p>;
  }
  const { p50_ns, p95_ns, p99_ns, count } = q.data;
  const percentile = q.data.percentile / 100;
  const slow = percentile >= 0.95;
  return (
    <div className={css.usual}>
      <p>
        <b data-slow={slow || undefined}>{words(percentile)}</b> of its kind
        <span className={css.faint}> · {format(count)} in a day</span>
      </p>
      <p className={css.quantiles}>
        {([["p50", p50_ns], ["p95", p95_ns], ["p99", p99_ns]] as const).map(([name, ns]) => (
          <span key={name}>
            <span className={css.faint}>{name}</span> <span className="mono">{format(ns, "ns")}</span>
          </span>
        ))}
      </p>
      <Scale percentile={percentile} slow={slow} />
    </div>
  );
}

function words(percentile: number): string {
  if (percentile >= 0.9995) return "Slower than almost all";
  if (percentile >= 0.5) return `Slower than ${sig3(Math.floor(percentile * 1000) / 10)} %`;
  return `Faster than ${sig3(Math.floor((1 - percentile) * 1000) / 10)} %`;
}

function Scale({ percentile, slow }: { percentile: number; slow: boolean }) {
  return (
    <div className={css.scale} aria-hidden>
      {[0.5, 0.95, 0.99].map((p) => (
        <span key={p} className={css.notch} style={{ left: `${p * 100}%` }} />
      ))}
      <span className={css.pin} data-slow={slow || undefined} style={{ left: `${percentile * 100}%` }} />
    </div>
  );
}
