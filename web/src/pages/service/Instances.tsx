import { Link, useNavigate } from "@tanstack/react-router";
import type { InstanceRow, ServiceAnswer } from "@/api/types";
import { redColumns } from "@/ui/redColumns";
import { Empty } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

export function Instances({ data }: { data: ServiceAnswer }) {
  const navigate = useNavigate({ from: "/services/$service" });
  const sort = useSort("rate");
  if (data.instances.length === 0) return <Empty title="No instances in this range">Set the resource attribute service.instance.id to tell processes apart.</Empty>;
  return (
    <Table
      label="Instances"
      rows={data.instances}
      columns={columns}
      rowKey={(r) => `${r.env} ${r.instance} ${r.version}`}
      {...sort}
      csvName={`${data.service}-instances`}
      onOpen={(r) => void navigate({ search: (o) => ({ ...o, instance: r.instance }), resetScroll: false })}
    />
  );
}

const columns: Column<InstanceRow>[] = [
  {
    id: "instance",
    label: "Instance",
    width: "minmax(160px, 3fr)",
    sort: (r) => r.instance,
    first: "asc",
    render: (r) => (
      <Link to="." search={((o: object) => ({ ...o, instance: r.instance })) as never} resetScroll={false} className={css.cellName} title={r.instance}>
        <span className={`${css.text} mono`}>{r.instance || "(not named)"}</span>
      </Link>
    ),
  },
  { id: "version", label: "Version", width: "minmax(80px, 1fr)", secondary: true, sort: (r) => r.version, render: (r) => <span className="mono">{r.version || "–"}</span> },
  { id: "env", label: "Environment", width: "minmax(80px, 1fr)", secondary: true, sort: (r) => r.env, render: (r) => r.env || "–" },
  ...redColumns<InstanceRow>(),
  { id: "last", label: "Last seen", width: "136px", align: "right", secondary: true, sort: (r) => r.last_seen_ms, render: (r) => <Time t={r.last_seen_ms} /> },
];
