import { type FormEvent, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { get, put } from "@/api/client";
import { capsQuery } from "@/api/queries";
import type { CapsAnswer, Cardinality } from "@/api/types";
import { CAP_KINDS, type CapKind, capError, capOf, roomierCap, withCap } from "@/lib/ingest";
import { format } from "@/lib/format";
import { useSave } from "@/pages/alerts/useSave";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, FormActions, Input } from "@/ui/Form";
import css from "./Cardinality.module.css";

/** The cap of one name, or of all of a kind (name null). */
export interface CapTarget {
  kind: CapKind;
  name: string | null;
  row: Cardinality | undefined;
}

export function CapDialog({ target, caps, onClose }: { target: CapTarget | null; caps: CapsAnswer; onClose: () => void }) {
  const label = target?.name ? `Cap of ${target.name}` : "Cap";
  return (
    <Dialog open={target !== null} onClose={onClose} label={label} className={css.dialog}>
      {target && <CapForm key={`${target.kind} ${target.name}`} target={target} caps={caps} onClose={onClose} />}
    </Dialog>
  );
}

// Others may change caps too: each change is made to what is set at that moment.
async function change(kind: CapKind, name: string | null, n: number | null): Promise<CapsAnswer> {
  const now = await get<CapsAnswer>("/settings/caps");
  return put<CapsAnswer>("/settings/caps", withCap(now.caps, kind, name, n));
}

function CapForm({ target: { kind, name, row }, caps, onClose }: { target: CapTarget; caps: CapsAnswer; onClose: () => void }) {
  const words = CAP_KINDS[kind];
  const client = useQueryClient();
  const save = useSave("/settings/caps", "/ingest/cardinality");
  const max = caps.max[kind];
  const general = caps.caps[kind] || caps.configured[kind];
  const set = capOf(caps.caps, kind, name);
  const current = set ?? (name === null ? caps.configured[kind] : general);
  const [text, setText] = useState(String(current));
  const [tried, setTried] = useState(false);
  const error = capError(text, max);
  const roomier = row && (name !== null || row.beyond > 0) ? roomierCap({ ...row, cap: current }, max) : null;
  const subject = name ?? `All ${words.of}s`;

  const apply = async (n: number | null, done: string) => {
    const answer = await save.run(() => change(kind, name, n), done, () => change(kind, name, set));
    if (answer === undefined) return;
    client.setQueryData(capsQuery().queryKey, answer);
    onClose();
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (!error) void apply(Number(text), `${subject}: at most ${Number(text).toLocaleString("en")} ${words.label.toLowerCase()}`);
  };
  return (
    <form onSubmit={submit} noValidate className={css.form}>
      <h2>{name ? <>Cap of <span className="mono">{name}</span></> : `At most so many ${words.what}`}</h2>
      <p className={css.detail}>
        {words.detail} {name === null ? "Exceptions stay as they are." : null}
      </p>
      {row && row.beyond > 0 && name !== null && (
        <p className={css.detail}>
          {format(row.kept, "count")} are told apart; about {format(row.beyond, "count")} more came.
        </p>
      )}
      <Field
        label={words.label}
        hint={
          <>
            1 to {max.toLocaleString("en")}. {name === null ? `Configured: ${caps.configured[kind].toLocaleString("en")}.` : `Without an exception: ${general.toLocaleString("en")}.`} What comes from now on follows within seconds.
          </>
        }
        error={(tried ? error : null) ?? save.fault?.text}
      >
        {(ids) => <Input {...ids} inputMode="numeric" autoFocus value={text} onChange={(e) => (setText(e.target.value), save.clear())} />}
      </Field>
      {roomier !== null && roomier > current && (
        <Button size="sm" onClick={() => setText(String(roomier))}>
          Room for what came: {roomier.toLocaleString("en")}
        </Button>
      )}
      <FormActions>
        <Button tone="primary" type="submit" disabled={save.busy || text.trim() === String(current)}>
          Save
        </Button>
        {set !== null && (
          <Button disabled={save.busy} onClick={() => void apply(null, name === null ? `${words.label}: as configured` : `${subject}: no exception`)}>
            {name === null ? "As configured" : "Remove the exception"}
          </Button>
        )}
        <Button tone="ghost" onClick={onClose}>
          Cancel
        </Button>
      </FormActions>
    </form>
  );
}
