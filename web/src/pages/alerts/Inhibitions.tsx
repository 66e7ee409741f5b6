import { type FormEvent, useState } from "react";
import { Plus, X } from "lucide-react";
import type { Inhibition, Routing } from "@/api/types";
import { capital, emptyMatch, matchWords } from "@/lib/routing";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Checks, Fields, FormActions } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { MatchFields } from "./fields";
import type { Store } from "./Routing";
import type { Saving } from "./useSave";
import dialog from "./Confirm.module.css";
import css from "./Page.module.css";

const EQUAL = [
  { id: "service", label: "at least one service" },
  { id: "env", label: "the environment" },
] as const;

const fresh = (): Inhibition => ({ source: { ...emptyMatch(), severities: ["critical"] }, target: { ...emptyMatch(), severities: ["warning", "info"] }, equal: ["service"] });

/** What is held back while something worse is known. */
export function Inhibitions({ routing: r, store, save }: { routing: Routing; store: Store; save: Saving }) {
  const [adding, setAdding] = useState(false);
  const add = async (h: Inhibition) => {
    if ((await store({ ...r, inhibit: [...r.inhibit, h] }, "Saved")) !== undefined) setAdding(false);
  };
  return (
    <Panel
      flush
      title="Held back"
      aside={
        <Button size="sm" onClick={() => setAdding(true)}>
          <Plus size={13} aria-hidden /> Add
        </Button>
      }
    >
      {r.inhibit.length === 0 ? (
        <p className={css.none}>Nothing is held back while another incident is open. What has one cause is one incident already.</p>
      ) : (
        <ul className={css.list} aria-label="Held back">
          {r.inhibit.map((h, n) => (
            <li key={n} className={css.item}>
              <p className={css.sentence}>
                {capital(matchWords(h.target))} <span className={css.detail}>while there are open</span> {matchWords(h.source)}
                {h.equal.length > 0 && <span className={css.detail}> that share {EQUAL.filter((e) => h.equal.includes(e.id)).map((e) => e.label).join(" and ")}</span>}
              </p>
              <IconButton size="sm" label="Remove" disabled={save.busy} onClick={() => void store({ ...r, inhibit: r.inhibit.filter((_, i) => i !== n) }, "Removed")}>
                <X size={14} aria-hidden />
              </IconButton>
            </li>
          ))}
        </ul>
      )}
      <Dialog open={adding} onClose={() => setAdding(false)} label="Hold back">
        <InhibitionForm save={save} close={() => setAdding(false)} keep={(h) => void add(h)} />
      </Dialog>
    </Panel>
  );
}

function InhibitionForm({ save, close, keep }: { save: Saving; close: () => void; keep: (h: Inhibition) => void }) {
  const [h, set] = useState(fresh);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    keep(h);
  };
  return (
    <form onSubmit={submit} className={dialog.form} aria-label="Hold back">
      <h2 className={css.formTitle}>Hold back</h2>
      <Fields>
        <MatchFields value={h.target} onChange={(target) => set({ ...h, target })} />
      </Fields>
      <h3 className={css.between}>while these are open</h3>
      <Fields>
        <MatchFields value={h.source} onChange={(source) => set({ ...h, source })} />
        <Checks label="and both share" options={EQUAL} value={h.equal} onChange={(equal) => set({ ...h, equal })} />
      </Fields>
      {save.fault && (
        <p role="alert" className={css.fault}>
          {save.fault.text}
        </p>
      )}
      <FormActions>
        <Button onClick={close}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={save.busy}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}
