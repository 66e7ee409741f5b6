import { useEffect, useRef, useState } from "react";
import { Link } from "@tanstack/react-router";
import { Play, Square } from "lucide-react";
import { backtest } from "@/api/backtest";
import { get } from "@/api/client";
import type { Incident, IncidentsAnswer, Sensitivity } from "@/api/types";
import { type Comparison, compare } from "@/lib/compare";
import { causeName, lasting, moment } from "@/lib/incident";
import { budgetWords } from "@/lib/sensitivity";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Select } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { SeverityMark } from "@/ui/Severity";
import { Time } from "@/ui/Time";
import { faultOf } from "./useSave";
import css from "./Sensitivity.module.css";

const DAYS = [
  { id: "1", label: "the last day" },
  { id: "3", label: "the last 3 days" },
  { id: "7", label: "last week" },
  { id: "14", label: "the last 2 weeks" },
] as const;

/** How many of the incidents that were really opened are compared with: as many as one answer holds. */
const MOST = 500;

type State =
  | { kind: "idle" }
  | { kind: "running"; done: number; began: number }
  | { kind: "done"; incidents: Incident[]; real: Comparison; days: number; of: Sensitivity }
  | { kind: "failed"; text: string }
  | { kind: "cancelled" };

/** "What would have alerted last week at this sensitivity?" Runs detection over what is stored, with no side effects. */
export function Backtest({ draft, changed }: { draft: Sensitivity; changed: boolean }) {
  const [days, setDays] = useState<(typeof DAYS)[number]["id"]>("7");
  const [state, setState] = useState<State>({ kind: "idle" });
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const run = async () => {
    stop.current?.abort();
    const control = new AbortController();
    stop.current = control;
    const to = Date.now();
    setState({ kind: "running", done: 0, began: to });
    try {
      const request = { from: new Date(to - Number(days) * 86_400_000).toISOString(), to: new Date(to).toISOString(), sensitivity: draft };
      const incidents = await backtest(request, (done) => !control.signal.aborted && setState((s) => (s.kind === "running" ? { ...s, done } : s)), control.signal);
      const opened = await get<IncidentsAnswer>("/incidents", { from: request.from, to: request.to, limit: MOST }, control.signal);
      setState({ kind: "done", incidents, real: compare(incidents, opened.incidents, to), days: Number(days), of: draft });
    } catch (e) {
      if (!control.signal.aborted) setState({ kind: "failed", text: faultOf(e).text });
    }
  };
  const cancel = () => {
    stop.current?.abort();
    setState({ kind: "cancelled" });
  };
  return (
    <Panel title="What would have alerted?">
      <div className={css.ask}>
        <label htmlFor="backtest-days">{changed ? "With the setting above, not saved yet, over" : "With the present setting, over"}</label>
        <div className={css.days}>
          <Select id="backtest-days" options={DAYS} value={days} onChoose={setDays} disabled={state.kind === "running"} />
        </div>
        {state.kind === "running" ? (
          <Button onClick={cancel}>
            <Square size={12} aria-hidden /> Cancel
          </Button>
        ) : (
          <Button tone="primary" onClick={() => void run()}>
            <Play size={13} aria-hidden /> Try it
          </Button>
        )}
      </div>
      <div aria-live="polite">
        {state.kind === "running" && <Progress done={state.done} began={state.began} />}
        {state.kind === "cancelled" && <p className={css.none}>Cancelled.</p>}
        {state.kind === "failed" && (
          <p role="alert" className={css.fault}>
            {state.text}
          </p>
        )}
        {state.kind === "done" && <Outcome state={state} stale={JSON.stringify(state.of) !== JSON.stringify(draft)} />}
      </div>
    </Panel>
  );
}

function Progress({ done, began }: { done: number; began: number }) {
  const share = Math.min(1, Math.max(0, done));
  const left = share > 0.02 ? ((Date.now() - began) / share) * (1 - share) : null;
  return (
    <div className={css.progress}>
      <progress value={share} max={1} aria-label="Backtest" />
      <span>
        {Math.round(share * 100)} %{left !== null && `, about ${lasting(left)} left`}
      </span>
    </div>
  );
}

function Outcome({ state, stale }: { state: Extract<State, { kind: "done" }>; stale: boolean }) {
  const n = state.incidents.length;
  return (
    <div className={css.outcome} data-stale={stale || undefined}>
      <p>
        <b>{n === 0 ? "Nothing would have alerted" : `${plural(n, "incident")} would have been opened`}</b> in {plural(state.days, "day")}, {(n / state.days).toFixed(n / state.days >= 10 ? 0 : 1)} a day, at {budgetWords(state.of.default)}.
        {stale && " The setting was changed since."}
      </p>
      <Difference incidents={state.incidents} real={state.real} />
      {n > 0 && (
        <ul className={css.found} aria-label="Incidents that would have been opened">
          {state.incidents.map((i) => {
            const from = moment(i.started_at);
            const to = moment(i.resolved_at);
            const cause = i.root_causes[0];
            return (
              <li key={i.id}>
                <SeverityMark severity={i.severity} size={14} />
                {from !== null && <Time t={from} />}
                <span className={css.title}>
                  {i.title}
                  {cause && <small> from {causeName(cause)}</small>} <Real was={state.real.same.get(i.id)} />
                </span>
                <span className={css.lasted}>{from !== null && to !== null ? lasting(to - from) : "not over"}</span>
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

/** How that differs from what was really opened. */
function Difference({ incidents, real }: { incidents: readonly Incident[]; real: Comparison }) {
  const fresh = incidents.length - real.same.size;
  if (incidents.length === 0 && real.missing.length === 0) return null;
  return (
    <div className={css.difference} role="note" aria-label="Compared with what was opened">
      <p>
        {real.same.size} of them {real.same.size === 1 ? "was" : "were"} really opened, {fresh} {fresh === 1 ? "was" : "were"} not.
        {real.missing.length > 0 && ` ${plural(real.missing.length, "incident")} that ${real.missing.length === 1 ? "was" : "were"} opened would not have been:`}
      </p>
      {real.missing.length > 0 && (
        <ul>
          {real.missing.map((i) => (
            <li key={i.id}>
              <Link to="/incidents/$incident" params={{ incident: i.id }} className="link">
                {i.title}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Real({ was }: { was: Incident | undefined }) {
  if (!was) return <span className={css.fresh}>new</span>;
  return (
    <Link to="/incidents/$incident" params={{ incident: was.id }} className="link">
      was opened
    </Link>
  );
}
