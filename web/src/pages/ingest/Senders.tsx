import { Link } from "@tanstack/react-router";
import type { IngestAnswer } from "@/api/types";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useSort } from "@/ui/useSort";
import { useTop } from "./useTop";
import css from "./Page.module.css";

type Sender = IngestAnswer["services"][number];

const columns: Column<Sender>[] = [
  {
    id: "service",
    label: "Service",
    width: "minmax(130px, 3fr)",
    sort: (s) => s.service,
    first: "asc",
    render: (s) => (
      <Link to="/services/$service" params={{ service: s.service }} className={css.sender}>
        <ServiceDot name={s.service} /> <span>{s.service}</span>
      </Link>
    ),
  },
  { id: "signal", label: "Signal", width: "76px", sort: (s) => s.signal, first: "asc", render: (s) => s.signal },
  { id: "rate", label: "Rate", width: "92px", align: "right", sort: (s) => s.per_second, render: (s) => <Num value={s.per_second} unit="rate" tone={s.per_second ? undefined : "faint"} /> },
  { id: "volume", label: "Volume", width: "100px", align: "right", secondary: true, sort: (s) => s.bytes_per_second, render: (s) => <Num value={s.bytes_per_second} unit="bytes/s" tone={s.bytes_per_second ? undefined : "faint"} /> },
  { id: "accepted", label: "Accepted", width: "92px", align: "right", secondary: true, sort: (s) => s.accepted, render: (s) => <Num value={s.accepted} /> },
  { id: "bytes", label: "Bytes", width: "92px", align: "right", secondary: true, sort: (s) => s.bytes, render: (s) => <Num value={s.bytes} unit="bytes" /> },
  { id: "size", label: "Bytes each", width: "92px", align: "right", secondary: true, minor: true, sort: (s) => s.bytes / s.accepted, render: (s) => <Num value={s.bytes / s.accepted} unit="bytes" /> },
];

/** Rate and volume by service and signal. */
export function Senders({ a }: { a: IngestAnswer }) {
  const sort = useSort("rate");
  const top = useTop(a.services, columns, sort);
  return (
    <Panel title="Who sends" flush>
      {a.services.length === 0 ? (
        <Empty title="Nobody so far" command={`export OTEL_EXPORTER_OTLP_ENDPOINT=http://${location.hostname}:4318`}>
          Point an SDK or a Collector here; the addresses are under Settings.
        </Empty>
      ) : (
        <>
          <Table label="Senders" rows={top.rows} columns={columns} rowKey={(s) => `${s.service} ${s.signal}`} {...sort} csvName="ingest-senders" />
          {top.more}
        </>
      )}
    </Panel>
  );
}
