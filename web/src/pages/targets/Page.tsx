import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Pause, Play, Plus } from "lucide-react";
import { ApiError, del, put } from "@/api/client";
import { targetsQuery } from "@/api/profiles";
import type { ProfileTarget, ProfileTargetsAnswer } from "@/api/types";
import { useNow } from "@/app/useNow";
import { format, plural } from "@/lib/format";
import { typeLabel } from "@/lib/profiletype";
import { sameWish, stateOf } from "@/lib/targets";
import { Confirm } from "@/pages/alerts/Confirm";
import { useSave } from "@/pages/alerts/useSave";
import { Button, IconButton } from "@/ui/Button";
import { Page, Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import { Editor } from "./Editor";
import { targetsRoute } from "./route";
import { Trial, useTrial } from "./Trial";
import css from "./Page.module.css";

/** Processes that profiles are fetched from, and how that goes. */
export default function TargetsPage() {
  const q = useQuery(targetsQuery());
  const { edit } = targetsRoute.useSearch();
  const navigate = useNavigate({ from: "/profiles/targets" });
  const go = (id: string | undefined) => void navigate({ search: (o) => ({ ...o, edit: id }), resetScroll: false });
  const elsewhere = q.error instanceof ApiError && q.error.status === 404 && !q.data;
  const chosen = q.data?.targets.find((t) => t.id === edit && t.source === "api");
  const editing = edit === "new" || chosen;
  return (
    <Page
      title="Profile targets"
      aside={
        !editing &&
        q.data && (
          <Button tone="primary" onClick={() => go("new")}>
            <Plus size={14} aria-hidden /> Add a target
          </Button>
        )
      }
    >
      {elsewhere ? (
        <Empty title="This process does not fetch profiles">Ask one with the ingest role.</Empty>
      ) : (
        <Query query={q} skeleton={<SkeletonRows rows={4} height={64} />}>
          {(data) => (editing ? <Editor key={edit} target={chosen} answer={data} close={() => go(undefined)} /> : <List data={data} edit={go} />)}
        </Query>
      )}
    </Page>
  );
}

function List({ data, edit }: { data: ProfileTargetsAnswer; edit: (id: string) => void }) {
  const now = useNow(1000);
  return (
    <>
      <p className={css.lead}>
        Go programs with <code>net/http/pprof</code> are asked for their profiles at an interval. Addresses are checked when connecting: allowed are <code>{data.allow || "loopback and private networks"}</code> (<code>--scrape-allow</code>).{" "}
        <Link to="/profiles" className="link">
          See the profiles
        </Link>
      </p>
      <Panel flush>
        {data.targets.length === 0 ? (
          <Empty title="Nothing is fetched yet" action={<Button onClick={() => edit("new")}>Add the first target</Button>}>
            The address of a process is enough. Programs that push need nothing here.
          </Empty>
        ) : (
          <ul className={css.list} aria-label="Targets">
            {data.targets.map((t) => (
              <Row key={t.id} target={t} now={now} edit={() => edit(t.id)} />
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

const SOURCES = { api: "", configuration: "from --profile-targets", self: "this process" } as const;

function Row({ target: t, now, edit }: { target: ProfileTarget; now: number; edit: () => void }) {
  const save = useSave("/profiles/targets");
  const trial = useTrial();
  const state = stateOf(t, now);
  const path = `/profiles/targets/${encodeURIComponent(t.id)}`;
  const pause = () => void save.run(() => put(path, sameWish(t, !t.paused)), t.paused ? `${t.service} is fetched again` : `${t.service} is paused`);
  return (
    <li className={css.item}>
      <div className={css.what}>
        <p className={css.name}>
          <ServiceDot name={t.service} /> {t.service} {SOURCES[t.source] && <span className={css.source}>{SOURCES[t.source]}</span>}
        </p>
        <p className={css.detail}>
          {t.source !== "self" && <code>{t.url}</code>} {t.types.map(typeLabel).join(", ")} · every {format(t.interval_s, "s")}
        </p>
        <p className={css.state} data-tone={state.tone}>
          <b>{state.tone === "bad" ? "Failed" : state.words}</b>
          {state.tone === "bad" && <span className={css.error}>{state.words}</span>}
          {t.last_ms > 0 && (
            <span className={css.when}>
              <Time t={t.last_ms} /> · {format(t.took_ms, "ms")} · {format(t.last_bytes, "bytes")}
            </span>
          )}
          <span className={css.when}>
            {plural(t.profiles, "profile")} so far{t.failures > 0 && `, ${plural(t.failures, "failure")}`}
          </span>
          {t.by && <span className={css.when}>by {t.by}</span>}
          {t.next_ms > now && t.last_ms > 0 && !t.paused && <span className={css.when}>next in {format(Math.ceil((t.next_ms - now) / 1000), "s")}</span>}
        </p>
        {(trial.busy || trial.trial || trial.fault) && <Trial {...trial} />}
      </div>
      {t.source === "configuration" && (
        <div className={css.buttons}>
          <Button size="sm" aria-label={`Test ${t.service}`} disabled={trial.busy} onClick={() => trial.start(t.id)}>
            Test
          </Button>
        </div>
      )}
      {t.source === "api" && (
        <div className={css.buttons}>
          <Button size="sm" aria-label={`Test ${t.service}`} disabled={trial.busy} onClick={() => trial.start(t.id, sameWish(t, t.paused))}>
            Test
          </Button>
          <IconButton size="sm" label={t.paused ? `Fetch ${t.service} again` : `Pause ${t.service}`} disabled={save.busy} onClick={pause}>
            {t.paused ? <Play size={14} /> : <Pause size={14} />}
          </IconButton>
          <Button size="sm" aria-label={`Edit ${t.service}`} onClick={edit}>
            Edit
          </Button>
          <Confirm label={`Remove ${t.service}`} question={`Stop fetching from ${t.url}? Its secrets are forgotten; the profiles that were fetched stay.`} onYes={() => void save.run(() => del(path), `${t.service} removed`)} />
        </div>
      )}
    </li>
  );
}
