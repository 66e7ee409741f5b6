import { type FormEvent, useState } from "react";
import type { Incident } from "@/api/types";
import { symptomName } from "@/lib/incident";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import type { MuteRequest } from "./actions";
import css from "./Dialogs.module.css";

const FOR = [
  { id: "1", label: "1 hour" },
  { id: "4", label: "4 hours" },
  { id: "24", label: "1 day" },
  { id: "168", label: "1 week" },
  { id: "", label: "Until it is lifted" },
] as const;

/** What of the incident shall be quiet, and for how long. */
export function MuteDialog({ open, onClose, incident, onMute }: { open: boolean; onClose: () => void; incident: Incident; onMute: (m: MuteRequest) => void }) {
  return (
    <Dialog open={open} onClose={onClose} label="Mute">
      <Form incident={incident} onClose={onClose} onMute={onMute} />
    </Dialog>
  );
}

/** The scopes one may want quiet, the narrowest first: the cause's operation and symptom, its operation, its service. */
function scopes(i: Incident): { label: string; subject: MuteRequest["subject"] }[] {
  const lead = i.root_causes[0];
  const service = lead?.service ?? i.services[0] ?? "";
  const operation = lead?.operation || i.alarms?.[0]?.subject.operation || "";
  const symptom = lead?.kind ?? i.alarms?.[0]?.symptom;
  const out: { label: string; subject: MuteRequest["subject"] }[] = [];
  if (operation && symptom) out.push({ label: `${symptomName(symptom)} of ${service} ${operation}`, subject: { service, operation, symptom } });
  if (operation) out.push({ label: `Everything of ${service} ${operation}`, subject: { service, operation } });
  if (symptom) out.push({ label: `${symptomName(symptom)} of ${service}`, subject: { service, symptom } });
  out.push({ label: `Everything of ${service}`, subject: { service } });
  for (const s of i.services) if (s !== service) out.push({ label: `Everything of ${s}`, subject: { service: s } });
  return out;
}

function Form({ incident, onClose, onMute }: { incident: Incident; onClose: () => void; onMute: (m: MuteRequest) => void }) {
  const choices = scopes(incident);
  const [scope, setScope] = useState("0");
  const [hours, setHours] = useState<(typeof FOR)[number]["id"]>("4");
  const [reason, setReason] = useState("");
  const submit = (e: FormEvent) => {
    e.preventDefault();
    onMute({ subject: choices[Number(scope)]!.subject, until: hours ? new Date(Date.now() + Number(hours) * 3_600_000).toISOString() : null, reason: reason.trim() });
    onClose();
  };
  return (
    <form onSubmit={submit} className={css.form}>
      <h2>Mute</h2>
      <p className={css.lead}>Nothing is opened or told about it meanwhile. It can be lifted under Alerts, Mutes.</p>
      <Fields>
        <Field label="What">{(ids) => <Select {...ids} options={choices.map((c, n) => ({ id: String(n), label: c.label }))} value={scope} onChoose={setScope} />}</Field>
        <Field label="How long">{(ids) => <Select {...ids} options={FOR} value={hours} onChoose={setHours} />}</Field>
        <Field label="Why" hint="Whoever wonders later will read it.">
          {(ids) => <Input {...ids} value={reason} onChange={(e) => setReason(e.target.value)} placeholder="Load test until Friday" />}
        </Field>
      </Fields>
      <FormActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button tone="primary" type="submit">
          Mute
        </Button>
      </FormActions>
    </form>
  );
}
