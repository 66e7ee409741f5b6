import { useMemo, useState } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import type { AffectedSeries, CodeChange, Deployment, IncidentAnswer } from "@/api/types";
import { around, pageOf, query, term, tracesSearch } from "@/app/links";
import type { Marker } from "@/charts/model";
import { TimeChart } from "@/charts/TimeChart";
import { chartColumns, costWords, moment, placeOf, subjectPart, symptomName, unitOf } from "@/lib/incident";
import { plural } from "@/lib/format";
import type { Span } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import css from "./Series.module.css";

const FIRST = 6;

/** Each series that is off, from cause to symptom, with what was expected. One window for all of them. */
export function Affected({ answer: a }: { answer: IncidentAnswer }) {
  const [all, setAll] = useState(false);
  const [zoom, setZoom] = useState<Span | null>(null);
  const drawn = useMemo(() => a.series.map((s, n) => ({ series: s, columns: chartColumns(s), code: codeOf(a, n) })), [a]);
  const first = useMemo(() => firstOf(a.series), [a.series]);
  const full = useMemo<Span | null>(() => {
    const ranges = drawn.flatMap((d) => (d.columns ? [d.columns.range] : []));
    return ranges.length ? { from: Math.min(...ranges.map((r) => r.from_ms)), to: Math.max(...ranges.map((r) => r.to_ms)) } : null;
  }, [drawn]);
  const shown = all ? drawn : drawn.slice(0, FIRST);
  if (!full) {
    return (
      <Panel title="Affected series">
        <p className={css.none}>Their points are not stored, or not any more.</p>
      </Panel>
    );
  }
  return (
    <Panel
      title={`Affected series, cause to symptom`}
      aside={
        zoom ? (
          <Button size="sm" onClick={() => setZoom(null)}>
            Whole incident
          </Button>
        ) : (
          <span className={css.legend}>
            <i className={css.band} aria-hidden /> expected
          </span>
        )
      }
    >
      <div className={css.grid} data-single={shown.length === 1 || undefined}>
        {shown.map(({ series, columns, code }, n) =>
          columns ? <Chart key={n} series={series} columns={columns} code={code} link={code && diffLink(a, code)} deployments={a.deployments} first={series === first} window={zoom ?? full} onWindow={setZoom} /> : null,
        )}
      </div>
      {drawn.length > FIRST && (
        <div className={css.more}>
          <Button size="sm" onClick={() => setAll(!all)}>
            {all ? "Show fewer" : `Show ${plural(drawn.length - FIRST, "more series", "more series")}`}
          </Button>
        </div>
      )}
    </Panel>
  );
}

/** The function of a series; series are in the order of the alarms. */
function codeOf(a: IncidentAnswer, n: number): CodeChange | undefined {
  const alarm = a.incident.alarms?.[n];
  return alarm?.code && alarm.subject.function === a.series[n]!.subject.function ? alarm.code : undefined;
}

/** The flame graph of the difference, as the evidence has it. */
function diffLink(a: IncidentAnswer, code: CodeChange): string | undefined {
  const of = a.incident.root_causes.find((c) => c.function === code.function.name) ?? a.incident.root_causes.find((c) => c.function);
  return of?.evidence.find((e) => e.type === "profile")?.link;
}

function firstOf(list: readonly AffectedSeries[]): AffectedSeries | undefined {
  return [...list].filter((s) => moment(s.began) !== null).sort((x, y) => Date.parse(x.began) - Date.parse(y.began))[0];
}

function Chart({ series: s, columns: c, code, link, deployments, first, window, onWindow }: {
  series: AffectedSeries; columns: NonNullable<ReturnType<typeof chartColumns>>; code?: CodeChange; link?: string; deployments: readonly Deployment[]; first: boolean; window: Span; onWindow: (s: Span | null) => void;
}) {
  const navigate = useNavigate();
  const markers = useMemo<Marker[]>(() => {
    const deploys = deployments.filter((d) => d.service === s.subject.service).map((d): Marker => ({ at: Date.parse(d.ts), label: d.version, kind: "deploy" }));
    const began = moment(s.began);
    return began === null ? deploys : [...deploys, { at: began, to: moment(s.ended) ?? c.range.to_ms, label: "Not normal", kind: "anomaly" }];
  }, [deployments, s, c]);
  const filter = query(term("service", s.subject.service), s.subject.operation && term("name", s.subject.operation), s.symptom === "errors" && "status:error");
  const part = subjectPart(s.subject, s.what);
  const page = link ? pageOf(link) : null;
  const chart = (
    <TimeChart
      bare
      title={`${symptomName(s.symptom)} of ${s.subject.service}: ${part}`}
      heading={
        <>
          <ServiceDot name={s.subject.service} /> <b>{s.subject.service}</b> {part} {code && placeOf(code) && <code className={css.place}>{placeOf(code)}</code>} <span className={css.symptom}>{symptomName(s.symptom)}</span>
        </>
      }
      aside={first ? <span className={css.first}>first symptom</span> : undefined}
      range={c.range}
      unit={unitOf(s.unit)}
      height={132}
      legend={false}
      window={window}
      onWindow={onWindow}
      markers={markers}
      band={{ lower: c.lower, upper: c.upper, label: "expected" }}
      series={[
        { key: "value", label: "Observed", values: c.value, color: "var(--text)" },
        { key: "expected", label: "Usual", values: c.expected, color: "var(--accent)", width: 1, dash: [4, 4] },
      ]}
      onPoint={s.subject.metric || code ? undefined : (at, step) => void navigate(tracesSearch(filter, around(at, step)))}
    />
  );
  if (!code) return chart;
  return (
    <div>
      {chart}
      <p className={css.cost}>
        {costWords(code)}.{" "}
        {page && (
          <Link {...page} className="link">
            Flame graph of the difference
          </Link>
        )}
      </p>
    </div>
  );
}
