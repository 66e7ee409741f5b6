import { useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { ApiError, post } from "@/api/client";
import type { ImportAnswer } from "@/api/dashboards";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, FormActions, TextArea } from "@/ui/Form";
import css from "./ImportDialog.module.css";

/** An exported dashboard, or one of Grafana's: what is carried over is said before anything is stored. */
export function ImportDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} label="Import a dashboard" className={css.dialog}>
      <Importer onClose={onClose} />
    </Dialog>
  );
}

function Importer({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [preview, setPreview] = useState<ImportAnswer | null>(null);
  const [busy, setBusy] = useState(false);

  const send = async (only: boolean) => {
    setFault(null);
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (e) {
      setFault(`This is no JSON: ${e instanceof Error ? e.message : "it cannot be read"}`);
      return;
    }
    setBusy(true);
    try {
      const answer = await post<ImportAnswer>(`/dashboards/import${only ? "?preview=1" : ""}`, document);
      if (only) return setPreview(answer);
      void client.invalidateQueries({ queryKey: ["/dashboards"] });
      onClose();
      void navigate({ to: "/dashboards/$id" as never, params: { id: answer.dashboard.id } as never });
    } catch (e) {
      setFault(e instanceof ApiError ? (e.detail ?? e.message) : "It could not be imported");
    } finally {
      setBusy(false);
    }
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    setText(await file.text());
    setPreview(null);
  };
  return (
    <div className={css.body}>
      <h2>Import a dashboard</h2>
      {preview ? (
        <Report answer={preview} />
      ) : (
        <>
          <label className={css.file}>
            <input type="file" accept="application/json,.json" onChange={(e) => void take(e.target.files?.[0])} />
          </label>
          <Field label="JSON" hint="As exported here, or Grafana’s JSON model: Dashboard settings, JSON Model." error={fault}>
            {(ids) => <TextArea {...ids} rows={12} value={text} onChange={(e) => setText(e.target.value)} placeholder='{"title": …, "panels": [ … ]}' />}
          </Field>
        </>
      )}
      {preview && fault && <p className={css.fault}>{fault}</p>}
      <FormActions>
        <Button onClick={preview ? () => setPreview(null) : onClose}>{preview ? "Back" : "Cancel"}</Button>
        <Button tone="primary" disabled={busy || text.trim() === ""} onClick={() => void send(!preview)}>
          {preview ? "Import" : "See what comes over"}
        </Button>
      </FormActions>
    </div>
  );
}

function Report({ answer }: { answer: ImportAnswer }) {
  const { dashboard: d, notes } = answer;
  return (
    <div className={css.report} data-testid="import-report">
      <p>
        <strong>{d.title}</strong>: {plural(d.panels.filter((p) => p.type !== "row").length, "panel")}, {plural(d.variables.length, "variable")}
        {answer.from === "grafana" ? ", from Grafana" : ""}.
      </p>
      {notes.length === 0 ? (
        <p className={css.fine}>Everything is carried over.</p>
      ) : (
        <ul className={css.notes}>
          {notes.map((n, i) => (
            <li key={i}>
              <span className={css.level} data-level={n.level}>
                {n.level}
              </span>
              <span>
                {n.panel && <strong>{n.panel}: </strong>}
                {n.text}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
