import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { ingestHistoryQuery, ingestQuery } from "@/api/queries";
import type { IngestAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { verdict } from "@/lib/ingest";
import { Page, Panel } from "@/ui/Panel";
import { Empty, Query, Skeleton, SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import { CardinalityPanel } from "./Cardinality";
import { Charts } from "./Charts";
import { Clocks } from "./Clocks";
import { Machinery } from "./Machinery";
import { Problems } from "./Problems";
import { Senders } from "./Senders";
import { Signals } from "./Signals";
import css from "./Page.module.css";

/** What arrives, whether it is stored as sent, and how soon it can be seen. */
export default function IngestPage() {
  const live = !useScope().paused;
  const q = useQuery(ingestQuery(live));
  const elsewhere = q.error instanceof ApiError && q.error.status === 404 && !q.data;
  return (
    <Page title="Ingest" aside={q.data && <Since a={q.data} />}>
      {elsewhere ? (
        <Empty title="This process does not receive telemetry">It runs the query role alone. Ask a process with the ingest role: its /metrics says the same as this page.</Empty>
      ) : (
        <Query query={q} skeleton={<Waiting />}>
          {(a) => <State a={a} live={live} />}
        </Query>
      )}
    </Page>
  );
}

function State({ a, live }: { a: IngestAnswer; live: boolean }) {
  const history = useQuery(ingestHistoryQuery(live));
  return (
    <>
      <Words a={a} />
      <Signals a={a} history={history.data} />
      <Query query={history} skeleton={<Skeleton height={420} />}>
        {(h) => <Charts h={h} freshAt={history.dataUpdatedAt} />}
      </Query>
      <Problems a={a} />
      <CardinalityPanel live={live} />
      <Senders a={a} />
      <Machinery a={a} />
      <Clocks a={a} />
    </>
  );
}

function Since({ a }: { a: IngestAnswer }) {
  return (
    <p className={css.since}>
      This process, since <Time t={a.started_ms} />
    </p>
  );
}

/** The state in words: uncoloured when all is well. */
function Words({ a }: { a: IngestAnswer }) {
  const v = verdict(a);
  return (
    <p className={css.words} data-tone={v.tone} role="status">
      <strong>{v.title}</strong> <span>{v.detail}</span>
      {v.tone !== "ok" && a.last_error && <code className={css.fault}>{a.last_error}</code>}
    </p>
  );
}

function Waiting() {
  return (
    <div role="status" aria-label="Loading" className={css.waiting}>
      <Skeleton height={44} />
      <div className={css.signals}>
        {[0, 1, 2, 3].map((i) => (
          <Skeleton key={i} height={188} />
        ))}
      </div>
      <Skeleton height={420} />
      <Panel>
        <SkeletonRows rows={4} />
      </Panel>
    </div>
  );
}
