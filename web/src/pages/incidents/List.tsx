import { type KeyboardEvent, useRef } from "react";
import { Link } from "@tanstack/react-router";
import type { Incident } from "@/api/types";
import { useKeys } from "@/app/keys";
import { useScope } from "@/app/range";
import { useNow } from "@/app/useNow";
import { causeName, confidenceWords, incidentLasted, moment, percent, symptomName } from "@/lib/incident";
import { format } from "@/lib/format";
import { clock, dateTime } from "@/lib/time";
import { ServiceDot } from "@/ui/Service";
import { SeverityMark } from "@/ui/Severity";
import css from "./List.module.css";

const SHOWN_SERVICES = 5;

/** One incident a row, each a link; j, k and the arrows move, Enter opens. */
export function IncidentList({ label, incidents }: { label: string; incidents: readonly Incident[] }) {
  const list = useRef<HTMLUListElement>(null);
  const now = useNow();
  const first = () => list.current?.querySelector<HTMLElement>("a")?.focus();
  // From anywhere on the page into the first list; inside, rows move by themselves.
  useKeys({ j: () => document.querySelector("#main [data-incidents]") === list.current && !list.current!.contains(document.activeElement) && first() });
  return (
    <ul ref={list} data-incidents="" aria-label={label} className={css.list}>
      {incidents.map((i) => (
        <li key={i.id} className={css.item}>
          <Row incident={i} now={now} />
        </li>
      ))}
    </ul>
  );
}

function Row({ incident: i, now }: { incident: Incident; now: number }) {
  const { utc } = useScope();
  const started = moment(i.started_at) ?? now;
  const cause = i.root_causes[0];
  const over = i.status === "resolved";
  const shown = i.services.slice(0, SHOWN_SERVICES);
  return (
    <Link to="/incidents/$incident" params={{ incident: i.id }} className={css.row} onKeyDown={move} data-over={over || undefined}>
      <SeverityMark severity={i.severity} over={over} size={18} />
      <span className={css.main}>
        <span className={css.title}>{i.title}</span>
        <span className={css.cause}>
          {cause ? (
            <>
              <span className={css.label}>Likely origin</span> {causeName(cause)}
              <span className={css.faint}>
                {" "}
                · {symptomName(cause.kind).toLowerCase()} · {confidenceWords(cause.confidence)} ({percent(cause.confidence)})
              </span>
            </>
          ) : (
            <span className={css.faint}>{i.summary || "The origin is being looked for"}</span>
          )}
        </span>
        <span className={css.services}>
          {shown.map((s) => (
            <span key={s} className={css.service}>
              <ServiceDot name={s} /> {s}
            </span>
          ))}
          {i.services.length > shown.length && <span className={css.faint}>+{i.services.length - shown.length}</span>}
        </span>
      </span>
      <span className={css.impact}>
        {i.affected ? (
          <>
            <span className={css.figure}>{format(i.affected, "ratio")}</span>
            <span className={css.faint}>of requests</span>
          </>
        ) : null}
      </span>
      <span className={css.when}>
        <span className={css.figure}>{incidentLasted(i, now)}</span>
        <time className={css.faint} dateTime={i.started_at}>
          {over ? "from" : "since"} {now - started < 86_400_000 ? clock(started, utc).slice(0, 5) : dateTime(started, utc).slice(0, -3)}
        </time>
      </span>
    </Link>
  );
}

function move(e: KeyboardEvent<HTMLAnchorElement>) {
  const by = e.key === "ArrowDown" || e.key === "j" ? 1 : e.key === "ArrowUp" || e.key === "k" ? -1 : 0;
  if (!by || e.altKey || e.metaKey || e.ctrlKey) return;
  const all = [...document.querySelectorAll<HTMLElement>("#main [data-incidents] a")];
  const next = all[all.indexOf(e.currentTarget) + by];
  if (!next) return;
  e.preventDefault();
  next.focus();
}
