import { lazy, type ReactNode, Suspense, useState } from "react";
import { Plus, Trash2 } from "lucide-react";
import type { Dashboard, Level, Panel, PanelType, PromQuery, RedSource, Threshold } from "@/api/dashboards";
import { PANEL_TYPES } from "@/lib/dash/model";
import type { Resolved } from "@/lib/dash/variables";
import { Button, IconButton } from "@/ui/Button";
import { Field, Fields, Input, Select, Switch, TextArea } from "@/ui/Form";
import { Segmented } from "@/ui/Tabs";
import { Frame } from "./Frame";
import { LinksField } from "./LinksField";
import css from "./PanelEditor.module.css";

// The editor of PromQL with its language is only loaded by those who write it.
const PromField = lazy(() => import("@/promql/PromField"));

type Change = (f: (p: Panel) => Panel, touched?: string) => void;

interface Props {
  panel: Panel;
  dashboard: Dashboard;
  variables: ReadonlyMap<string, Resolved>;
  onChange: Change;
  onClose: () => void;
  preview: ReactNode;
}

const UNITS = [
  { id: "", label: "none" }, { id: "rate", label: "per second" }, { id: "ratio", label: "share 0–1, as percent" }, { id: "percent", label: "percent 0–100" },
  { id: "s", label: "seconds" }, { id: "ms", label: "milliseconds" }, { id: "us", label: "microseconds" }, { id: "ns", label: "nanoseconds" },
  { id: "bytes", label: "bytes" }, { id: "bytes/s", label: "bytes per second" },
] as const;

const isQuery = (t: PanelType) => !["logs", "traces", "flamegraph", "text", "row"].includes(t);
const isChart = (t: PanelType) => t === "timeseries";
const sumsUp = (t: PanelType) => ["stat", "gauge", "bar", "table"].includes(t);

/** The panel as it will be, and everything that makes it so beside it. */
export default function PanelEditor({ panel, onChange, onClose, preview }: Props) {
  const set = (patch: Partial<Panel>, touched = Object.keys(patch).join()) => onChange((p) => ({ ...p, ...patch }), touched);
  const type = PANEL_TYPES.find((t) => t.id === panel.type)!;
  return (
    <div className={css.editor}>
      <div className={css.main}>
        <div className={css.preview} data-type={panel.type}>
          <Frame panel={panel} actions={{}}>
            {preview}
          </Frame>
        </div>
        {isQuery(panel.type) && <Source panel={panel} set={set} />}
        {(panel.type === "logs" || panel.type === "traces") && (
          <div className={css.box}>
            <Field label="Search" hint={panel.type === "logs" ? 'service:checkout severity>=warn "connection refused"' : "service:checkout duration>500ms status:error"}>
              {(ids) => <Input {...ids} value={panel.search} onChange={(e) => set({ search: e.target.value })} />}
            </Field>
          </div>
        )}
        {panel.type === "text" && (
          <div className={css.box}>
            <Field label="Markdown">{(ids) => <TextArea {...ids} rows={10} value={panel.text} onChange={(e) => set({ text: e.target.value })} />}</Field>
          </div>
        )}
        {panel.type === "flamegraph" && (
          <div className={css.box}>
            <Fields>
              <Field half label="Service" hint="$service takes the variable">
                {(ids) => <Input {...ids} value={panel.profile?.service ?? ""} onChange={(e) => set({ profile: { type: panel.profile?.type ?? "cpu", service: e.target.value } })} />}
              </Field>
              <Field half label="Type of profile">
                {(ids) => <Input {...ids} value={panel.profile?.type ?? "cpu"} onChange={(e) => set({ profile: { service: panel.profile?.service ?? "", type: e.target.value } })} />}
              </Field>
            </Fields>
          </div>
        )}
      </div>
      <aside className={css.side} aria-label="Settings of the panel">
        <div className={css.sideHead}>
          <h2>{type.label}</h2>
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        </div>
        <Field label="Type" hint={type.about}>
          {(ids) => <Select {...ids} options={PANEL_TYPES.filter((t) => t.id !== "row")} value={panel.type} onChoose={(t) => set({ type: t })} />}
        </Field>
        <Field label="Title">{(ids) => <Input {...ids} value={panel.title} maxLength={200} onChange={(e) => set({ title: e.target.value })} />}</Field>
        <Field label="Description">{(ids) => <TextArea {...ids} rows={2} value={panel.description} onChange={(e) => set({ description: e.target.value })} />}</Field>
        {isQuery(panel.type) && <Look panel={panel} set={set} />}
        {isQuery(panel.type) && <Thresholds list={panel.thresholds} onChange={(thresholds) => set({ thresholds })} />}
        <details className={css.section}>
          <summary>Range, repetition, links</summary>
          <Fields>
            <Field half label="Range of its own" hint="now-1h; empty: the page's">
              {(ids) => <Input {...ids} value={panel.range} onChange={(e) => /^(n|no|now|now-\d*[smhdw]?)?$/.test(e.target.value) && set({ range: e.target.value })} onBlur={() => !/^(now-[1-9]\d*[smhdw])?$/.test(panel.range) && set({ range: "" })} />}
            </Field>
            <Field half label="Repeat by variable" hint="once for each value">
              {(ids) => <Input {...ids} value={panel.repeat} placeholder="service" onChange={(e) => /^\w*$/.test(e.target.value) && set({ repeat: e.target.value })} />}
            </Field>
          </Fields>
          <LinksField links={panel.links} onChange={(links) => set({ links })} />
        </details>
      </aside>
    </div>
  );
}

