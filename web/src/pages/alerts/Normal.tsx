import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { del, post } from "@/api/client";
import { plain } from "@/api/queries";
import type { Learned, NormalAnswer } from "@/api/types";
import { acceptedUpTo, moment, subjectName, symptomName } from "@/lib/incident";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import { useSave } from "./useSave";
import css from "./Page.module.css";

const SHOWN = 4;

/** What "this is normal" has taught detection, and how to take it back. */
export function Normal() {
  const q = useQuery(plain<NormalAnswer>("/normal", {}, 15_000));
  const save = useSave("/normal", "/incidents");
  const path = (l: Learned) => `/incidents/${encodeURIComponent(l.incident)}/normal`;
  return (
    <Panel title="Called normal" flush>
      <Query query={q}>
        {({ normal }) =>
          normal.length === 0 ? (
            <p className={css.none}>Nothing yet. “This is normal” on an incident keeps what it was about silent for as long as it gets no worse; it is listed here and can be taken back.</p>
          ) : (
            <ul className={css.list} aria-label="Called normal">
              {normal.map((l) => (
                <li key={l.incident} className={css.item}>
                  <div>
                    {l.alarms.slice(0, SHOWN).map((a) => (
                      <p key={a.id} className={css.name}>
                        <ServiceDot name={a.subject.service} /> {subjectName(a.subject)}{" "}
                        <span className={css.faint}>
                          {symptomName(a.symptom).toLowerCase()} {acceptedUpTo(a)}
                        </span>
                      </p>
                    ))}
                    <p className={css.detail}>
                      {l.alarms.length > SHOWN && `and ${l.alarms.length - SHOWN} more · `}
                      said <Time t={moment(l.at) ?? 0} /> ·{" "}
                      <Link to="/incidents/$incident" params={{ incident: l.incident }} className="link">
                        the incident
                      </Link>
                    </p>
                  </div>
                  <div className={css.buttons}>
                    <Button size="sm" disabled={save.busy} onClick={() => void save.run(() => del(path(l)), "Forgotten: it is told again", () => post(path(l)))}>
                      Take back
                    </Button>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Query>
    </Panel>
  );
}
