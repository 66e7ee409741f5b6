import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { ingestQuery } from "@/api/queries";
import type { IngestAnswer } from "@/api/types";
import { Num } from "@/ui/Num";
import { Page, Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

export default function IngestPage() {
  const q = useQuery(ingestQuery());
  const elsewhere = q.error instanceof ApiError && q.error.status === 404 && !q.data;
  return (
    <Page title="Ingest">
      {elsewhere ? (
        <Empty title="This process does not receive telemetry">It runs the query role. Ask a process with the ingest role.</Empty>
      ) : (
        <Query query={q}>{(a) => <State a={a} />}</Query>
      )}
    </Page>
  );
}

function State({ a }: { a: IngestAnswer }) {
  return (
    <>
      <Signals a={a} />
      <Problems a={a} />
      <Machinery a={a} />
      <Senders a={a} />
    </>
  );
}

function Signals({ a }: { a: IngestAnswer }) {
  return (
    <div className={css.signals}>
      {a.signals.map((s) => (
        <section key={s.signal} className={css.signal} aria-label={s.signal}>
          <h2 className={css.title}>{s.signal}</h2>
          <p className={css.big}>
            <Num value={s.per_second} unit="rate" />
          </p>
          <dl className={css.facts}>
            <dt>Volume</dt>
            <dd>
              <Num value={s.bytes_per_second} unit="bytes/s" />
            </dd>
            <dt>Accepted</dt>
            <dd>
              <Num value={s.accepted} />
            </dd>
            <dt>Acknowledged in, p99</dt>
            <dd>
              <Num value={s.ack_p99_ms} unit="ms" />
            </dd>
            <dt>Rejected</dt>
            <dd>
              <Num value={s.rejected} tone={s.rejected ? "warn" : "faint"} />
            </dd>
            <dt>Refused</dt>
            <dd>
              <Num value={s.refused} tone={s.refused ? "warn" : "faint"} />
            </dd>
          </dl>
        </section>
      ))}
    </div>
  );
}

type Problem = IngestAnswer["problems"][number];

const MEANING: Record<Problem["kind"], string> = {
  rejected: "Rejected: not stored, the sender was told",
  refused: "Refused: the sender was asked to try again",
  truncated: "Truncated: stored, shortened",
  folded: "Folded: stored under “(other)”",
};

const problemColumns: Column<Problem>[] = [
  { id: "kind", label: "What happened", width: "minmax(120px, 2fr)", sort: (p) => p.kind, first: "asc", render: (p) => <span title={MEANING[p.kind]}>{MEANING[p.kind] ?? p.kind}</span> },
  { id: "signal", label: "Signal", width: "70px", sort: (p) => p.signal, first: "asc", render: (p) => p.signal },
  { id: "reason", label: "Reason", width: "minmax(120px, 2fr)", sort: (p) => p.reason, first: "asc", render: (p) => <span title={p.reason}>{p.reason}</span> },
  { id: "example", label: "Example", width: "minmax(120px, 2fr)", secondary: true, render: (p) => <span className="mono" title={p.example}>{p.example}</span> },
  { id: "count", label: "Count", width: "72px", align: "right", sort: (p) => p.count, render: (p) => <Num value={p.count} /> },
  { id: "last", label: "Last", width: "130px", align: "right", secondary: true, sort: (p) => p.last_ms, render: (p) => (p.last_ms ? <Time t={p.last_ms} /> : "–") },
];

function Problems({ a }: { a: IngestAnswer }) {
  const sort = useSort("count");
  return (
    <Panel title="What was not stored as sent" flush>
      {a.problems.length === 0 ? (
        <Empty title="Nothing">Everything that was sent since the start is stored as it came.</Empty>
      ) : (
        <Table label="Problems by reason" rows={a.problems} columns={problemColumns} rowKey={(p) => `${p.kind} ${p.signal} ${p.reason}`} {...sort} csvName="ingest-problems" />
      )}
    </Panel>
  );
}

function Machinery({ a }: { a: IngestAnswer }) {
  return (
    <Panel title="From the wire to the disk">
      <dl className={css.machinery}>
        <div>
          <dt>Start of span to stored</dt>
          <dd>
            <Num value={a.lag_ms} unit="ms" />
          </dd>
        </div>
        <div>
          <dt>Newest write</dt>
          <dd>
            <Num value={a.flushes.newest_ms} unit="ms" />
          </dd>
        </div>
        <div>
          <dt>Rows in it</dt>
          <dd>
            <Num value={a.flushes.count ? a.flushes.rows : null} />
          </dd>
        </div>
        <div>
          <dt>In flight</dt>
          <dd>
            <Num value={a.in_flight_bytes} unit="bytes" /> <span className={css.of}>of</span> <Num value={a.in_flight_max_bytes} unit="bytes" />
          </dd>
        </div>
        <div>
          <dt>Spooled on disk</dt>
          <dd>
            <Num value={a.spool.bytes} unit="bytes" tone={a.spool.batches ? "warn" : undefined} /> <span className={css.of}>of</span> <Num value={a.spool.max_bytes} unit="bytes" />
          </dd>
        </div>
        <div>
          <dt>Quarantined batches</dt>
          <dd>
            <Num value={a.spool.quarantined} tone={a.spool.quarantined ? "bad" : "faint"} />
          </dd>
        </div>
        {a.engine && (
          <>
            <div>
              <dt>Engine memory</dt>
              <dd>
                <Num value={a.engine.rss_bytes} unit="bytes" />
              </dd>
            </div>
            <div>
              <dt>Engine restarts</dt>
              <dd>
                <Num value={a.engine.restarts} tone={a.engine.restarts ? "warn" : "faint"} />
              </dd>
            </div>
          </>
        )}
      </dl>
    </Panel>
  );
}

type Sender = IngestAnswer["services"][number];

const senderColumns: Column<Sender>[] = [
  {
    id: "service",
    label: "Service",
    width: "minmax(140px, 3fr)",
    sort: (s) => s.service,
    first: "asc",
    render: (s) => (
      <span className={css.sender}>
        <ServiceDot name={s.service} /> {s.service}
      </span>
    ),
  },
  { id: "signal", label: "Signal", width: "minmax(80px, 1fr)", sort: (s) => s.signal, first: "asc", render: (s) => s.signal },
  { id: "rate", label: "Per second", width: "100px", align: "right", sort: (s) => s.per_second, render: (s) => <Num value={s.per_second} unit="rate" /> },
];

function Senders({ a }: { a: IngestAnswer }) {
  const sort = useSort("rate");
  const rows = useMemo(() => a.services, [a]);
  return (
    <Panel title="Who sends" flush>
      {rows.length === 0 ? (
        <Empty title="Nobody right now">Send OTLP to the endpoints under Settings.</Empty>
      ) : (
        <Table label="Senders" rows={rows} columns={senderColumns} rowKey={(s) => `${s.service} ${s.signal}`} {...sort} />
      )}
    </Panel>
  );
}