type Set = (patch: Partial<Panel>, touched?: string) => void;

const RED_MEASURES: readonly { id: RedSource["measure"]; label: string }[] = [
  { id: "rate", label: "Requests" }, { id: "error_ratio", label: "Errors" }, { id: "p50_ns", label: "p50" }, { id: "p95_ns", label: "p95" }, { id: "p99_ns", label: "p99" }, { id: "latency", label: "Latency, as a heatmap" },
];
const RED_BY = [{ id: "none", label: "nothing" }, { id: "service", label: "service" }, { id: "operation", label: "operation" }, { id: "version", label: "version" }, { id: "instance", label: "instance" }] as const;
const NEW_RED: RedSource = { service: "", operation: "", measure: "rate", by: "none" };

function Source({ panel, set }: { panel: Panel; set: Set }) {
  return (
    <div className={css.box}>
      <Segmented
        label="What is drawn"
        options={[
          { id: "promql", label: "PromQL" },
          { id: "red", label: "Requests, from traces" },
        ]}
        value={panel.red ? "red" : "promql"}
        onChange={(id) => set({ red: id === "red" ? NEW_RED : null })}
      />
      {panel.red ? <Red red={panel.red} onChange={(red) => set({ red })} /> : <Queries panel={panel} set={set} />}
    </div>
  );
}

function Red({ red, onChange }: { red: RedSource; onChange: (r: RedSource) => void }) {
  return (
    <Fields>
      <Field half label="Measure">{(ids) => <Select {...ids} options={RED_MEASURES} value={red.measure} onChoose={(measure) => onChange({ ...red, measure })} />}</Field>
      <Field half label="One line for each">{(ids) => <Select {...ids} options={RED_BY} value={red.by} onChoose={(by) => onChange({ ...red, by })} />}</Field>
      <Field half label="Service" hint="empty: all; $service takes the variable">
        {(ids) => <Input {...ids} value={red.service} onChange={(e) => onChange({ ...red, service: e.target.value })} />}
      </Field>
      <Field half label="Operation" hint="empty: all">
        {(ids) => <Input {...ids} value={red.operation} onChange={(e) => onChange({ ...red, operation: e.target.value })} />}
      </Field>
    </Fields>
  );
}

const NEW_QUERY: PromQuery = { expr: "", legend: "", instant: false, hidden: false };

function Queries({ panel, set }: { panel: Panel; set: Set }) {
  const queries = panel.queries.length > 0 ? panel.queries : [NEW_QUERY];
  const change = (i: number, patch: Partial<PromQuery>) => set({ queries: queries.map((q, k) => (k === i ? { ...q, ...patch } : q)) }, `query ${i} ${Object.keys(patch).join()}`);
  return (
    <ol className={css.queries}>
      {queries.map((q, i) => (
        <li key={i} className={css.query} data-hidden={q.hidden || undefined}>
          <div className={css.queryHead}>
            <span className={css.ref}>{String.fromCharCode(65 + i)}</span>
            <div className={css.expr}>
              <Suspense fallback={<TextArea rows={1} value={q.expr} readOnly aria-label={`Query ${String.fromCharCode(65 + i)}`} />}>
                <PromField label={`Query ${String.fromCharCode(65 + i)}`} value={q.expr} onChange={(expr) => change(i, { expr })} />
              </Suspense>
            </div>
            <IconButton size="sm" label={`Remove query ${String.fromCharCode(65 + i)}`} disabled={queries.length === 1} onClick={() => set({ queries: queries.filter((_, k) => k !== i) })}>
              <Trash2 size={13} />
            </IconButton>
          </div>
          <div className={css.queryFoot}>
            <Input aria-label={`Legend of query ${String.fromCharCode(65 + i)}`} placeholder="Legend, such as {{service_name}}" value={q.legend} onChange={(e) => change(i, { legend: e.target.value })} />
            <Switch label="Newest value only" checked={q.instant} onChange={(instant) => change(i, { instant })} />
            <Switch label="Hidden" checked={q.hidden} onChange={(hidden) => change(i, { hidden })} />
          </div>
        </li>
      ))}
      <li>
        <Button size="sm" onClick={() => set({ queries: [...queries, NEW_QUERY] })}>
          <Plus size={13} aria-hidden /> Query
        </Button>
      </li>
    </ol>
  );
}

