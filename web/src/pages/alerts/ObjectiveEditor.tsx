import { type FormEvent, useState } from "react";
import { post, put } from "@/api/client";
import type { Objective, ObjectivePreview } from "@/api/types";
import { lasting } from "@/lib/incident";
import { budgetMinutes, emptyObjective, objectiveWords, shownValue, typedValue } from "@/lib/rules";
import { Button } from "@/ui/Button";
import { Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Segmented } from "@/ui/Tabs";
import { ObjectivePreviewChart } from "./Preview";
import { OperationInput, ServiceInput } from "./subject";
import { usePreview } from "./usePreview";
import { useSave } from "./useSave";
import css from "./Editor.module.css";

type Draft = Omit<Objective, "id">;

const KINDS = [
  { id: "availability", label: "Requests succeed" },
  { id: "latency", label: "Requests are quick" },
] as const;
const WINDOWS = [7, 14, 28, 30, 90].map((d) => ({ id: String(d), label: `${d} days` }));

/** A promise: how many requests must be good, over how long. */
export function ObjectiveEditor({ slo, close }: { slo: Objective | undefined; close: () => void }) {
  const save = useSave("/slos");
  const [o, set] = useState<Draft>(() => {
    if (!slo) return emptyObjective();
    const { id: _, state: __, ...draft } = slo;
    return draft;
  });
  const [target, setTarget] = useState(() => shownValue(o.target, 0.01));
  const [slower, setSlower] = useState(() => String(o.slower_than_ms));
  const [tried, setTried] = useState(false);
  const patch = (p: Partial<Draft>) => set((old) => ({ ...old, ...p }));
  const share = typedValue(target, 0.01);
  const limit = typedValue(slower, 1);
  const faults: Record<string, string> = {};
  if (!o.service.trim()) faults.service = "Which service?";
  if (share === null || share <= 0 || share >= 1) faults.target = "More than 0 and less than 100.";
  if (o.kind === "latency" && (limit === null || limit <= 0)) faults.slower_than_ms = "A duration is needed.";
  const ready = Object.keys(faults).length === 0;
  const draft: Draft = { ...o, target: share ?? 0, slower_than_ms: o.kind === "latency" ? (limit ?? 0) : 0 };
  const preview = usePreview<ObjectivePreview>("/slos/preview", ready ? { slo: { ...draft, name: draft.name || "preview" } } : null, o.window_days * 24);
  const error = (field: string) => save.errorOf(field) ?? (tried ? (faults[field] ?? null) : null);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (!ready) return;
    const body = { ...draft, name: draft.name.trim() || objectiveWords(draft) };
    const made = slo ? await save.run(() => put<Objective>(`/slos/${encodeURIComponent(slo.id)}`, body), `${body.name} saved`) : await save.run(() => post<Objective>("/slos", body), `${body.name} is watched`);
    if (made !== undefined) close();
  };
  return (
    <div className={css.columns}>
      <Panel title={slo ? `Edit ${slo.name}` : "New SLO"}>
        <form onSubmit={(e) => void submit(e)} noValidate aria-label={slo ? `Edit ${slo.name}` : "New SLO"}>
          <Fields>
            <div className={css.full}>
              <Segmented label="What is promised" options={KINDS} value={o.kind} onChange={(kind) => patch({ kind })} />
            </div>
            <Field half label="Service" error={error("service")}>
              {(ids) => <ServiceInput {...ids} value={o.service} onText={(service) => patch({ service })} />}
            </Field>
            <Field half label="Operation (optional)">
              {(ids) => <OperationInput {...ids} service={o.service} value={o.operation} onText={(operation) => patch({ operation })} />}
            </Field>
            {o.kind === "latency" && (
              <Field half label="Quicker than" error={error("slower_than_ms")}>
                {(ids) => <Input {...ids} inputMode="decimal" unit="ms" value={slower} onChange={(e) => setSlower(e.target.value)} />}
              </Field>
            )}
            <Field half label="Target" error={error("target")} hint={ready ? `The budget: ${lasting(budgetMinutes(draft) * 60_000)} of a total outage.` : undefined}>
              {(ids) => <Input {...ids} inputMode="decimal" unit="% good" value={target} onChange={(e) => setTarget(e.target.value)} />}
            </Field>
            <Field half label="Over">{(ids) => <Select {...ids} options={WINDOWS.some((w) => w.id === String(o.window_days)) ? WINDOWS : [...WINDOWS, { id: String(o.window_days), label: `${o.window_days} days` }]} value={String(o.window_days)} onChoose={(d) => patch({ window_days: Number(d) })} />}</Field>
            <Field half label="Environment (optional)">{(ids) => <Input {...ids} value={o.env} placeholder="all" onChange={(e) => patch({ env: e.target.value })} />}</Field>
            <Field half label="Name">{(ids) => <Input {...ids} value={o.name} onChange={(e) => patch({ name: e.target.value })} placeholder={o.service ? `${o.service} ${o.kind}` : ""} />}</Field>
          </Fields>
          <p className={css.explain}>You are told when the budget would be gone in two days (2 % of it within an hour) or within the window (5 % in six hours), each confirmed by a shorter window, so that it ends soon after the trouble does.</p>
          {save.fault && (
            <p role="alert" className={css.fault}>
              {save.fault.text}
            </p>
          )}
          <FormActions>
            <Button onClick={close}>Cancel</Button>
            <Button tone="primary" type="submit" disabled={save.busy || (tried && !ready)}>
              {save.busy ? "Saving…" : slo ? "Save" : "Create SLO"}
            </Button>
          </FormActions>
        </form>
      </Panel>
      <Panel title="How it stands">
        {ready ? <ObjectivePreviewChart slo={draft} preview={preview} sentence={objectiveWords(draft)} /> : <p className={css.none}>{Object.values(faults)[0]} The preview appears as soon as the objective can be tried.</p>}
      </Panel>
    </div>
  );
}
