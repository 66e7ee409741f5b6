import { type FormEvent, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Sensitivity } from "@/api/types";
import { budgetWords, LEVELS, levelOf } from "@/lib/sensitivity";
import { Button, IconButton } from "@/ui/Button";
import { FormActions, Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Query } from "@/ui/States";
import { Backtest } from "./Backtest";
import { OperationInput, ServiceInput } from "./subject";
import { useSave } from "./useSave";
import css from "./Sensitivity.module.css";

/** One setting, exceptions from it, and a look at what it would have meant before it is saved. */
export function SensitivityTab() {
  const q = useQuery(plain<Sensitivity>("/sensitivity"));
  return <Query query={q}>{(saved) => <Editor key={JSON.stringify(saved)} saved={saved} />}</Query>;
}

function Editor({ saved }: { saved: Sensitivity }) {
  const [draft, setDraft] = useState<Sensitivity>(saved);
  const save = useSave("/sensitivity");
  const changed = JSON.stringify(draft) !== JSON.stringify(saved);
  const broken = draft.overrides.some((o) => !o.service.trim());
  const override = (n: number, p: Partial<Sensitivity["overrides"][number]>) => setDraft((d) => ({ ...d, overrides: d.overrides.map((o, i) => (i === n ? { ...o, ...p } : o)) }));
  const submit = (e: FormEvent) => {
    e.preventDefault();
    void save.run(() => put<Sensitivity>("/sensitivity", draft), "Sensitivity saved", () => put("/sensitivity", saved));
  };
  return (
    <>
      <Panel title="How sensitive">
        <form onSubmit={submit} aria-label="Sensitivity">
          <p className={css.lead}>One setting: how many false alarms a day you are willing to put up with, over all services together. The more, the sooner weak signs are told.</p>
          <div className={css.slider}>
            <input
              type="range"
              min={0}
              max={LEVELS.length - 1}
              step={1}
              value={levelOf(draft.default)}
              aria-label="Expected false alarms a day"
              aria-valuetext={budgetWords(draft.default)}
              onChange={(e) => setDraft((d) => ({ ...d, default: LEVELS[Number(e.target.value)]! }))}
            />
            <output>{budgetWords(draft.default)}</output>
          </div>
          <div className={css.ends} aria-hidden>
            <span>only what is certain</span>
            <span>every suspicion</span>
          </div>
          <h3 className={css.sub}>Exceptions</h3>
          {draft.overrides.length === 0 && <p className={css.none}>None: every service is judged alike.</p>}
          <ul className={css.overrides}>
            {draft.overrides.map((o, n) => (
              <li key={n}>
                <ServiceInput aria-label="Service" placeholder="service" value={o.service} onText={(service) => override(n, { service })} />
                <OperationInput aria-label="Operation" placeholder="all operations" service={o.service.trim()} value={o.operation ?? ""} onText={(text) => override(n, { operation: text || undefined })} />
                <Select aria-label="Expected false alarms" options={LEVELS.map((b) => ({ id: String(b), label: budgetWords(b) }))} value={String(LEVELS[levelOf(o.budget)])} onChoose={(b) => override(n, { budget: Number(b) })} />
                <IconButton label={`Remove the exception for ${o.service || "this service"}`} onClick={() => setDraft((d) => ({ ...d, overrides: d.overrides.filter((_, i) => i !== n) }))}>
                  <X size={14} aria-hidden />
                </IconButton>
              </li>
            ))}
          </ul>
          <Button size="sm" onClick={() => setDraft((d) => ({ ...d, overrides: [...d.overrides, { service: "", budget: 0.01 }] }))}>
            <Plus size={13} aria-hidden /> Exception for a service or operation
          </Button>
          {save.fault && (
            <p role="alert" className={css.fault}>
              {save.fault.text}
            </p>
          )}
          <FormActions>
            {changed && <span className={css.unsaved}>Not saved yet. Try it below first.</span>}
            <Button disabled={!changed || save.busy} onClick={() => setDraft(saved)}>
              Discard
            </Button>
            <Button tone="primary" type="submit" disabled={!changed || broken || save.busy}>
              {save.busy ? "Saving…" : "Save"}
            </Button>
          </FormActions>
        </form>
      </Panel>
      <Backtest draft={draft} changed={changed && !broken} />
    </>
  );
}
