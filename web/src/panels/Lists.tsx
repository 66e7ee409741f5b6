import { Link } from "@tanstack/react-router";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useFallback, useLive } from "@/api/live";
import { scoped } from "@/api/queries";
import type { LogRecord, LogsAnswer, SpanHit, TracesAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { format } from "@/lib/format";
import { level, LEVEL_COLOR } from "@/lib/severity";
import { ServiceDot } from "@/ui/Service";
import { SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import { Nothing, type PanelProps, usePanelScope } from "./PanelView";
import { wordsOf } from "./PromPanel";
import css from "./panels.module.css";

const SHOWN = 100;

/** Log records or traces that match the panel's search, the newest first. */
export function Listed(props: PanelProps) {
  return props.panel.type === "logs" ? <Logs {...props} /> : <Traces {...props} />;
}

function useWithEnv(search: string): string {
  const { env } = useScope();
  return [search, env && `env:"${env}"`].filter(Boolean).join(" ");
}

function Logs({ panel, seen }: PanelProps) {
  const scope = usePanelScope(panel);
  const q = useWithEnv(panel.search);
  const live = useLive<LogsAnswer>({ kind: "logs", q }, { from: scope.range.from, enabled: scope.live && seen, merge: mergeLogs });
  const fallback = useFallback(scope.live, live);
  const asked = useQuery({ ...scoped<LogsAnswer>("/logs", { ...scope, env: undefined }, { q, limit: SHOWN }), refetchInterval: fallback, enabled: seen && (!scope.live || fallback !== false), placeholderData: keepPreviousData });
  const data = live.data ?? asked.data;
  if (!data) return asked.error ? <Nothing bad>{wordsOf(asked.error)}</Nothing> : <SkeletonRows rows={4} height={24} />;
  if (data.logs.length === 0) return <Nothing>No log records match in this range</Nothing>;
  return (
    <ul className={css.list} tabIndex={0} aria-label={panel.title || "Log records"}>
      {data.logs.slice(0, SHOWN).map((l) => (
        <LogLine key={l.id} log={l} />
      ))}
    </ul>
  );
}

/** Newest first: what is new goes on top of what is held. */
function mergeLogs(held: LogsAnswer, update: LogsAnswer): LogsAnswer {
  const known = new Set(update.logs.map((l) => l.id));
  return { ...update, logs: [...update.logs, ...held.logs.filter((l) => !known.has(l.id))].slice(0, SHOWN) };
}

function LogLine({ log }: { log: LogRecord }) {
  const at = Number(BigInt(log.ts_ns) / 1_000_000n);
  const trace = /^0*$/.test(log.trace_id) ? null : log.trace_id;
  return (
    <li className={css.listRow}>
      <span className={css.severityMark} style={{ background: LEVEL_COLOR[level(log.severity)] }} title={log.severity_text || level(log.severity)} />
      <Time t={at} date={false} millis />
      <span className={css.listService}>{log.service}</span>
      <span className={css.listBody} title={log.body}>
        {trace ? (
          <Link to={"/traces/$traceId" as never} params={{ traceId: trace } as never} className={css.listLink}>
            {log.body}
          </Link>
        ) : (
          log.body
        )}
      </span>
    </li>
  );
}

function Traces({ panel, seen }: PanelProps) {
  const scope = usePanelScope(panel);
  const q = useWithEnv(panel.search);
  const asked = useQuery({ ...scoped<TracesAnswer>("/traces", { ...scope, env: undefined }, { q, limit: 50 }), enabled: seen });
  if (!asked.data) return asked.error ? <Nothing bad>{wordsOf(asked.error)}</Nothing> : <SkeletonRows rows={4} height={24} />;
  if (asked.data.spans.length === 0) return <Nothing>No traces match in this range</Nothing>;
  return (
    <ul className={css.list} tabIndex={0} aria-label={panel.title || "Traces"}>
      {asked.data.spans.map((s) => (
        <TraceLine key={s.trace_id} span={s} />
      ))}
    </ul>
  );
}

function TraceLine({ span: s }: { span: SpanHit }) {
  return (
    <li className={css.listRow}>
      <Time t={Number(BigInt(s.ts_ns) / 1_000_000n)} date={false} />
      <span className={css.listService}>
        <ServiceDot name={s.service} /> {s.service}
      </span>
      <Link to={"/traces/$traceId" as never} params={{ traceId: s.trace_id } as never} className={`${css.listBody} ${css.listLink}`}>
        {s.name}
      </Link>
      {s.status === "error" && <span className={css.failed}>error</span>}
      <span className={css.listNumber}>{format(s.duration_ns, "ns")}</span>
    </li>
  );
}
