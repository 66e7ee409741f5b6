import { lazy, Suspense } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { del, put } from "@/api/client";
import { plain } from "@/api/queries";
import { type PromAlert, type PromAlertingRule, type PromRule, type PromRuleGroup, type RuleFile, type RuleFilesAnswer, ruleGroupsQuery } from "@/api/rulefiles";
import { useNow } from "@/app/useNow";
import { format } from "@/lib/format";
import { lasting, moment } from "@/lib/incident";
import { fileKey, groupsOf, labelWords, stateWords, waitWords } from "@/lib/rulefiles";
import { Button, IconButton } from "@/ui/Button";
import { Panel } from "@/ui/Panel";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { alertsRoute } from "./route";
import { useSave } from "./useSave";
import css from "./Page.module.css";
import own from "./RuleFiles.module.css";

const RuleFileEditor = lazy(() => import("./RuleFileEditor"));
const POLL_MS = 10_000;

/** Recording and alerting rules in Prometheus' format: files on disk, and files that are kept here. */
export function RuleFiles() {
  const { edit } = alertsRoute.useSearch();
  const navigate = useNavigate({ from: "/alerts" });
  const files = useQuery(plain<RuleFilesAnswer>("/rule-files", {}, edit ? false : POLL_MS));
  const groups = useQuery(ruleGroupsQuery(edit ? false : POLL_MS));
  const go = (key: string | undefined) => void navigate({ search: (o) => ({ ...o, edit: key }), resetScroll: false });
  const edited = files.data?.files.find((f) => fileKey(f) === edit);
  if (files.data && edit && (edit === "new" || edited)) {
    return (
      <Suspense fallback={<SkeletonRows rows={10} />}>
        <RuleFileEditor key={edit} file={edited} files={files.data.files} close={() => go(undefined)} />
      </Suspense>
    );
  }
  return (
    <>
      <div className={css.intro}>
        <p>Rule files of Prometheus work here as they are: what is recorded becomes a series, and an alert that fires opens an incident.</p>
        <Button tone="primary" onClick={() => go("new")}>
          <Plus size={14} aria-hidden /> New rule file
        </Button>
      </div>
      <Query query={files}>
        {(a) =>
          a.files.length === 0 ? (
            <Panel flush>
              <Empty title="No rule file" command="tidemark --prom-rule-files '/etc/tidemark/rules/*.yml'">
                Write one here, or let Tidemark read those you have.
              </Empty>
            </Panel>
          ) : (
            a.files.map((f) => <FilePanel key={fileKey(f)} file={f} groups={groupsOf(f, groups.data ?? [])} open={() => go(fileKey(f))} />)
          )
        }
      </Query>
    </>
  );
}

function FilePanel({ file: f, groups, open }: { file: RuleFile; groups: readonly PromRuleGroup[]; open: () => void }) {
  const save = useSave("/rule-files", "/prometheus/rules");
  const path = `/rule-files/${encodeURIComponent(f.name)}`;
  const kept = f.source === "api";
  return (
    <section aria-label={f.name}>
      <Panel
        flush
        title={f.name}
        aside={
          <span className={css.buttons}>
            <Button size="sm" onClick={open}>
              {kept ? "Edit" : "View"}
            </Button>
            {kept && (
              <IconButton size="sm" label={`Remove ${f.name}`} disabled={save.busy} onClick={() => void save.run(() => del(path), `${f.name} removed`, () => put(path, { content: f.content }))}>
                <Trash2 size={14} aria-hidden />
              </IconButton>
            )}
          </span>
        }
      >
        {f.error && (
          <p role="alert" className={own.broken}>
            {groups.length > 0 ? "Not in force as it is now; the rules from before go on. " : "Not in force. "}
            {f.error}
          </p>
        )}
        {groups.length === 0 && !f.error && <p className={css.none}>No rules in it.</p>}
        {groups.map((g) => (
          <Group key={g.name} group={g} />
        ))}
      </Panel>
    </section>
  );
}

function Group({ group: g }: { group: PromRuleGroup }) {
  const now = useNow();
  return (
    <div className={own.group}>
      <h3 className={own.groupName}>
        {g.name} <span className={css.small}>every {lasting(g.interval * 1000)} · {evaluatedWords(g.lastEvaluation, g.evaluationTime, now)}</span>
      </h3>
      <ul className={css.list} aria-label={`Rules of ${g.name}`}>
        {g.rules.map((r, i) => (
          <Rule key={`${i} ${r.name}`} rule={r} now={now} />
        ))}
      </ul>
    </div>
  );
}

/** The API says the year 1 where nothing has been evaluated. */
function evaluatedWords(last: string, took: number, now: number): string {
  const at = moment(last);
  return at === null || at <= 0 ? "not evaluated yet" : `${lasting(now - at)} ago, took ${format(took, "s")}`;
}

function Rule({ rule: r, now }: { rule: PromRule; now: number }) {
  const state = stateWords(r);
  const waits = r.type === "alerting" ? waitWords(r) : "";
  return (
    <li className={own.rule}>
      <p className={css.name}>
        {r.name} <span className={css.faint}>{r.type === "alerting" ? "alert" : "records"}</span>
        {state.text && <span className={state.tone === "bad" ? css.firing : css.off}>{state.text}</span>}
      </p>
      <code className={own.expr}>{r.query}</code>
      <p className={css.small}>
        {[waits, labelWords(r.labels), evaluatedWords(r.lastEvaluation, r.evaluationTime, now)].filter(Boolean).join(" · ")}
      </p>
      {r.lastError && <p className={own.error}>{r.lastError}</p>}
      {r.type === "alerting" && (r.alerts ?? []).length > 0 && <Alerts rule={r} now={now} />}
    </li>
  );
}

const MOST_ALERTS = 20;

function Alerts({ rule, now }: { rule: PromAlertingRule; now: number }) {
  const alerts = rule.alerts ?? [];
  return (
    <ul className={own.alerts} aria-label={`Alerts of ${rule.name}`}>
      {alerts.slice(0, MOST_ALERTS).map((a) => (
        <AlertRow key={labelWords(a.labels)} alert={a} now={now} />
      ))}
      {alerts.length > MOST_ALERTS && <li className={css.small}>{alerts.length - MOST_ALERTS} more</li>}
    </ul>
  );
}

function AlertRow({ alert: a, now }: { alert: PromAlert; now: number }) {
  const since = moment(a.activeAt);
  return (
    <li>
      <span className={a.state === "firing" ? css.firing : css.off}>{a.state}</span> <span className={own.labels}>{labelWords(a.labels) || "no labels"}</span>{" "}
      <span className={css.small}>
        is {format(Number(a.value), "count")}
        {since !== null && `, for ${lasting(now - since)}`}
      </span>
    </li>
  );
}
