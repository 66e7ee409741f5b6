import { Link } from "@tanstack/react-router";
import type { Incident } from "@/api/types";
import { useNow } from "@/app/useNow";
import { incidentLasted, lasting, moment } from "@/lib/incident";
import { integer } from "@/lib/format";
import { Num } from "@/ui/Num";
import { ServiceDot } from "@/ui/Service";
import { Time } from "@/ui/Time";
import css from "./Facts.module.css";

/** Since when, how long, how bad, who is affected. */
export function Facts({ incident: i }: { incident: Incident }) {
  const now = useNow();
  const started = moment(i.started_at);
  const detected = moment(i.detected_at);
  const resolved = moment(i.resolved_at);
  return (
    <dl className={css.facts}>
      <div>
        <dt>{resolved ? "Lasted" : "Lasting"}</dt>
        <dd className={css.big}>{incidentLasted(i, now)}</dd>
        <dd className={css.small}>
          {started !== null && (
            <>
              since <Time t={started} />
            </>
          )}
        </dd>
      </div>
      <div>
        <dt>Requests affected</dt>
        <dd className={css.big}>{i.affected ? <Num value={i.affected} unit="ratio" /> : "–"}</dd>
        <dd className={css.small}>{i.requests ? `${integer(i.requests)} of the entry point's` : "not known for these series"}</dd>
      </div>
      <div>
        <dt>Noticed after</dt>
        <dd className={css.big}>{started !== null && detected !== null ? lasting(detected - started) : "–"}</dd>
        <dd className={css.small}>{resolved !== null ? <>resolved <Time t={resolved} /></> : "still open"}</dd>
      </div>
      <div className={css.wide}>
        <dt>Services, cause to symptom</dt>
        <dd>
          <ol className={css.chain}>
            {i.services.map((s) => (
              <li key={s}>
                <Link to="/services/$service" params={{ service: s }} className={css.service}>
                  <ServiceDot name={s} /> {s}
                </Link>
              </li>
            ))}
          </ol>
        </dd>
      </div>
    </dl>
  );
}
