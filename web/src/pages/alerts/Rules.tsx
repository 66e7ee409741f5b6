import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { del, put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Objective, ObjectivesAnswer, Rule, RulesAnswer } from "@/api/types";
import { useNow } from "@/app/useNow";
import { format } from "@/lib/format";
import { lasting, moment } from "@/lib/incident";
import { objectiveWords, ruleWords, valueUnit } from "@/lib/rules";
import { Button } from "@/ui/Button";
import { Switch } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { SeverityMark } from "@/ui/Severity";
import { Budget } from "./Budget";
import { Confirm } from "./Confirm";
import { ObjectiveEditor } from "./ObjectiveEditor";
import { RuleEditor } from "./RuleEditor";
import { alertsRoute } from "./route";
import { useSave } from "./useSave";
import css from "./Page.module.css";

const POLL_MS = 10_000;

/** What people want to be told besides what was learned: thresholds and objectives. */
export function Rules() {
  const { edit, of = "rule" } = alertsRoute.useSearch();
  const navigate = useNavigate({ from: "/alerts" });
  const rules = useQuery(plain<RulesAnswer>("/rules", {}, edit ? false : POLL_MS));
  const slos = useQuery(plain<ObjectivesAnswer>("/slos", {}, edit ? false : POLL_MS));
  const go = (id: string | undefined, kind?: "rule" | "slo") => void navigate({ search: (o) => ({ ...o, edit: id, of: id && kind === "slo" ? "slo" : undefined }), resetScroll: false });
  const close = () => go(undefined);
  if (edit && of === "slo") {
    const slo = slos.data?.slos.find((s) => s.id === edit);
    if (edit === "new" || slo) return <ObjectiveEditor key={edit} slo={slo} close={close} />;
  }
  if (edit && of === "rule") {
    const rule = rules.data?.rules.find((r) => r.id === edit);
    if (edit === "new" || rule) return <RuleEditor key={edit} rule={rule} close={close} />;
  }
  return (
    <>
      <div className={css.intro}>
        <p>Detection needs no rules: it learns what is normal. Write one where a number is a promise, or a limit that must not be reached.</p>
      </div>
      <Panel
        flush
        title="Objectives"
        aside={
          <Button size="sm" onClick={() => go("new", "slo")}>
            <Plus size={13} aria-hidden /> New SLO
          </Button>
        }
      >
        <Query query={slos}>
          {(a) =>
            a.slos.length === 0 ? (
              <Empty title="No objective yet">“99.9 % of requests to checkout succeed”: you are told when the error budget burns too fast, before it is gone.</Empty>
            ) : (
              <ul className={css.list} aria-label="Objectives">
                {a.slos.map((s) => (
                  <ObjectiveRow key={s.id} slo={s} edit={() => go(s.id, "slo")} />
                ))}
              </ul>
            )
          }
        </Query>
      </Panel>
      <Panel
        flush
        title="Rules"
        aside={
          <Button size="sm" onClick={() => go("new", "rule")}>
            <Plus size={13} aria-hidden /> New rule
          </Button>
        }
      >
        <Query query={rules}>
          {(a) =>
            a.rules.length === 0 ? (
              <Empty title="No rule yet">A threshold on requests, errors, latency, any metric, or the number of matching log records. The past is shown before you save.</Empty>
            ) : (
              <ul className={css.list} aria-label="Rules">
                {a.rules.map((r) => (
                  <RuleRow key={r.id} rule={r} edit={() => go(r.id, "rule")} />
                ))}
              </ul>
            )
          }
        </Query>
      </Panel>
    </>
  );
}

function RuleRow({ rule: r, edit }: { rule: Rule; edit: () => void }) {
  const save = useSave("/rules");
  const path = `/rules/${encodeURIComponent(r.id)}`;
  const { state: _, ...body } = r;
  return (
    <li className={css.item}>
      <div>
        <p className={css.name}>
          <SeverityMark severity={r.severity} over={r.state?.status !== "firing"} size={14} /> {r.name} <RuleState rule={r} />
        </p>
        <p className={css.detail}>{ruleWords(r, r.state?.unit)}</p>
      </div>
      <div className={css.buttons}>
        <Switch quiet label={`${r.name} is watched`} checked={r.enabled} disabled={save.busy} onChange={(enabled) => void save.run(() => put(path, { ...body, enabled }), enabled ? `${r.name} is watched again` : `${r.name} is not watched`)} />
        <Button size="sm" onClick={edit}>
          Edit
        </Button>
        <Confirm label={`Remove ${r.name}`} question={`Remove the rule “${r.name}”? What it opened is closed.`} onYes={() => void save.run(() => del(path), `${r.name} removed`)} />
      </div>
    </li>
  );
}

function RuleState({ rule: r }: { rule: Rule }) {
  const now = useNow();
  if (!r.enabled) return <span className={css.off}>off</span>;
  const s = r.state;
  if (!s) return null;
  const since = moment(s.since);
  const lasts = since === null ? "" : ` for ${lasting(now - since)}`;
  const value = s.value === null ? "" : format(s.value, valueUnit(r, s.unit));
  switch (s.status) {
    case "firing": return <span className={css.firing}>fires{lasts}: {value}</span>;
    case "pending": return <span className={css.off}>over the threshold{lasts}: {value}</span>;
    case "no_data": return <span className={css.off}>no data</span>;
    case "failed": return <span className={css.firing}>{s.error || "cannot be evaluated"}</span>;
    default: return <span className={css.faint}>now {value || "–"}</span>;
  }
}

function ObjectiveRow({ slo: s, edit }: { slo: Objective; edit: () => void }) {
  const save = useSave("/slos");
  const path = `/slos/${encodeURIComponent(s.id)}`;
  const { state, ...body } = s;
  const burning = state?.burn.find((b) => b.firing);
  return (
    <li className={css.item}>
      <div>
        <p className={css.name}>
          {s.name} {!s.enabled && <span className={css.off}>off</span>}
          {burning && s.enabled && <span className={css.firing}>burns {format(burning.long, "×")} too fast</span>}
        </p>
        <p className={css.detail}>{objectiveWords(s)}</p>
        {state && <Budget slo={s} state={state} />}
      </div>
      <div className={css.buttons}>
        <Switch quiet label={`${s.name} is watched`} checked={s.enabled} disabled={save.busy} onChange={(enabled) => void save.run(() => put(path, { ...body, enabled }), enabled ? `${s.name} is watched again` : `${s.name} is not watched`)} />
        <Button size="sm" onClick={edit}>
          Edit
        </Button>
        <Confirm label={`Remove ${s.name}`} question={`Remove the objective “${s.name}”?`} onYes={() => void save.run(() => del(path), `${s.name} removed`)} />
      </div>
    </li>
  );
}
