import { type FormEvent, useState } from "react";
import { post, put } from "@/api/client";
import type { ProfileTarget, ProfileTargetsAnswer } from "@/api/types";
import { typeLabel } from "@/lib/profiletype";
import { faultsOf, formOf, NEW_TARGET, type TargetForm, wishOf } from "@/lib/targets";
import { useSave } from "@/pages/alerts/useSave";
import { Button } from "@/ui/Button";
import { Checks, Field, Fields, FormActions, Input, Select, Switch, TextArea } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Trial, useTrial } from "./Trial";
import css from "./Page.module.css";

const AUTH = [
  { id: "none", label: "None" },
  { id: "basic", label: "Name and password" },
  { id: "bearer", label: "Bearer token" },
] as const;

/** One target: who, where, what, how often, and how to be let in. */
export function Editor({ target, answer, close }: { target: ProfileTarget | undefined; answer: ProfileTargetsAnswer; close: () => void }) {
  const save = useSave("/profiles/targets");
  const [form, setForm] = useState<TargetForm>(() => (target ? formOf(target) : NEW_TARGET));
  const [tried, setTried] = useState(false);
  const trial = useTrial();
  const set = (part: Partial<TargetForm>) => (save.clear(), trial.clear(), setForm((old) => ({ ...old, ...part })));
  const faults = faultsOf(form);
  const error = (key: keyof typeof faults, field: string = key) => (tried ? faults[key] : undefined) ?? save.errorOf(field);
  const secure = form.url.trim().startsWith("https:");
  const types = answer.types?.length ? answer.types : [...new Set([...NEW_TARGET.types, ...form.types])];
  const kept = target && target.auth.has_secret && form.auth === target.auth.kind;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) return;
    const wish = wishOf(form, target?.paused ?? false);
    const made = target
      ? await save.run(() => put<ProfileTarget>(`/profiles/targets/${encodeURIComponent(target.id)}`, wish), `${wish.service} saved`)
      : await save.run(() => post<ProfileTarget>("/profiles/targets", wish), `${wish.service} added. Its first fetch tells whether it can be reached.`);
    if (made !== undefined) close();
  };
  const tryIt = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) trial.start(target?.id, wishOf(form, target?.paused ?? false));
  };
  const title = target ? `Edit ${target.service}` : "New target";
  return (
    <Panel>
      <form className={css.form} onSubmit={(e) => void submit(e)} noValidate aria-label={title}>
        <h2 className={css.formTitle}>{title}</h2>
        <Fields>
          <Field label="Service" half hint="Under this name its profiles are found." error={error("service")}>
            {(ids) => <Input {...ids} autoFocus value={form.service} onChange={(e) => set({ service: e.target.value })} />}
          </Field>
          <Field label="Address" half hint="Where net/http/pprof answers; /debug/pprof is added." error={error("url")}>
            {(ids) => <Input {...ids} inputMode="url" placeholder="http://10.0.0.7:6060" value={form.url} onChange={(e) => set({ url: e.target.value })} />}
          </Field>
          <div className={css.full}>
            <Checks label="Profiles" options={types.map((t) => ({ id: t, label: typeLabel(t) }))} value={form.types} onChange={(list) => set({ types: list })} />
            {error("types") && (
              <p role="alert" className={css.fault}>
                {error("types")}
              </p>
            )}
          </div>
          <Field label="Every" half error={error("interval", "interval_s")}>
            {(ids) => <Input {...ids} unit="s" inputMode="decimal" value={form.interval} onChange={(e) => set({ interval: e.target.value })} />}
          </Field>
          <Field label="CPU profile takes" half hint="Of each interval. Empty: 10 s, at most half of it." error={error("cpu", "cpu_s")}>
            {(ids) => <Input {...ids} unit="s" inputMode="decimal" value={form.cpu} onChange={(e) => set({ cpu: e.target.value })} />}
          </Field>
          <Field label="Attributes" hint="Of the process, one KEY=VALUE a line: service.version=1.4.2" error={error("labels")}>
            {(ids) => <TextArea {...ids} rows={2} value={form.labels} onChange={(e) => set({ labels: e.target.value })} />}
          </Field>
          <Field label="Authentication" half error={save.errorOf("auth.kind")}>
            {(ids) => <Select {...ids} options={AUTH} value={form.auth} onChoose={(auth) => set({ auth, secret: "" })} />}
          </Field>
          {form.auth === "basic" && (
            <Field label="Name" half error={save.errorOf("auth.username")}>
              {(ids) => <Input {...ids} value={form.username} onChange={(e) => set({ username: e.target.value })} />}
            </Field>
          )}
          {form.auth !== "none" && (
            <Field label={form.auth === "basic" ? "Password" : "Token"} half hint={kept ? "Stored. Empty keeps it, unless the host changes." : undefined} error={save.errorOf("auth.password") ?? save.errorOf("auth.token")}>
              {(ids) => <Input {...ids} type="password" autoComplete="new-password" value={form.secret} onChange={(e) => set({ secret: e.target.value })} />}
            </Field>
          )}
        </Fields>
        <details className={css.more} open={secure && !!(form.ca || form.cert || form.serverName || form.insecure)}>
          <summary>Timeout and TLS</summary>
          <Fields>
            <Field label="Timeout" half hint="Beyond the CPU profile's own time." error={error("timeout", "timeout_s")}>
              {(ids) => <Input {...ids} unit="s" inputMode="decimal" value={form.timeout} onChange={(e) => set({ timeout: e.target.value })} />}
            </Field>
            <Field label="Server name" half hint="That its certificate is checked for." error={save.errorOf("tls.server_name")}>
              {(ids) => <Input {...ids} value={form.serverName} onChange={(e) => set({ serverName: e.target.value })} />}
            </Field>
            <Field label="Certificate authority" hint="PEM. Empty: those of the system." error={save.errorOf("tls.ca")}>
              {(ids) => <TextArea {...ids} value={form.ca} onChange={(e) => set({ ca: e.target.value })} />}
            </Field>
            <Field label="Client certificate" half error={save.errorOf("tls.cert")}>
              {(ids) => <TextArea {...ids} value={form.cert} onChange={(e) => set({ cert: e.target.value })} />}
            </Field>
            <Field label="Client key" half hint={target?.tls.has_key ? "Stored. Empty keeps it." : "PEM."} error={save.errorOf("tls.key")}>
              {(ids) => <TextArea {...ids} value={form.key} onChange={(e) => set({ key: e.target.value })} />}
            </Field>
            <div className={css.full}>
              <Switch label="Accept any certificate" checked={form.insecure} onChange={(insecure) => set({ insecure })} />
            </div>
          </Fields>
        </details>
        {save.fault && !save.fault.field && (
          <p role="alert" className={css.fault}>
            {save.fault.text}
          </p>
        )}
        {(trial.busy || trial.trial || trial.fault) && <Trial {...trial} />}
        <FormActions>
          <Button tone="primary" type="submit" disabled={save.busy}>
            {target ? "Save" : "Add target"}
          </Button>
          <Button onClick={() => tryIt()} disabled={trial.busy}>
            Test
          </Button>
          <Button tone="ghost" onClick={close}>
            Cancel
          </Button>
        </FormActions>
      </form>
    </Panel>
  );
}
