import { type FormEvent, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { BellOff } from "lucide-react";
import { del, post } from "@/api/client";
import { plain } from "@/api/queries";
import type { Mute, MutesAnswer, Symptom } from "@/api/types";
import { useNow } from "@/app/useNow";
import { lasting, moment, symptomName } from "@/lib/incident";
import { Button } from "@/ui/Button";
import { Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query } from "@/ui/States";
import { Normal } from "./Normal";
import { OperationInput, ServiceInput } from "./subject";
import { useSave } from "./useSave";
import css from "./Page.module.css";

const FOR = [
  { id: "1", label: "1 hour" },
  { id: "4", label: "4 hours" },
  { id: "24", label: "1 day" },
  { id: "168", label: "1 week" },
  { id: "", label: "Until it is lifted" },
] as const;
const SYMPTOMS: { id: Symptom | ""; label: string }[] = [{ id: "", label: "Anything" }, ...(["latency", "errors", "traffic", "saturation"] as const).map((id) => ({ id, label: symptomName(id) }))];

/** Series that detection keeps quiet about. */
export function Mutes() {
  const q = useQuery(plain<MutesAnswer>("/mutes", {}, 15_000));
  const save = useSave("/mutes");
  const now = useNow();
  const lift = (m: Mute) => {
    const { id: _, created_at: __, ...again } = m;
    void save.run(() => del(`/mutes/${encodeURIComponent(m.id)}`), "The mute is lifted", () => post("/mutes", again));
  };
  return (
    <>
      <div className={css.intro}>
        <p>What is muted opens no incident and tells nobody. To stop messages but keep the incidents, use a silence. To accept a new level for good, use “This is normal” on an incident.</p>
      </div>
      <Panel flush>
        <Query query={q}>
          {({ mutes }) =>
            mutes.length === 0 ? (
              <Empty title="Nothing is muted">Mute a noisy series from its incident, or below.</Empty>
            ) : (
              <ul className={css.list} aria-label="Mutes">
                {mutes.map((m) => {
                  const until = moment(m.until);
                  return (
                    <li key={m.id} className={css.item}>
                      <div>
                        <p className={css.name}>
                          <ServiceDot name={m.subject.service} /> {m.subject.service} {m.subject.operation} <span className={css.faint}>{m.subject.symptom ? symptomName(m.subject.symptom).toLowerCase() : "anything"}</span>
                        </p>
                        <p className={css.detail}>
                          {until === null ? "until it is lifted" : until > now ? `for another ${lasting(until - now)}` : "over"}
                          {m.reason && ` · ${m.reason}`}
                        </p>
                      </div>
                      <div className={css.buttons}>
                        <Button size="sm" disabled={save.busy} onClick={() => lift(m)}>
                          Lift
                        </Button>
                      </div>
                    </li>
                  );
                })}
              </ul>
            )
          }
        </Query>
      </Panel>
      <New />
      <Normal />
    </>
  );
}

function New() {
  const save = useSave("/mutes");
  const [service, setService] = useState("");
  const [operation, setOperation] = useState("");
  const [symptom, setSymptom] = useState<Symptom | "">("");
  const [hours, setHours] = useState<(typeof FOR)[number]["id"]>("4");
  const [reason, setReason] = useState("");
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    const subject: Mute["subject"] = { service: service.trim(), operation: operation.trim() || undefined, symptom: symptom || undefined };
    const until = hours ? new Date(Date.now() + Number(hours) * 3_600_000).toISOString() : null;
    if ((await save.run(() => post<Mute>("/mutes", { subject, until, reason: reason.trim() }), `${subject.service} is muted`)) === undefined) return;
    setOperation("");
    setReason("");
  };
  return (
    <Panel title="Mute something">
      <form className={css.form} onSubmit={(e) => void submit(e)} aria-label="Mute something">
        <Fields>
          <Field half label="Service" error={save.errorOf("service")}>
            {(ids) => <ServiceInput {...ids} value={service} onText={setService} />}
          </Field>
          <Field half label="Operation (optional)">
            {(ids) => <OperationInput {...ids} service={service.trim()} value={operation} onText={setOperation} />}
          </Field>
          <Field half label="What">{(ids) => <Select {...ids} options={SYMPTOMS} value={symptom} onChoose={setSymptom} />}</Field>
          <Field half label="How long">{(ids) => <Select {...ids} options={FOR} value={hours} onChoose={setHours} />}</Field>
          <Field label="Why">{(ids) => <Input {...ids} value={reason} onChange={(e) => setReason(e.target.value)} placeholder="Load test until Friday" />}</Field>
        </Fields>
        <FormActions>
          <Button tone="primary" type="submit" disabled={!service.trim() || save.busy}>
            <BellOff size={14} aria-hidden /> Mute
          </Button>
        </FormActions>
      </form>
    </Panel>
  );
}