function Look({ panel, set }: { panel: Panel; set: Set }) {
  return (
    <section className={css.section}>
      <Fields>
        <Field half label="Unit">
          {(ids) => (
            <>
              <Input {...ids} list={`${ids.id}-units`} value={panel.unit} placeholder="none" onChange={(e) => set({ unit: e.target.value })} />
              <datalist id={`${ids.id}-units`}>
                {UNITS.filter((u) => u.id).map((u) => (
                  <option key={u.id} value={u.id} label={u.label} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        {sumsUp(panel.type) && (
          <Field half label="Value">
            {(ids) => <Select {...ids} options={(["last", "mean", "min", "max", "sum", "count"] as const).map((id) => ({ id, label: id }))} value={panel.reduce} onChoose={(reduce) => set({ reduce })} />}
          </Field>
        )}
        {isChart(panel.type) && (
          <Field half label="Drawn as">
            {(ids) => <Select {...ids} options={[{ id: "line", label: "Lines" }, { id: "stacked", label: "Stacked" }, { id: "bars", label: "Bars" }]} value={panel.style} onChoose={(style) => set({ style })} />}
          </Field>
        )}
        {isChart(panel.type) && (
          <Field half label="Legend">
            {(ids) => <Select {...ids} options={[{ id: "list", label: "List" }, { id: "table", label: "Table" }, { id: "hidden", label: "Hidden" }]} value={panel.legend} onChoose={(legend) => set({ legend })} />}
          </Field>
        )}
        {(isChart(panel.type) || panel.type === "gauge" || panel.type === "bar") && (
          <>
            <NumberField label="From" value={panel.min} onChange={(min) => set({ min })} />
            <NumberField label="To" value={panel.max} onChange={(max) => set({ max })} />
          </>
        )}
        {(panel.type === "timeseries" || ["stat", "gauge", "bar", "table"].includes(panel.type)) && <NumberField label="Decimals" value={panel.decimals} onChange={(n) => set({ decimals: n === null ? null : Math.min(12, Math.max(0, Math.round(n))) })} />}
      </Fields>
      {isChart(panel.type) && <Switch label="Fill below lines" checked={panel.fill} onChange={(fill) => set({ fill })} />}
      {isChart(panel.type) && <Switch label="Logarithmic" checked={panel.log} onChange={(log) => set({ log })} />}
      {panel.type === "stat" && <Switch label="Course behind the number" checked={panel.sparkline} onChange={(sparkline) => set({ sparkline })} />}
    </section>
  );
}

function NumberField({ label, value, onChange }: { label: string; value: number | null; onChange: (n: number | null) => void }) {
  const [text, setText] = useState(value === null ? "" : String(value));
  return (
    <Field half label={label}>
      {(ids) => (
        <Input
          {...ids}
          inputMode="decimal"
          placeholder="automatic"
          value={text}
          onChange={(e) => {
            setText(e.target.value);
            const n = Number(e.target.value);
            if (e.target.value.trim() === "") onChange(null);
            else if (Number.isFinite(n)) onChange(n);
          }}
        />
      )}
    </Field>
  );
}

const LEVELS: readonly { id: Level; label: string }[] = [{ id: "ok", label: "fine" }, { id: "warn", label: "unusual" }, { id: "bad", label: "broken" }];

function Thresholds({ list, onChange }: { list: readonly Threshold[]; onChange: (list: Threshold[]) => void }) {
  const first = list[0] ?? { from: null, level: "ok" as const };
  const rest = list.slice(1);
  const put = (next: readonly Threshold[]) => onChange(next.length === 1 && next[0]!.level === "ok" ? [] : [...next]);
  const change = (i: number, patch: Partial<Threshold>) => put([first, ...rest].map((t, k) => (k === i ? { ...t, ...patch } : t)));
  return (
    <details className={css.section} open={list.length > 0}>
      <summary>Thresholds</summary>
      <ul className={css.thresholds}>
        {[first, ...rest].map((t, i) => (
          <li key={i}>
            {i === 0 ? <span className={css.from}>at first</span> : <input className={css.from} aria-label={`Threshold ${i}`} type="number" step="any" value={t.from ?? 0} onChange={(e) => change(i, { from: Number(e.target.value) })} />}
            <Select aria-label={i === 0 ? "At first" : `Meaning from threshold ${i}`} options={LEVELS} value={t.level} onChoose={(level) => change(i, { level })} />
            {i > 0 && (
              <IconButton size="sm" label={`Remove threshold ${i}`} onClick={() => put([first, ...rest].filter((_, k) => k !== i))}>
                <Trash2 size={13} />
              </IconButton>
            )}
          </li>
        ))}
      </ul>
      <Button size="sm" onClick={() => put([first, ...rest, { from: (rest.at(-1)?.from ?? 0) + 1, level: rest.length ? "bad" : "warn" }])}>
        <Plus size={13} aria-hidden /> Threshold
      </Button>
    </details>
  );
}
