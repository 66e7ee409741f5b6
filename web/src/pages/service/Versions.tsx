import { Link, useNavigate } from "@tanstack/react-router";
import type { ServiceAnswer, VersionRow } from "@/api/types";
import { redColumns } from "@/ui/redColumns";
import { Empty } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

/** Versions side by side: what a release changed. */
export function Versions({ data }: { data: ServiceAnswer }) {
  const navigate = useNavigate({ from: "/services/$service" });
  const sort = useSort("first");
  if (data.versions.every((v) => !v.version)) return <Empty title="No versions sent">Set the resource attribute service.version and releases appear here and on the charts.</Empty>;
  return (
    <Table
      label="Versions"
      rows={data.versions}
      columns={columns}
      rowKey={(r) => `${r.env} ${r.version}`}
      {...sort}
      csvName={`${data.service}-versions`}
      onOpen={(r) => void navigate({ search: (o) => ({ ...o, version: r.version }), resetScroll: false })}
    />
  );
}

const columns: Column<VersionRow>[] = [
  {
    id: "version",
    label: "Version",
    width: "minmax(120px, 2fr)",
    sort: (r) => r.version,
    render: (r) => (
      <Link to="." search={((o: object) => ({ ...o, version: r.version })) as never} resetScroll={false} className={css.cellName}>
        <span className={`${css.text} mono`}>{r.version || "(none)"}</span>
      </Link>
    ),
  },
  { id: "env", label: "Environment", width: "minmax(80px, 1fr)", secondary: true, sort: (r) => r.env, render: (r) => r.env || "–" },
  { id: "first", label: "First seen", width: "136px", align: "right", secondary: true, sort: (r) => r.first_seen_ms, render: (r) => <Time t={r.first_seen_ms} /> },
  { id: "last", label: "Last seen", width: "136px", align: "right", secondary: true, sort: (r) => r.last_seen_ms, render: (r) => <Time t={r.last_seen_ms} /> },
  ...redColumns<VersionRow>(),
];
