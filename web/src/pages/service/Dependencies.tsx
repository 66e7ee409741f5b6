import { useMemo } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { dependenciesQuery } from "@/api/queries";
import type { EdgeRow } from "@/api/types";
import { useScope } from "@/app/range";
import { NodeIcon } from "@/ui/NodeIcon";
import { redColumns, shareColumn } from "@/ui/redColumns";
import { ServiceDot } from "@/ui/Service";
import { Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

export function Dependencies({ service }: { service: string }) {
  const q = useQuery(dependenciesQuery(useScope(), service));
  return (
    <Query query={q}>
      {({ callers, callees }) => (
        <>
          <Side service={service} title="Called by" side="source" rows={callers} empty="Nothing that sends telemetry calls it in this range." />
          <Side service={service} title="Calls" side="target" rows={callees} empty="It calls no other service, database or queue in this range." />
        </>
      )}
    </Query>
  );
}

function Side({ service, title, side, rows, empty }: { service: string; title: string; side: "source" | "target"; rows: readonly EdgeRow[]; empty: string }) {
  const navigate = useNavigate();
  const sort = useSort("rate");
  const columns = useMemo<Column<EdgeRow>[]>(
    () => [
      { id: "name", label: side === "source" ? "Caller" : "Callee", width: "minmax(160px, 3fr)", sort: (r) => r[side], first: "asc", render: (r) => <Name row={r} side={side} /> },
      ...redColumns<EdgeRow>(),
      shareColumn<EdgeRow>(side === "source" ? "Share of its time" : "Share of time"),
    ],
    [side],
  );
  return (
    <section aria-label={title}>
      <h3 className={css.sub}>{title}</h3>
      {rows.length === 0 ? (
        <p className={css.noneHere}>{empty}</p>
      ) : (
        <Table
          label={title}
          rows={rows}
          columns={columns}
          rowKey={(r) => `${side === "source" ? r.source_kind : r.target_kind} ${r[side]}`}
          {...sort}
          csvName={`${service}-${side === "source" ? "callers" : "callees"}`}
          onOpen={(r) => isService(r, side) && void navigate({ to: "/services/$service", params: { service: r[side] }, search: { tab: "dependencies" } })}
        />
      )}
    </section>
  );
}

const isService = (r: EdgeRow, side: "source" | "target") => (side === "source" ? r.source_kind : r.target_kind) === "service";

function Name({ row, side }: { row: EdgeRow; side: "source" | "target" }) {
  const name = row[side];
  if (!isService(row, side)) {
    return (
      <span className={css.cellName}>
        <NodeIcon kind={side === "source" ? row.source_kind : row.target_kind} />
        {name} <span className={css.kind}>{row.target_system}</span>
      </span>
    );
  }
  return (
    <Link to="/services/$service" params={{ service: name }} search={{ tab: "dependencies" }} className={css.cellName}>
      <ServiceDot name={name} />
      <span className={css.text}>{name}</span>
    </Link>
  );
}
