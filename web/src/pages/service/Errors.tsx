import { useMemo } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { errorsQuery } from "@/api/queries";
import type { ErrorGroup } from "@/api/types";
import { query, term, tracesSearch } from "@/app/links";
import { useScope } from "@/app/range";
import { Num } from "@/ui/Num";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import css from "./Page.module.css";

export function Errors({ service }: { service: string }) {
  const q = useQuery(errorsQuery(useScope(), service));
  const sort = useSort("count");
  const columns = useMemo(() => errorColumns(service), [service]);
  return (
    <Query query={q}>
      {({ groups, truncated }) =>
        groups.length === 0 ? (
          <Empty title="No errors in this range">No span of this service ended with status error.</Empty>
        ) : (
          <>
            <Table label="Errors" rows={groups} columns={columns} rowKey={(g) => `${g.type} ${g.operation} ${g.message}`} rowHeight={50} {...sort} csvName={`${service}-errors`} />
            {truncated && <p className={css.sub}>Only the most frequent groups are shown.</p>}
          </>
        )
      }
    </Query>
  );
}

function errorColumns(service: string): Column<ErrorGroup>[] {
  return [
    {
      id: "error",
      label: "Error",
      width: "minmax(180px, 4fr)",
      sort: (g) => g.type,
      first: "asc",
      render: (g) => (
        <Link to={`/traces/${g.trace_id}` as never} search={{ span: g.span_id } as never} className={css.message} title={g.message}>
          <span>{g.type || g.message || "(no message)"}</span>
          <span className={css.faint}>{g.type ? g.message : ""}</span>
        </Link>
      ),
    },
    { id: "operation", label: "Operation", width: "minmax(120px, 2fr)", secondary: true, sort: (g) => g.operation, first: "asc", render: (g) => g.operation },
    { id: "count", label: "Count", width: "76px", align: "right", sort: (g) => g.count, render: (g) => <Num value={g.count} /> },
    { id: "last", label: "Last seen", width: "136px", align: "right", secondary: true, sort: (g) => g.last_seen_ms, render: (g) => <Time t={g.last_seen_ms} /> },
    {
      id: "traces",
      label: "Traces",
      quiet: true,
      width: "52px",
      align: "right",
      render: (g) => (
        <Link {...tracesSearch(query(term("service", service), term("name", g.operation), "status:error"))} className="link" aria-label={`Traces with ${g.type || g.message}`}>
          Traces
        </Link>
      ),
    },
  ];
}
