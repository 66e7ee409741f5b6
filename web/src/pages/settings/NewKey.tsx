import { type FormEvent, useState } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, post } from "@/api/client";
import { ingestKeysQuery, statusQuery } from "@/api/queries";
import type { IngestKeyMade } from "@/api/types";
import { emptyKey, KEY_SIGNALS, type KeyForm, keyWish, LIFETIMES, limitError } from "@/lib/ingestkeys";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Checks, Field, Fields, FormActions, Input, Select } from "@/ui/Form";
import css from "./Keys.module.css";

/** Asks for a new key, and shows it once. */
export function NewKey({ open, close }: { open: boolean; close: () => void }) {
  const [made, setMade] = useState<IngestKeyMade | null>(null);
  const end = () => {
    setMade(null);
    close();
  };
  return (
    <Dialog open={open} onClose={end} label="New ingest key">
      <div className={css.dialog}>{made ? <Made made={made} end={end} /> : <Form done={setMade} cancel={end} />}</div>
    </Dialog>
  );
}

function Form({ done, cancel }: { done: (made: IngestKeyMade) => void; cancel: () => void }) {
  const client = useQueryClient();
  const [form, setForm] = useState<KeyForm>(emptyKey);
  const set = (part: Partial<KeyForm>) => setForm((old) => ({ ...old, ...part }));
  const make = useMutation({
    mutationFn: () => post<IngestKeyMade>("/settings/ingest-keys", keyWish(form, Date.now())),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ingestKeysQuery().queryKey });
      void client.invalidateQueries({ queryKey: statusQuery().queryKey });
      done(made);
    },
  });
  const errors = [limitError(form.items), limitError(form.megabytes)];
  const wrong = !form.name.trim() || form.signals.length === 0 || errors.some(Boolean);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!wrong) make.mutate();
  };
  return (
    <form onSubmit={submit} noValidate aria-label="New ingest key">
      <h2 className={css.title}>New ingest key</h2>
      <Fields>
        <Field label="Name" hint="What it is for: a team, a cluster, a service.">
          {(ids) => <Input {...ids} autoFocus maxLength={100} value={form.name} onChange={(e) => set({ name: e.target.value })} />}
        </Field>
        <Checks label="May send" options={KEY_SIGNALS} value={form.signals} onChange={(signals) => set({ signals })} />
        <Field label="Items a second" half hint="Spans, records, points, profiles. Empty: no limit." error={errors[0]}>
          {(ids) => <Input {...ids} inputMode="decimal" value={form.items} onChange={(e) => set({ items: e.target.value })} />}
        </Field>
        <Field label="Megabytes a second" half hint="After decompression. Empty: no limit." error={errors[1]}>
          {(ids) => <Input {...ids} inputMode="decimal" value={form.megabytes} onChange={(e) => set({ megabytes: e.target.value })} />}
        </Field>
        <Field label="Expires" half>
          {(ids) => <Select {...ids} options={LIFETIMES} value={form.lifetime} onChoose={(lifetime) => set({ lifetime })} />}
        </Field>
      </Fields>
      {make.error && (
        <p role="alert" className={css.fault}>
          {make.error instanceof ApiError ? (make.error.detail ?? make.error.message) : "It could not be sent."}
        </p>
      )}
      <FormActions>
        <Button onClick={cancel}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={wrong || make.isPending}>
          {make.isPending ? "Creating…" : "Create key"}
        </Button>
      </FormActions>
    </form>
  );
}

function Made({ made, end }: { made: IngestKeyMade; end: () => void }) {
  const status = useQuery(statusQuery());
  return (
    <>
      <h2 className={css.title}>{made.key.name}</h2>
      <p className={css.lead}>Copy the key now: only its hash is kept, and nobody can show it again.</p>
      <div className={css.secret} data-testid="ingest-key">
        <CodeBlock text={made.secret} label="Ingest key" />
      </div>
      <p className={css.step}>For any SDK, beside the address:</p>
      <CodeBlock
        label="Environment of a sender"
        text={`export OTEL_EXPORTER_OTLP_ENDPOINT=${status.data?.otlp_http ?? ""}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_HEADERS=x-api-key=${made.secret}`}
      />
      <FormActions>
        <Button tone="primary" onClick={end}>
          Done
        </Button>
      </FormActions>
    </>
  );
}
