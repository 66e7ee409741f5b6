import { Link } from "@tanstack/react-router";
import type { Incident } from "@/api/types";
import { useNow } from "@/app/useNow";
import { incidentLasted } from "@/lib/incident";
import { SeverityMark } from "./Severity";
import css from "./IncidentStrip.module.css";

/** The open incidents that concern what is shown, each a link. None: nothing. */
export function IncidentStrip({ incidents }: { incidents: readonly Incident[] }) {
  const now = useNow();
  if (incidents.length === 0) return null;
  return (
    <ul className={css.strip} aria-label="Open incidents here">
      {incidents.map((i) => (
        <li key={i.id}>
          <Link to="/incidents/$incident" params={{ incident: i.id }} className={css.item} data-severity={i.severity}>
            <SeverityMark severity={i.severity} />
            <span className={css.title}>{i.title}</span>
            <span className={css.since}>{incidentLasted(i, now)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
