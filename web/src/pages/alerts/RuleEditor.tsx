import { type FormEvent, useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { post, put } from "@/api/client";
import { scoped } from "@/api/queries";
import type { MetricsAnswer, Rule, RulePreview } from "@/api/types";
import { useScope } from "@/app/range";
import { emptyRule, measured, ruleFaults, ruleWords, shownValue, typedUnit, typedValue } from "@/lib/rules";
import { Button } from "@/ui/Button";
import { Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { SEVERITY_OPTIONS } from "@/ui/Severity";
import { Segmented } from "@/ui/Tabs";
import { PreviewHours, RulePreviewChart } from "./Preview";
import { OperationInput, ServiceInput } from "./subject";
import { usePreview } from "./usePreview";
import { useSave } from "./useSave";
import css from "./Editor.module.css";

type Draft = Omit<Rule, "id">;

const SIGNALS = [
  { id: "red", label: "Requests" },
  { id: "metric", label: "Metric" },
  { id: "logs", label: "Logs" },
] as const;
const MEASURES = [
  { id: "error_ratio", label: "Errors" },
  { id: "latency", label: "Latency" },
  { id: "rate", label: "Requests a second" },
] as const;
const QUANTILES = ["0.5", "0.75", "0.9", "0.95", "0.99"].map((id) => ({ id, label: `p${Number(id) * 100}` }));
const OPERATORS = [">", ">=", "<", "<="].map((id) => ({ id: id as Rule["operator"], label: { ">": "above", ">=": "at or above", "<": "below", "<=": "at or below" }[id]! }));
const AGGREGATIONS = ["auto", "avg", "sum", "min", "max", "rate", "p50", "p95", "p99", "count"].map((id) => ({ id, label: id }));
const NO_DATA = [
  { id: "ok", label: "Nothing: silence is fine" },
  { id: "firing", label: "Alert: silence is trouble" },
  { id: "keep", label: "Stay as it was" },
] as const;
const minutes = (list: readonly number[]) => list.map((m) => ({ id: String(m * 60), label: m === 0 ? "at once" : m < 60 ? `${m} min` : `${m / 60} h` }));
const withOwn = (list: { id: string; label: string }[], seconds: number) => (list.some((o) => o.id === String(seconds)) ? list : [...list, { id: String(seconds), label: `${seconds} s` }]);

/** A threshold, with what it would have done in the past beside it. */
export function RuleEditor({ rule, close }: { rule: Rule | undefined; close: () => void }) {
  const save = useSave("/rules");
  const [r, set] = useState<Draft>(() => {
    if (!rule) return emptyRule();
    const { id: _, state: __, ...draft } = rule;
    return draft;
  });
  const { unit, factor } = typedUnit(r);
  const [threshold, setThreshold] = useState(() => shownValue(r.threshold, factor));
  const [recovery, setRecovery] = useState(() => shownValue(r.recovery, factor));
  const [hours, setHours] = useState(24);
  const [tried, setTried] = useState(false);
  const draft: Draft = { ...r, threshold: typedValue(threshold, factor) ?? NaN, recovery: typedValue(recovery, factor) };
  const faults = ruleFaults(draft);
  const ready = Object.keys(faults).length === 0;
  const preview = usePreview<RulePreview>("/rules/preview", ready ? { rule: { ...draft, name: draft.name || "preview" } } : null, hours);
  const patch = (p: Partial<Draft>) => set((o) => ({ ...o, ...p }));
  const error = (field: string) => save.errorOf(field) ?? (tried ? (faults[field] ?? null) : null);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (!ready) return;
    const body = { ...draft, name: draft.name.trim() || measured(draft) };
    const made = rule ? await save.run(() => put<Rule>(`/rules/${encodeURIComponent(rule.id)}`, body), `${body.name} saved`) : await save.run(() => post<Rule>("/rules", body), `${body.name} is watched`);
    if (made !== undefined) close();
  };
  return (
    <div className={css.columns}>
      <Panel title={rule ? `Edit ${rule.name}` : "New rule"}>
        <form onSubmit={(e) => void submit(e)} noValidate aria-label={rule ? `Edit ${rule.name}` : "New rule"}>
          <Fields>
            <div className={css.full}>
              <Segmented label="What is measured" options={SIGNALS} value={r.signal} onChange={(signal) => patch({ signal })} />
            </div>
            {r.signal === "red" && <RedFields r={r} patch={patch} error={error} />}
            {r.signal === "metric" && <MetricFields r={r} patch={patch} error={error} />}
            {r.signal === "logs" && (
              <Field label="Log records that match" hint="As in the logs page: service:checkout severity>=error timeout" error={error("query")}>
                {(ids) => <Input {...ids} className="mono" value={r.query} onChange={(e) => patch({ query: e.target.value })} placeholder="service:checkout severity>=error" />}
              </Field>
            )}
            <Field half label="Is">{(ids) => <Select {...ids} options={OPERATORS} value={r.operator} onChoose={(operator) => patch({ operator })} />}</Field>
            <Field half label="Threshold" error={error("threshold")}>
              {(ids) => <Input {...ids} inputMode="decimal" unit={unit} value={threshold} onChange={(e) => setThreshold(e.target.value)} />}
            </Field>
            <Field half label="Measured over">{(ids) => <Select {...ids} options={withOwn(minutes([1, 2, 5, 10, 15, 30, 60]), r.window_s)} value={String(r.window_s)} onChoose={(v) => patch({ window_s: Number(v) })} />}</Field>
            <Field half label="Alert after">{(ids) => <Select {...ids} options={withOwn(minutes([0, 1, 2, 5, 10, 15, 30, 60]), r.for_s)} value={String(r.for_s)} onChoose={(v) => patch({ for_s: Number(v) })} />}</Field>
            <Field half label="Severity">{(ids) => <Select {...ids} options={SEVERITY_OPTIONS} value={r.severity} onChoose={(severity) => patch({ severity })} />}</Field>
            <Field half label="Name">{(ids) => <Input {...ids} value={r.name} onChange={(e) => patch({ name: e.target.value })} placeholder={measured(draft)} />}</Field>
          </Fields>
          <details className={css.more} open={r.recovery !== null || r.keep_firing_s > 0 || r.min_traffic > 0 || r.no_data !== "ok"}>
            <summary>Recovery, little traffic, no data</summary>
            <Fields>
              <Field half label="Over again when (optional)" hint="Another threshold for the way back, against flapping." error={error("recovery")}>
                {(ids) => <Input {...ids} inputMode="decimal" unit={unit} value={recovery} onChange={(e) => setRecovery(e.target.value)} />}
              </Field>
              <Field half label="Stay open for" hint="After the last bad moment.">
                {(ids) => <Select {...ids} options={withOwn([{ id: "0", label: "not at all" }, ...minutes([1, 5, 15, 30])], r.keep_firing_s)} value={String(r.keep_firing_s)} onChoose={(v) => patch({ keep_firing_s: Number(v) })} />}
              </Field>
              {r.signal === "red" && (
                <Field half label="Only from" hint="Fewer requests in the window say nothing.">
                  {(ids) => <Input {...ids} inputMode="numeric" unit="requests" value={r.min_traffic || ""} onChange={(e) => patch({ min_traffic: Math.max(0, Math.floor(Number(e.target.value) || 0)) })} />}
                </Field>
              )}
              <Field half label="Without data">{(ids) => <Select {...ids} options={NO_DATA} value={r.no_data} onChoose={(no_data) => patch({ no_data })} />}</Field>
            </Fields>
          </details>
          {save.fault && (
            <p role="alert" className={css.fault}>
              {save.fault.text}
            </p>
          )}
          <FormActions>
            <Button onClick={close}>Cancel</Button>
            <Button tone="primary" type="submit" disabled={save.busy || (tried && !ready)}>
              {save.busy ? "Saving…" : rule ? "Save" : "Create rule"}
            </Button>
          </FormActions>
        </form>
      </Panel>
      <Panel title="What it would have done" aside={<PreviewHours value={hours} onChange={setHours} />}>
        {ready ? <RulePreviewChart rule={draft} preview={preview} sentence={ruleWords(draft, preview.data?.unit)} /> : <p className={css.none}>{Object.values(faults)[0]} The preview appears as soon as the rule can be tried.</p>}
      </Panel>
    </div>
  );
}

interface PartProps {
  r: Draft;
  patch: (p: Partial<Draft>) => void;
  error: (field: string) => string | null;
}

function RedFields({ r, patch, error }: PartProps) {
  return (
    <>
      <Field half label="Service" error={error("service")}>
        {(ids) => <ServiceInput {...ids} value={r.service} onText={(service) => patch({ service })} />}
      </Field>
      <Field half label="Operation (optional)">
        {(ids) => <OperationInput {...ids} service={r.service} value={r.operation} onText={(operation) => patch({ operation })} />}
      </Field>
      <Field half label="What">{(ids) => <Select {...ids} options={MEASURES} value={r.measure} onChoose={(measure) => patch({ measure })} />}</Field>
      {r.measure === "latency" ? (
        <Field half label="Of how many requests" hint="p95: the slowest 5 % are left out.">
          {(ids) => <Select {...ids} options={QUANTILES} value={String(r.quantile)} onChoose={(q) => patch({ quantile: Number(q) })} />}
        </Field>
      ) : (
        <Field half label="Environment (optional)">{(ids) => <Input {...ids} value={r.env} placeholder="all" onChange={(e) => patch({ env: e.target.value })} />}</Field>
      )}
    </>
  );
}

function MetricFields({ r, patch, error }: PartProps) {
  const scope = useScope();
  const metrics = useQuery(scoped<MetricsAnswer>("/metrics", scope, { q: r.metric }));
  const info = useMemo(() => metrics.data?.metrics.find((m) => m.name === r.metric), [metrics.data, r.metric]);
  return (
    <>
      <Field label="Metric" hint={info?.description} error={error("metric")}>
        {(ids) => (
          <>
            <Input {...ids} className="mono" list="rule-metrics" value={r.metric} onChange={(e) => patch({ metric: e.target.value })} />
            <datalist id="rule-metrics">
              {metrics.data?.metrics.slice(0, 50).map((m) => <option key={m.name} value={m.name} />)}
            </datalist>
          </>
        )}
      </Field>
      <Field half label="Aggregation">{(ids) => <Select {...ids} options={AGGREGATIONS} value={r.agg} onChoose={(agg) => patch({ agg })} />}</Field>
      <Field half label="Only series with" hint="label:value, separated by commas.">
        {(ids) => <Input {...ids} className="mono" defaultValue={r.filter.join(", ")} placeholder="service.name:checkout" onChange={(e) => patch({ filter: e.target.value.split(",").map((s) => s.trim()).filter(Boolean) })} />}
      </Field>
    </>
  );
}
