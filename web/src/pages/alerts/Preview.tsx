import type { Objective, ObjectivePreview, Rule, RulePreview } from "@/api/types";
import type { Marker } from "@/charts/model";
import { TimeChart } from "@/charts/TimeChart";
import { chartColumns, lasting, moment } from "@/lib/incident";
import { plural } from "@/lib/format";
import { valueUnit } from "@/lib/rules";
import { Segmented } from "@/ui/Tabs";
import { Failed, Skeleton } from "@/ui/States";
import { Time } from "@/ui/Time";
import { Budget } from "./Budget";
import type { usePreview } from "./usePreview";
import css from "./Editor.module.css";

const HOURS = [
  { id: "6", label: "6 h" },
  { id: "24", label: "1 d" },
  { id: "168", label: "7 d" },
] as const;

export function PreviewHours({ value, onChange }: { value: number; onChange: (hours: number) => void }) {
  return <Segmented label="How far back" options={HOURS} value={String(value) as (typeof HOURS)[number]["id"]} onChange={(v) => onChange(Number(v))} />;
}

type Preview<T> = ReturnType<typeof usePreview<T>>;

const none = { expected: [], lower: [], upper: [] };

/** The value over the past with the threshold, and where it would have fired. */
export function RulePreviewChart({ rule, preview: p, sentence }: { rule: Omit<Rule, "id">; preview: Preview<RulePreview>; sentence: string }) {
  if (p.error && !p.stale) return <Failed error={p.error} retry={() => void p.refetch()} />;
  const c = p.data && chartColumns({ ts: p.data.ts, value: p.data.value, ...none });
  if (!p.data) return <Skeleton height={240} />;
  const firing = p.data.firing;
  const level = (v: number) => c!.value.map(() => v);
  return (
    <div className={css.preview} data-stale={p.stale || undefined} data-testid="rule-preview">
      <p>{sentence}.</p>
      {c ? (
        <TimeChart
          bare
          title="Preview"
          heading={<span className="visually-hidden">Preview</span>}
          range={c.range}
          unit={valueUnit(rule, p.data.unit)}
          height={220}
          window={p.span}
          markers={spans(firing, p.span.to)}
          series={[
            { key: "value", label: "Measured", values: c.value, color: "var(--text)" },
            { key: "threshold", label: "Threshold", values: level(rule.threshold), color: "var(--bad)", width: 1, dash: [5, 4] },
            ...(rule.recovery === null ? [] : [{ key: "recovery", label: "Over again", values: level(rule.recovery), color: "var(--accent)", width: 1, dash: [5, 4] }]),
          ]}
        />
      ) : (
        <p className={css.none}>Nothing was measured in this time.</p>
      )}
      <Fired firing={firing} until={p.span.to} />
    </div>
  );
}

/** What is left of the budget over the past window, and when one would have been told. */
export function ObjectivePreviewChart({ slo, preview: p, sentence }: { slo: Omit<Objective, "id">; preview: Preview<ObjectivePreview>; sentence: string }) {
  if (p.error && !p.stale) return <Failed error={p.error} retry={() => void p.refetch()} />;
  if (!p.data) return <Skeleton height={240} />;
  const c = chartColumns({ ts: p.data.ts, value: p.data.budget_left, ...none });
  return (
    <div className={css.preview} data-stale={p.stale || undefined} data-testid="slo-preview">
      <p>{sentence}.</p>
      <Budget slo={slo} state={p.data.state} />
      {c && (
        <TimeChart
          bare
          title="Error budget left"
          range={c.range}
          unit="ratio"
          height={200}
          window={p.span}
          markers={spans(p.data.firing, p.span.to)}
          legend={false}
          series={[{ key: "left", label: "Budget left", values: c.value, color: "var(--accent)", fill: true }]}
        />
      )}
      <Fired firing={p.data.firing} until={p.span.to} />
    </div>
  );
}

function spans(firing: readonly { from: string; to: string | null }[], until: number): Marker[] {
  return firing.map((f) => ({ at: Date.parse(f.from), to: moment(f.to) ?? until, label: "It would have alerted", kind: "anomaly" }));
}

const SHOWN = 8;

function Fired({ firing, until }: { firing: readonly { from: string; to: string | null }[]; until: number }) {
  return (
    <div aria-live="polite">
      <p className={css.fired}>{firing.length === 0 ? "It would not have alerted." : `It would have alerted ${firing.length === 1 ? "once" : plural(firing.length, "time")}.`}</p>
      <ul className={css.times}>
        {firing.slice(-SHOWN).map((f) => (
          <li key={f.from}>
            <Time t={Date.parse(f.from)} /> <span>for {lasting((moment(f.to) ?? until) - Date.parse(f.from))}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
