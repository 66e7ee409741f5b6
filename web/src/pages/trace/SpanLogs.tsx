import { useState } from "react";
import { Link } from "@tanstack/react-router";
import type { Span, TraceAnswer } from "@/api/types";
import { logsSearch } from "@/app/links";
import { level } from "@/lib/severity";
import { Segmented } from "@/ui/Tabs";
import { Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import type { TraceLogs } from "./useTrace";
import css from "./Detail.module.css";

/** Log records that carry the span's id, or the trace's. */
export function SpanLogs({ trace, span, logs }: { trace: TraceAnswer; span: Span; logs: TraceLogs }) {
  const [choice, setChoice] = useState<"span" | "trace" | null>(null);
  const own = logs.bySpan.get(span.span_id) ?? [];
  const which = choice ?? (own.length ? "span" : "trace");
  const startMs = Number(BigInt(trace.start_ns) / 1_000_000n);
  const endMs = Number(BigInt(trace.end_ns) / 1_000_000n);
  const range = { from: String(startMs - 60_000), to: String(endMs + 60_000) };
  return (
    <>
      <div className={css.logsHead}>
        <Segmented label="Logs of" value={which} onChange={setChoice} options={[{ id: "span", label: `Span ${own.length}` }, { id: "trace", label: `Trace ${logs.query.data?.logs.length ?? ""}` }]} />
        <Link {...logsSearch(`trace:${trace.trace_id}`, range)} className="link">
          Open in logs
        </Link>
      </div>
      <Query query={logs.query}>
        {(data) => {
          const list = which === "span" ? own : data.logs;
          if (list.length === 0) return <p className={css.none}>No log record carries this {which}&rsquo;s id. Log bridges of the OpenTelemetry SDKs add it by themselves.</p>;
          return (
            <ul>
              {list.map((l) => (
                <li key={l.id} className={css.log}>
                  <Time t={Number(BigInt(l.ts_ns) / 1_000_000n)} millis date={false} />
                  <span className={css.level} data-level={level(l.severity)}>
                    {l.severity_text || level(l.severity)}
                  </span>
                  <span className={css.logBody}>
                    {l.service !== span.service && <span className={css.faint}>{l.service} </span>}
                    {l.body}
                  </span>
                </li>
              ))}
            </ul>
          );
        }}
      </Query>
    </>
  );
}
