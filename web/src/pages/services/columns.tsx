import { Link } from "@tanstack/react-router";
import type { Incident, ServiceRow, SilentService } from "@/api/types";
import { useNow } from "@/app/useNow";
import { Sparkline } from "@/charts/Sparkline";
import { silenceTip, silenceWords } from "@/lib/silence";
import { severity, stateOf } from "@/lib/state";
import { Num } from "@/ui/Num";
import { LanguageMark, ServiceDot } from "@/ui/Service";
import { SeverityMark } from "@/ui/Severity";
import { redColumns } from "@/ui/redColumns";
import type { Column } from "@/ui/Table";
import css from "./columns.module.css";

/** A service with its sparkline ready to draw. */
export interface Row extends ServiceRow {
  shownRate: (number | null)[];
  /** An open incident it takes part in. */
  incident?: Incident;
  /** It usually gets requests and sends no spans. */
  silence?: SilentService;
}

const rowState = (r: ServiceRow) => stateOf(r, r.previous);

// The unusual come first; among equals those of a busier order of magnitude. No
// finer, or rows of like services would change places at every tick.
const byState = (r: Row) => (r.incident ? 300 : r.silence ? 250 : 0) + severity(rowState(r)) * 100 + Math.round(Math.log2(r.calls + 1));

const [rate, ...rest] = redColumns<Row>();

export const columns: Column<Row>[] = [
  {
    id: "service",
    label: "Service",
    width: "minmax(160px, 1.5fr)",
    sort: (r) => r.service,
    first: "asc",
    render: (r) => (
      <Link to="/services/$service" params={{ service: r.service }} className={css.name}>
        <ServiceDot name={r.service} />
        <span className={css.text}>{r.service}</span>
        <LanguageMark language={r.language} />
      </Link>
    ),
  },
  { id: "state", label: "State", width: "minmax(120px, 2.6fr)", sort: byState, secondary: true, render: (r) => <StateWords row={r} /> },
  rate!,
  {
    id: "spark",
    label: "Requests over time",
    quiet: true,
    width: "124px",
    secondary: true,
    render: (r) => <Sparkline values={r.shownRate} width={116} height={24} label={`Requests of ${r.service} over the range`} color="var(--muted)" />,
  },
  ...rest,
  { id: "instances", label: "Instances", width: "82px", align: "right", sort: (r) => r.instances, secondary: true, minor: true, render: (r) => <Num value={r.instances} tone={r.instances ? undefined : "faint"} /> },
  {
    id: "version",
    label: "Version",
    width: "minmax(72px, 96px)",
    sort: (r) => r.versions[0],
    secondary: true,
    minor: true,
    render: (r) => (
      <span className={css.version} title={r.versions.join(", ")}>
        {r.versions[0] || "–"}
        {r.versions.length > 1 && <span className={css.more}> +{r.versions.length - 1}</span>}
      </span>
    ),
  },
];

function StateWords({ row }: { row: Row }) {
  const now = useNow();
  const s = rowState(row);
  const incident = row.incident;
  if (incident) {
    return (
      <Link to="/incidents/$incident" params={{ incident: incident.id }} className={css.incident} title={incident.title}>
        <SeverityMark severity={incident.severity} size={14} />
        <span className={css.text}>{row.silence ? silenceWords(row.silence, now) : s.words || incident.title}</span>
      </Link>
    );
  }
  if (row.silence) {
    return (
      <span className={css.state} data-tone="warn" title={silenceTip(row.silence)}>
        {silenceWords(row.silence, now)}
      </span>
    );
  }
  return s.words ? (
    <span className={css.state} data-tone={s.tone} title={s.words}>
      {s.words}
    </span>
  ) : null;
}
