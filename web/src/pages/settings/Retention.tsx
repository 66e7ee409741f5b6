import { type FormEvent, useMemo, useState } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, put } from "@/api/client";
import { retentionQuery } from "@/api/queries";
import type { RetentionAnswer } from "@/api/types";
import { toast } from "@/app/toast";
import { retentionError } from "@/lib/retention";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Panel";
import { Query } from "@/ui/States";
import css from "./Page.module.css";

type Signal = RetentionAnswer["signals"][number];

const NAMES: Record<Signal["signal"], string> = {
  traces: "Traces",
  logs: "Logs",
  metrics: "Metrics",
  rollup_10s: "Charts, 10 s steps",
  rollup_1m: "Charts, 1 min steps",
  rollup_1h: "Charts, 1 h steps",
  profiles: "Profiles",
  rollup_profiles: "Profiles, 1 h and 1 day steps",
};

export function Retention() {
  const q = useQuery(retentionQuery());
  return (
    <Panel title="Retention">
      <p className={css.lead}>How long each signal is kept. Older data is removed in the background.</p>
      <Query query={q}>{(answer) => <RetentionForm answer={answer} />}</Query>
    </Panel>
  );
}

function RetentionForm({ answer }: { answer: RetentionAnswer }) {
  const client = useQueryClient();
  const [edits, setEdits] = useState<Partial<Record<Signal["signal"], string>>>({});
  const save = useMutation({
    mutationFn: (next: RetentionAnswer) => put<RetentionAnswer>("/settings/retention", next),
    onSuccess: (saved) => client.setQueryData(retentionQuery().queryKey, saved),
  });
  const rows = useMemo(() => answer.signals.map((s) => ({ ...s, text: edits[s.signal] ?? String(s.days) })), [answer, edits]);
  const errors = rows.map((r) => retentionError(r.text, r.min_days, r.max_days));
  const changed = rows.some((r) => r.text.trim() !== String(r.days));
  const shorter = rows.some((r, i) => !errors[i] && Number(r.text) < r.days);

  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!changed || errors.some(Boolean)) return;
    const next = { signals: rows.map(({ text, ...r }) => ({ ...r, days: Number(text) })) };
    save.mutate(next, {
      onSuccess: () => {
        setEdits({});
        toast("Retention saved", { action: { label: "Undo", run: () => save.mutate(answer) } });
      },
      onError: (err) => toast(err instanceof ApiError ? `Not saved: ${err.detail ?? err.message}` : "Not saved", { tone: "bad" }),
    });
  };
  return (
    <form onSubmit={submit} noValidate>
      <div className={css.rows}>
        {rows.map((r, i) => (
          <div key={r.signal} className={css.row}>
            <label htmlFor={`days-${r.signal}`}>
              <p className={css.name}>{NAMES[r.signal] ?? r.signal}</p>
              <p className={css.hint}>{r.description}</p>
            </label>
            <span className={css.days}>
              <input
                id={`days-${r.signal}`}
                className={css.input}
                inputMode="numeric"
                autoComplete="off"
                value={r.text}
                aria-invalid={!!errors[i]}
                aria-describedby={errors[i] ? `error-${r.signal}` : undefined}
                onChange={(e) => setEdits((old) => ({ ...old, [r.signal]: e.target.value }))}
              />
              days
            </span>
            {errors[i] && (
              <p id={`error-${r.signal}`} className={css.error} role="alert">
                {errors[i]}
              </p>
            )}
          </div>
        ))}
      </div>
      <div className={css.actions}>
        {shorter && <span className={css.note}>A shorter retention removes data that cannot be brought back.</span>}
        <Button onClick={() => setEdits({})} disabled={!changed || save.isPending}>
          Discard
        </Button>
        <Button tone="primary" type="submit" disabled={!changed || errors.some(Boolean) || save.isPending}>
          {save.isPending ? "Saving…" : "Save"}
        </Button>
      </div>
    </form>
  );
}
