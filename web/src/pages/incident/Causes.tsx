import { Link } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import type { Alarm, Evidence, Incident, RootCause } from "@/api/types";
import { pageOf } from "@/app/links";
import { causeName, confidenceWords, offBy, percent, subjectName, subjectPart, symptomName, unitOf } from "@/lib/incident";
import { format } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import css from "./Causes.module.css";

/** Where it starts, the best guess first, each with what speaks for it. */
export function Causes({ incident: i }: { incident: Incident }) {
  const unlikely = i.root_causes.filter((c) => !likely(c));
  return (
    <Panel title="Likely origin" flush>
      {i.root_causes.length === 0 ? (
        <p className={css.none}>Not known yet: the requests that suffered are being compared with others. Until then, the first symptom below is the best lead.</p>
      ) : (
        <>
          <List incident={i} causes={i.root_causes.filter(likely)} />
          {unlikely.length > 0 && (
            <details className={css.others}>
              <summary>{unlikely.length === 1 ? "One less likely" : `${unlikely.length} less likely ones`}</summary>
              <List incident={i} causes={unlikely} />
            </details>
          )}
        </>
      )}
    </Panel>
  );
}

/** What has this little speaking for it beside another is kept out of the way. */
const LIKELY = 0.08;
const likely = (c: RootCause) => c.rank === 1 || c.confidence >= LIKELY;

function List({ incident: i, causes }: { incident: Incident; causes: readonly RootCause[] }) {
  return (
    <ol className={css.causes} start={causes[0]?.rank}>
      {causes.map((c) => (
        <li key={c.rank} className={css.cause} data-first={c.rank === 1 || undefined}>
          <Cause cause={c} alarms={alarmsOf(i, c)} known={i.services.includes(c.service)} />
        </li>
      ))}
    </ol>
  );
}

/** The alarms that show a cause. What sends nothing itself shows in what calls it: the incident's first. */
function alarmsOf(i: Incident, c: RootCause): readonly Alarm[] {
  const all = i.alarms ?? [];
  const own = all.filter((a) => a.subject.service === c.service || a.subject.peer === c.service);
  return own.length > 0 || c.rank !== 1 ? own : all.filter((a) => a.subject.service === all[0]!.subject.service);
}

function Cause({ cause: c, alarms, known }: { cause: RootCause; alarms: readonly Alarm[]; known: boolean }) {
  return (
    <>
      <div className={css.top}>
        <ServiceDot name={c.service} size={10} />
        <h3 className={css.name}>
          {known ? (
            <Link to="/services/$service" params={{ service: c.service }} search={c.operation ? { operation: c.operation } : {}}>
              {causeName(c)}
            </Link>
          ) : (
            causeName(c)
          )}
        </h3>
        <span className={css.kind}>{symptomName(c.kind)}</span>
        <span className={css.confidence} title={`Confidence ${percent(c.confidence)}`}>
          <span className={css.track} aria-hidden>
            <span className={css.fill} style={{ width: `${Math.round(c.confidence * 100)}%` }} />
          </span>
          {confidenceWords(c.confidence)} <Num value={Math.round(c.confidence * 100)} unit="%" />
        </span>
      </div>
      {c.summary && <p className={css.summary}>{c.summary}</p>}
      {c.rank === 1 && alarms.length > 0 && <BeforeNow alarms={alarms.slice(0, 4)} service={c.service} />}
      {c.evidence.length > 0 && (
        <ul className={css.evidence} aria-label={`Evidence for ${causeName(c)}`}>
          {c.evidence.map((e, n) => (
            <li key={n}>
              <span className={css.type}>{e.type}</span>
              <EvidenceLink evidence={e} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Evidence side by side: what is usual, and what was seen. */
function BeforeNow({ alarms, service }: { alarms: readonly Alarm[]; service: string }) {
  return (
    <div className={css.scroll}>
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Usual</th>
            <th scope="col">Seen</th>
            <th scope="col">
              <span className="visually-hidden">Difference</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {alarms.map((a) => (
            <tr key={a.id}>
              <th scope="row">
                {symptomName(a.symptom)} <span className={css.part}>{a.subject.service === service ? subjectPart(a.subject) : subjectName(a.subject)}</span>
              </th>
              <td title={`expected between ${format(a.lower, unitOf(a.unit))} and ${format(a.upper, unitOf(a.unit))}`}>
                <Num value={a.expected} unit={unitOf(a.unit)} />
              </td>
              <td>
                <Num value={a.observed} unit={unitOf(a.unit)} tone="bad" />
              </td>
              <td className={css.off}>{a.symptom === "errors" ? `${Math.round(a.sample)} requests` : offBy(a)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const WORDS: Record<Evidence["type"], string> = { trace: "An example trace", series: "The series", attribute: "What the requests have in common", deployment: "The deployment", profile: "The profile", log: "The log records" };

function EvidenceLink({ evidence: e }: { evidence: Evidence }) {
  const text = e.text || WORDS[e.type] || e.type;
  const page = pageOf(e.link);
  if (page) {
    return (
      <Link {...page} className="link">
        {text}
      </Link>
    );
  }
  if (/^https?:\/\//.test(e.link)) {
    return (
      <a href={e.link} rel="noreferrer" target="_blank" className="link">
        {text} <ExternalLink size={11} aria-label="(opens elsewhere)" />
      </a>
    );
  }
  return <>{text}</>;
}
