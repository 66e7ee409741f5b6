import { type FormEvent, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { del, post, put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Silence, SilencesAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { useNow } from "@/app/useNow";
import { capital, emptyMatch, matchWords, silenceWords } from "@/lib/routing";
import { moment } from "@/lib/incident";
import { fromInputValue, inputValue } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Fields, FormActions, Input, Switch } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { MatchFields, WindowFields } from "./fields";
import { useSave } from "./useSave";
import dialog from "./Confirm.module.css";
import css from "./Page.module.css";

/** Times in which nobody is told: now, planned, or again and again. */
export function Silences() {
  const q = useQuery(plain<SilencesAnswer>("/silences", {}, 15_000));
  const [editing, setEditing] = useState<Silence | "new" | null>(null);
  const save = useSave("/silences");
  const now = useNow();
  const end = (s: Silence) => void save.run(() => del(`/silences/${encodeURIComponent(s.id)}`), "The silence has ended", () => post("/silences", bodyOf(s)));
  return (
    <>
      <div className={css.intro}>
        <p>Incidents are still opened and listed, but no message is sent. What is still open when a silence ends is told then.</p>
        <Button tone="primary" onClick={() => setEditing("new")}>
          <Plus size={14} aria-hidden /> New silence
        </Button>
      </div>
      <Panel flush>
        <Query query={q}>
          {({ silences }) =>
            silences.length === 0 ? (
              <Empty title="No silence">Plan one before a migration, or a maintenance window for the nightly restart.</Empty>
            ) : (
              <ul className={css.list} aria-label="Silences">
                {silences.map((s) => (
                  <li key={s.id} className={css.item}>
                    <div>
                      <p className={css.name}>
                        {s.comment || capital(matchWords(s.match))} {s.active && <span className={css.active}>now</span>}
                      </p>
                      <p className={css.detail}>
                        {s.comment && `${capital(matchWords(s.match))} · `}
                        {silenceWords(s, now)}
                        {s.incidents.map((id, n) => (
                          <span key={id}>
                            {" · "}
                            <Link to="/incidents/$incident" params={{ incident: id }} className="link">
                              incident {n + 1}
                            </Link>
                          </span>
                        ))}
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

type SilenceBody = Pick<Silence, "comment" | "match" | "incidents" | "starts_at" | "ends_at" | "every">;
const bodyOf = ({ comment, match, incidents, starts_at, ends_at, every }: Silence): SilenceBody => ({ comment, match, incidents, starts_at, ends_at, every });

function SilenceForm({ silence: s, close }: { silence: Silence | undefined; close: () => void }) {
  const { utc } = useScope();
  const save = useSave("/silences");
  const [comment, setComment] = useState(s?.comment ?? "");
  const [match, setMatch] = useState(s?.match ?? emptyMatch());
  const [from, setFrom] = useState(() => inputValue(moment(s?.starts_at) ?? Date.now(), utc).slice(0, 16));
  const [endless, setEndless] = useState(s ? s.ends_at === null : false);
  const [to, setTo] = useState(() => inputValue(moment(s?.ends_at) ?? Date.now() + 7_200_000, utc).slice(0, 16));
  const [every, setEvery] = useState(s?.every ?? null);
  const begins = fromInputValue(from, utc);
  const ends = fromInputValue(to, utc);
  const order = !endless && begins !== null && ends !== null && ends <= begins ? "must be later than the beginning" : null;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (begins === null || (!endless && ends === null) || order) return;
    const body: SilenceBody = { comment: comment.trim(), match, incidents: s?.incidents ?? [], starts_at: new Date(begins).toISOString(), ends_at: endless ? null : new Date(ends!).toISOString(), every };
    const made = s ? await save.run(() => put<Silence>(`/silences/${encodeURIComponent(s.id)}`, body), "Silence saved") : await save.run(() => post<Silence>("/silences", body), "Silence made");
    if (made !== undefined) close();
  };
  return (
    <form onSubmit={(e) => void submit(e)} className={dialog.form} aria-label="Silence">
      <h2 className={css.formTitle}>{s ? "Edit silence" : "New silence"}</h2>
      <Fields>
        <Field label="Why" error={save.errorOf("comment")}>
          {(ids) => <Input {...ids} value={comment} onChange={(e) => setComment(e.target.value)} placeholder="Database migration" />}
        </Field>
        <MatchFields value={match} onChange={setMatch} />
        <Field half label={`From${utc ? " (UTC)" : ""}`} error={save.errorOf("starts_at")}>
          {(ids) => <Input {...ids} type="datetime-local" value={from} onChange={(e) => setFrom(e.target.value)} />}
        </Field>
        {!endless && (
          <Field half label={`To${utc ? " (UTC)" : ""}`} error={order ?? save.errorOf("ends_at")}>
            {(ids) => <Input {...ids} type="datetime-local" value={to} onChange={(e) => setTo(e.target.value)} />}
          </Field>
        )}
        <div className={css.full}>
          <Switch label="No end: until it is removed" checked={endless} onChange={setEndless} />
        </div>
        <WindowFields
          label="Only in certain hours, every week (maintenance window)"
          value={every}
          onChange={(w) => {
            setEvery(w);
            if (w && !every && !s) setEndless(true);
          }}
          error={(f) => save.errorOf(`every.${f}`)}
        />
      </Fields>
      {save.fault && (
        <p role="alert" className={css.fault}>
          {save.fault.text}
        </p>
      )}
      <FormActions>
        <Button onClick={close}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={save.busy || begins === null || (!endless && ends === null) || !!order}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}
