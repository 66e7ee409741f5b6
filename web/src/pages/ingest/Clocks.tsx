import type { IngestAnswer } from "@/api/types";
import { format } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

type Clock = IngestAnswer["clocks"][number];

const columns: Column<Clock>[] = [
  {
    id: "service",
    label: "Service",
    width: "minmax(120px, 2fr)",
    sort: (c) => c.service,
    first: "asc",
    render: (c) => (
      <span className={css.sender}>
        <ServiceDot name={c.service} /> <span>{c.service}</span>
      </span>
    ),
  },
  { id: "instance", label: "Instance", width: "minmax(100px, 2fr)", secondary: true, sort: (c) => c.instance, first: "asc", render: (c) => <span className="mono">{c.instance || "–"}</span> },
  { id: "offset", label: "Clock", width: "minmax(110px, 1fr)", align: "right", sort: (c) => Math.abs(c.offset_ms), render: (c) => `${format(Math.abs(c.offset_ms), "ms")} ${c.offset_ms > 0 ? "ahead" : "behind"}` },
  { id: "spans", label: "Spans", width: "80px", align: "right", secondary: true, sort: (c) => c.spans, render: (c) => <Num value={c.spans} /> },
  { id: "rejected", label: "Rejected", width: "80px", align: "right", sort: (c) => c.rejected, render: (c) => <Num value={c.rejected} tone={c.rejected ? "warn" : "faint"} /> },
  { id: "last", label: "Last", width: "130px", align: "right", secondary: true, sort: (c) => c.last_ms, render: (c) => <Time t={c.last_ms} /> },
];

/** Senders whose clocks differ from ours; nothing is shown when all agree. */
export function Clocks({ a }: { a: IngestAnswer }) {
  const sort = useSort("offset");
  if (a.clocks.length === 0) return null;
  return (
    <Panel title="Clocks that differ from ours" flush>
      <p className={css.note}>Their spans are stored with the times they were sent with, and lie beside those of their callers. Set these clocks by NTP.</p>
      <Table label="Skewed senders" rows={a.clocks} columns={columns} rowKey={(c) => `${c.service} ${c.instance}`} {...sort} csvName="ingest-clocks" />
    </Panel>
  );
}
