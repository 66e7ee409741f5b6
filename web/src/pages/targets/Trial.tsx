import { useEffect, useRef, useState } from "react";
import { post } from "@/api/client";
import type { ProfileTargetWish, TargetTrial } from "@/api/types";
import { format, plural } from "@/lib/format";
import { typeLabel } from "@/lib/profiletype";
import { faultOf, type Fault } from "@/pages/alerts/useSave";
import css from "./Page.module.css";

export type Trying = { busy: boolean; trial?: TargetTrial; fault?: Fault };

/** Asks the server to fetch one short profile of each type; only the newest answer counts. */
export function useTrial(): Trying & { start: (id: string | undefined, target?: ProfileTargetWish) => void; clear: () => void } {
  const [state, setState] = useState<Trying>({ busy: false });
  const newest = useRef(0);
  useEffect(() => () => void (newest.current = -1), []);
  const put = (n: number, s: Trying) => newest.current === n && setState(s);
  const start = (id: string | undefined, target?: ProfileTargetWish) => {
    const n = ++newest.current;
    setState({ busy: true });
    post<TargetTrial>("/profiles/targets/test", { id, target }).then((trial) => put(n, { busy: false, trial }), (e: unknown) => put(n, { busy: false, fault: faultOf(e) }));
  };
  const clear = () => void (newest.current++, setState({ busy: false }));
  return { ...state, start, clear };
}

/** What came, by type, or why nothing did. */
export function Trial({ busy, trial, fault }: Trying) {
  return (
    <div className={css.trial} role="status" aria-label="Test of the target">
      {busy && <p className={css.detail}>Fetching one short profile of each type…</p>}
      {fault && <p className={css.fault}>{fault.text}</p>}
      {trial && (
        <>
          <p className={css.state} data-tone={trial.ok ? "ok" : "bad"}>
            <b>{trial.ok ? "It works" : "Not all of it works"}</b>
            <span className={css.when}>nothing of the test is kept</span>
          </p>
          <ul className={css.tried}>
            {trial.profiles.map((p) => (
              <li key={p.type}>
                <b>{typeLabel(p.type)}</b>{" "}
                {p.error ? (
                  <span className={css.error}>{p.error}</span>
                ) : (
                  <>
                    {plural(p.samples, "sample")} of {p.sample_types.join(", ")} · {format(p.bytes, "bytes")} · {format(p.took_ms, "ms")}
                  </>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
