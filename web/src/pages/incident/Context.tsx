import { Link } from "@tanstack/react-router";
import type { IncidentAnswer, SpanHit } from "@/api/types";
import { logsSearch, query, term, tracesSearch } from "@/app/links";
import { type ErrorPattern, errorPatterns } from "@/lib/errorLogs";
import { moment } from "@/lib/incident";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Time } from "@/ui/Time";
import css from "./Context.module.css";

/** The incident's time with a margin, for links to pages with a range. */
function rangeOf(a: IncidentAnswer): { from: string; to: string } {
  const from = (moment(a.incident.started_at) ?? Date.now()) - 5 * 60_000;
  const end = moment(a.incident.resolved_at);
  return { from: String(from), to: end ? String(end + 5 * 60_000) : "now" };
}

function anyOf(a: IncidentAnswer): string | false {
  const s = a.incident.services;
  return s.length === 0 ? false : s.length === 1 ? term("service", s[0]!) : `(${s.map((n) => term("service", n)).join(" OR ")})`;
}

/** Traces that show it. */
export function Examples({ answer: a }: { answer: IncidentAnswer }) {
  const { failing, slowest } = a.traces;
  return (
    <Panel
      title="Example traces"
      aside={
        <Link {...tracesSearch(query(anyOf(a)), rangeOf(a))} className="link">
          All traces of this time
        </Link>
      }
    >
      {failing.length + slowest.length === 0 ? (
        <p className={css.none}>No trace of these services is stored for this time.</p>
      ) : (
        <div className={css.two}>
          <TraceList title="Slowest" hits={slowest} none="None is stored." />
          <TraceList title="Failing" hits={failing} none="No request failed." />
        </div>
      )}
    </Panel>
  );
}

function TraceList({ title, hits, none }: { title: string; hits: readonly SpanHit[]; none: string }) {
  return (
    <section aria-label={`${title} traces`}>
      <h3 className={css.sub}>{title}</h3>
      {hits.length === 0 ? (
        <p className={css.none}>{none}</p>
      ) : (
        <ul>
          {hits.map((h) => (
            <li key={`${h.trace_id} ${h.span_id}`}>
              <Link to="/traces/$trace" params={{ trace: h.trace_id }} search={{ span: h.span_id }} className={css.trace}>
                <ServiceDot name={h.service} />
                <span className={css.op}>
                  <b>{h.service}</b> {h.name}
                  {h.status_message && <span className={css.message}>{h.status_message}</span>}
                </span>
                <Num value={h.duration_ns} unit="ns" tone={h.status === "error" ? "bad" : undefined} />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const SHOWN_LOGS = 12;

/** What the services logged as errors meanwhile, what says the same as one line. */
export function ErrorLogs({ answer: a }: { answer: IncidentAnswer }) {
  const patterns = errorPatterns(a.logs);
  return (
    <Panel
      title="Matching error logs"
      aside={
        <Link {...logsSearch(query(anyOf(a), "severity>=error"), rangeOf(a))} className="link">
          All of them
        </Link>
      }
    >
      {patterns.length === 0 ? (
        <p className={css.none}>These services logged no error in this time.</p>
      ) : (
        <ul aria-label="Error logs">
          {patterns.slice(0, SHOWN_LOGS).map((p) => (
            <Line key={p.key} pattern={p} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Line({ pattern: p }: { pattern: ErrorPattern }) {
  const { trace_id, span_id } = p.example;
  const text = (
    <>
      {p.body}
      {p.detail && <span className={css.detail}> {p.detail}</span>}
    </>
  );
  return (
    <li className={css.log}>
      <Time t={p.lastMs} date={false} millis />
      <span className={css.service}>
        <ServiceDot name={p.service} /> {p.service}
      </span>
      {trace_id ? (
        <Link to="/traces/$trace" params={{ trace: trace_id }} search={span_id ? { span: span_id } : {}} className={css.body}>
          {text}
        </Link>
      ) : (
        <span className={css.body}>{text}</span>
      )}
      <span className={css.count} title={p.count > 1 ? `${p.count} records that say the same but for numbers and ids; the newest is shown` : undefined}>
        {p.count > 1 && `${p.count}×`}
      </span>
    </li>
  );
}
