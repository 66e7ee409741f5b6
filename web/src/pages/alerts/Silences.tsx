import { type FormEvent, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { del, post, put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Silence, SilencesAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { useNow } from "@/app/useNow";
import { conditionWords, names, ownZone, silenceWords } from "@/lib/routing";
import { fromInputValue, inputValue } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Checks, Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { SEVERITY_OPTIONS } from "@/ui/Severity";
import { Time } from "@/ui/Time";
import { useSave } from "./useSave";
import dialog from "./Confirm.module.css";
import css from "./Page.module.css";

const REPEAT = [
  { id: "", label: "Once" },
  { id: "daily", label: "Every day (maintenance window)" },
  { id: "weekly", label: "Every week (maintenance window)" },
] as const;

/** Times in which nobody is told: now, planned, or again and again. */
export function Silences() {
  const q = useQuery(plain<SilencesAnswer>("/silences", {}, 15_000));
  const [editing, setEditing] = useState<Silence | "new" | null>(null);
  const save = useSave("/silences");
  const now = useNow();
  const end = (s: Silence) => {
    const { id: _, active: __, created_at: ___, ...again } = s;
    void save.run(() => del(`/silences/${encodeURIComponent(s.id)}`), "The silence has ended", () => post("/silences", again));
  };
  return (
    <>
      <div className={css.intro}>
        <p>Incidents are still opened and listed, but no message is sent. A silence that recurs is a maintenance window.</p>
        <Button tone="primary" onClick={() => setEditing("new")}>
          <Plus size={14} aria-hidden /> New silence
        </Button>
      </div>
      <Panel flush>
        <Query query={q}>
          {({ silences }) =>
            silences.length === 0 ? (
              <Empty title="No silence">Plan one before a migration, or a window for the nightly restart.</Empty>
            ) : (
              <ul className={css.list} aria-label="Silences">
                {silences.map((s) => (
                  <li key={s.id} className={css.item}>
                    <div>
                      <p className={css.name}>
                        {s.name || conditionWords(s)} {s.active && <span className={css.active}>now</span>}
                      </p>
                      <p className={css.detail}>
                        {s.name && `${conditionWords(s)} · `}
                        {silenceWords(s, now)} · <Time t={Date.parse(s.from)} />
                        {s.repeat && ` (${s.zone || "UTC"})`}
                        {s.reason && ` · ${s.reason}`}
                      </p>
                    </div>
                    <div className={css.buttons}>
                      <Button size="sm" onClick={() => setEditing(s)}>
                        Edit
                      </Button>
                      <Button size="sm" disabled={save.busy} onClick={() => end(s)}>
                        {s.active ? "End" : "Remove"}
                      </Button>
                    </div>
                  </li>
                ))}
              </ul>
            )
          }
        </Query>
      </Panel>
      <Dialog open={editing !== null} onClose={() => setEditing(null)} label="Silence">
        {editing !== null && <SilenceForm silence={editing === "new" ? undefined : editing} close={() => setEditing(null)} />}
      </Dialog>
    </>
  );
}

function SilenceForm({ silence: s, close }: { silence: Silence | undefined; close: () => void }) {
  const { utc } = useScope();
  const save = useSave("/silences");
  const [name, setName] = useState(s?.name ?? "");
  const [services, setServices] = useState(s?.services.join(", ") ?? "");
  const [envs, setEnvs] = useState(s?.envs.join(", ") ?? "");
  const [severities, setSeverities] = useState(s?.severities ?? []);
  const [from, setFrom] = useState(() => inputValue(s ? Date.parse(s.from) : Date.now(), utc).slice(0, 16));
  const [to, setTo] = useState(() => inputValue(s ? Date.parse(s.to) : Date.now() + 7_200_000, utc).slice(0, 16));
  const [repeat, setRepeat] = useState<Silence["repeat"]>(s?.repeat ?? "");
  const [zone, setZone] = useState(s?.zone || (utc ? "UTC" : ownZone()));
  const [reason, setReason] = useState(s?.reason ?? "");
  const begins = fromInputValue(from, utc);
  const ends = fromInputValue(to, utc);
  const order = begins !== null && ends !== null && ends <= begins ? "must be later than the beginning" : null;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (begins === null || ends === null || order) return;
    const body = { name: name.trim(), services: names(services), envs: names(envs), severities, from: new Date(begins).toISOString(), to: new Date(ends).toISOString(), repeat, zone, reason: reason.trim() };
    const made = s ? await save.run(() => put<Silence>(`/silences/${encodeURIComponent(s.id)}`, body), "Silence saved") : await save.run(() => post<Silence>("/silences", body), "Silence made");
    if (made !== undefined) close();
  };
  return (
    <form onSubmit={(e) => void submit(e)} className={dialog.form} aria-label="Silence">
      <h2 className={css.formTitle}>{s ? "Edit silence" : "New silence"}</h2>
      <Fields>
        <Field label="Name (optional)">{(ids) => <Input {...ids} value={name} onChange={(e) => setName(e.target.value)} placeholder="Database migration" />}</Field>
        <Field half label="Services" hint="Names separated by commas, * stands for anything. Empty: all." error={save.errorOf("services")}>
          {(ids) => <Input {...ids} value={services} onChange={(e) => setServices(e.target.value)} placeholder="all" />}
        </Field>
        <Field half label="Environments" hint="Empty: all.">
          {(ids) => <Input {...ids} value={envs} onChange={(e) => setEnvs(e.target.value)} placeholder="all" />}
        </Field>
        <Checks label="Severity (none: all)" options={SEVERITY_OPTIONS} value={severities} onChange={setSeverities} />
        <Field half label={`From${utc ? " (UTC)" : ""}`} error={save.errorOf("from")}>
          {(ids) => <Input {...ids} type="datetime-local" value={from} onChange={(e) => setFrom(e.target.value)} />}
        </Field>
        <Field half label={`To${utc ? " (UTC)" : ""}`} error={order ?? save.errorOf("to")}>
          {(ids) => <Input {...ids} type="datetime-local" value={to} onChange={(e) => setTo(e.target.value)} />}
        </Field>
        <Field half label="How often">{(ids) => <Select {...ids} options={REPEAT} value={repeat} onChoose={setRepeat} />}</Field>
        {repeat && (
          <Field half label="Time zone" hint="The hours follow its daylight saving." error={save.errorOf("zone")}>
            {(ids) => <Input {...ids} value={zone} onChange={(e) => setZone(e.target.value)} />}
          </Field>
        )}
        <Field label="Why">{(ids) => <Input {...ids} value={reason} onChange={(e) => setReason(e.target.value)} />}</Field>
      </Fields>
      {save.fault && (
        <p role="alert" className={css.fault}>
          {save.fault.text}
        </p>
      )}
      <FormActions>
        <Button onClick={close}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={save.busy || begins === null || ends === null || !!order}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}
