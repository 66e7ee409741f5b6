import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { scoped } from "@/api/queries";
import type { LogRecord, LogsAnswer } from "@/api/types";
import { logsSearch, term } from "@/app/links";
import { useScope } from "@/app/range";
import { Empty, Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import css from "./Page.module.css";

const SHOWN = 50;

/** The newest log records; the logs page has the rest. */
export function Logs({ service }: { service: string }) {
  const filter = term("service", service);
  const q = useQuery(scoped<LogsAnswer>("/logs", useScope(), { q: filter, limit: SHOWN }, 3_000));
  return (
    <>
      <div className={css.bar}>
        <span className={css.faint}>The newest {SHOWN}</span>
        <Link {...logsSearch(filter)} className="link">
          Search all of them
        </Link>
      </div>
      <Query query={q}>
        {({ logs }) =>
          logs.length === 0 ? (
            <Empty title="No logs in this range">Logs sent over OTLP with this service.name appear here, linked to their traces.</Empty>
          ) : (
            <ul>
              {logs.map((l) => (
                <Line key={l.id} log={l} />
              ))}
            </ul>
          )
        }
      </Query>
    </>
  );
}

/** OTel severity numbers: 17 and up are errors, 13 and up warnings. */
const levelOf = (severity: number) => (severity >= 17 ? "error" : severity >= 13 ? "warn" : "info");

function Line({ log }: { log: LogRecord }) {
  return (
    <li className={css.log}>
      <Time t={Number(BigInt(log.ts_ns) / 1_000_000n)} millis />
      <span className={css.severity} data-level={levelOf(log.severity)}>
        {log.severity_text}
      </span>
      <span className={css.body} title={log.body}>
        {log.trace_id ? <Link to={`/traces/${log.trace_id}` as never}>{log.body}</Link> : log.body}
      </span>
    </li>
  );
}
