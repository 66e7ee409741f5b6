import type { IngestAnswer } from "@/api/types";
import { isLoss, kindWords, reasonName, sentence } from "@/lib/ingest";
import { plural } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty } from "@/ui/States";
import { Time } from "@/ui/Time";
import css from "./Problems.module.css";

type Problem = IngestAnswer["problems"][number];

/** Every way in which something was not stored as sent: how often, an example, and what to do. Losses first. */
export function Problems({ a }: { a: IngestAnswer }) {
  const list = [...a.problems].sort((x, y) => Number(isLoss(y.kind)) - Number(isLoss(x.kind)) || y.count - x.count);
  return (
    <Panel title="What was not stored as sent" flush aside={list.length > 0 && <span className={css.total}>{plural(list.length, "reason")}</span>}>
      {list.length === 0 ? (
        <Empty title="Nothing">Everything that was sent since the start is stored as it came.</Empty>
      ) : (
        <ul className={css.list} aria-label="Reasons">
          {list.map((p) => (
            <Reason key={`${p.signal} ${p.reason}`} p={p} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Reason({ p }: { p: Problem }) {
  return (
    <li className={css.reason} data-reason={p.reason}>
      <div className={css.what}>
        <h3 className={css.name}>
          {reasonName(p.reason)} <span className={css.kind} data-loss={isLoss(p.kind) || undefined}>{kindWords(p)}</span>
        </h3>
        <p className={css.meaning}>{sentence(p.meaning)}</p>
      </div>
      <dl className={css.numbers}>
        <div>
          <dt>{p.signal}</dt>
          <dd>
            <Num value={p.count} tone={isLoss(p.kind) ? "warn" : undefined} />
          </dd>
        </div>
        <div>
          <dt>last</dt>
          <dd>
            <Time t={p.last_ms} />
          </dd>
        </div>
      </dl>
      {(p.example || p.service) && (
        <p className={css.example}>
          <span className={css.label}>Example</span>
          {p.service && (
            <span className={css.service}>
              <ServiceDot name={p.service} /> {p.service}
            </span>
          )}
          {p.example && <code>{p.example}</code>}
        </p>
      )}
      {p.fix && (
        <p className={css.fix}>
          <span className={css.label}>What to do</span>
          <span>{p.fix}</span>
        </p>
      )}
    </li>
  );
}
