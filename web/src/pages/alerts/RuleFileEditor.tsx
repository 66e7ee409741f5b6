import { type FormEvent, lazy, Suspense, useEffect, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { del, put } from "@/api/client";
import { checkRules, type RuleFile, type RuleProblem } from "@/api/rulefiles";
import { countWords, FIRST_FILE, nameFault, placeWords } from "@/lib/rulefiles";
import { Button } from "@/ui/Button";
import { Field, FormActions, Input } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Skeleton } from "@/ui/States";
import { useSave } from "./useSave";
import css from "./Page.module.css";
import own from "./RuleFiles.module.css";

const RulesField = lazy(() => import("@/promql/RulesField"));
const CHECK_MS = 350;
const NONE: readonly RuleProblem[] = [];

/** The text of a file of rules, checked by the server while it is written; one on disk can be read only. */
export default function RuleFileEditor({ file, files, close }: { file: RuleFile | undefined; files: readonly RuleFile[]; close: () => void }) {
  const save = useSave("/rule-files", "/prometheus/rules");
  const readOnly = file?.source === "file";
  const [name, setName] = useState(file?.name ?? "");
  const [content, setContent] = useState(file?.content ?? FIRST_FILE);
  const [tried, setTried] = useState(false);
  const [goTo, setGoTo] = useState<{ line: number; times: number } | undefined>();
  const settled = useSettled(content, CHECK_MS);
  const check = useQuery({ queryKey: ["/rule-files/check", settled], queryFn: ({ signal }) => checkRules(settled, signal), staleTime: Infinity, gcTime: 60_000, placeholderData: (old) => old });
  const fresh = settled === content && !check.isPlaceholderData && check.data !== undefined;
  const problems = check.data?.problems ?? NONE;
  const broken = problems.some((p) => p.level === "error");
  const wrongName = file ? null : nameFault(name, files);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrongName || (fresh && broken)) return;
    const path = `/rule-files/${encodeURIComponent(name)}`;
    // What was there before comes back; what was not there is gone again.
    const undo = file ? () => put(path, { content: file.content }) : () => del(path);
    const made = await save.run(() => put<RuleFile>(path, { content }), `${name} is in force`, undo);
    if (made !== undefined) close();
  };
  return (
    <form onSubmit={(e) => void submit(e)} aria-label="Rule file">
      <Panel title={file ? file.name : "New rule file"}>
        <div className={own.editor}>
          {readOnly && <p className={css.detail}>It is read from disk: change it there. Changes are in force within half a minute.</p>}
          {!file && (
            <div className={own.name}>
              <Field label="Name" error={save.errorOf("name") ?? (tried ? wrongName : null)}>
                {(ids) => <Input {...ids} value={name} onChange={(e) => setName(e.target.value.trim())} placeholder="shop.yml" autoFocus />}
              </Field>
            </div>
          )}
          <Suspense fallback={<Skeleton height={260} />}>
            <RulesField label={`Rules in ${file ? file.name : "the new file"}`} value={content} onChange={setContent} problems={problems} goTo={goTo} readOnly={readOnly} />
          </Suspense>
          <div role="status" aria-label="What the check says">
            {check.error && <p className={css.fault}>It cannot be checked now; it is when you save.</p>}
            {check.data && problems.length === 0 && <p className={css.detail}>{countWords(check.data)}</p>}
            {problems.length > 0 && (
              <ul className={own.problems} aria-label="Problems">
                {problems.map((p, i) => (
                  <li key={i}>
                    <button type="button" className={own.problem} data-level={p.level} onClick={() => setGoTo((o) => ({ line: p.line, times: (o?.times ?? 0) + 1 }))}>
                      <b>{placeWords(p)}</b>
                      {p.text}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </div>
          {save.fault && save.fault.field !== "name" && (
            <p role="alert" className={css.fault}>
              {save.fault.text}
            </p>
          )}
        </div>
        <FormActions>
          <Button onClick={close}>{readOnly ? "Back" : "Cancel"}</Button>
          {!readOnly && (
            <Button tone="primary" type="submit" disabled={save.busy || (fresh && broken)}>
              {file ? "Save" : "Add file"}
            </Button>
          )}
        </FormActions>
      </Panel>
    </form>
  );
}

/** A value once it has stayed the same for a while. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
