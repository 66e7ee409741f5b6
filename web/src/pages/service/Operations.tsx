import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { operationsQuery } from "@/api/queries";
import type { OperationRow } from "@/api/types";
import { query, term, tracesSearch } from "@/app/links";
import { useScope } from "@/app/range";
import { Sparkline } from "@/charts/Sparkline";
import { steadyRates } from "@/lib/columns";
import { useSort } from "@/ui/useSort";
import { redColumns, shareColumn } from "@/ui/redColumns";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Segmented } from "@/ui/Tabs";
import { serviceRoute } from "./route";
import css from "./Page.module.css";

export function Operations({ service }: { service: string }) {
  const scope = useScope();
  const { spans } = serviceRoute.useSearch();
  const navigate = useNavigate({ from: "/services/$service" });
  const q = useQuery(operationsQuery(scope, service, spans === "all" ? "all" : "entry"));
  const sort = useSort("share");
  const rows = useMemo(() => (q.data ? q.data.operations.map((o) => ({ ...o, sparkline: steadyRates(q.data.range, o.sparkline) })) : []), [q.data]);
  const columns = useMemo(() => operationColumns(service), [service]);
  return (
    <>
      <div className={css.bar}>
        <Segmented
          label="Which spans"
          value={spans === "all" ? "all" : "entry"}
          onChange={(v) => void navigate({ search: (o) => ({ ...o, spans: v === "all" ? "all" : undefined }), replace: true, resetScroll: false })}
          options={[
            { id: "entry", label: "Incoming" },
            { id: "all", label: "All spans" },
          ]}
        />
        {q.data?.folded && <span className={css.faint}>The rarest are folded into “(other)”.</span>}
      </div>
      <Query query={q}>
        {() =>
          rows.length === 0 ? (
            <Empty title="No operations in this range">{spans !== "all" && "Nothing came in. “All spans” also shows what the service did by itself."}</Empty>
          ) : (
            <Table
              label="Operations"
              rows={rows}
              columns={columns}
              rowKey={(r) => `${r.kind} ${r.name}`}
              {...sort}
              csvName={`${service}-operations`}
              onOpen={(r) => void navigate({ search: (o) => ({ ...o, operation: r.name }), resetScroll: false })}
            />
          )
        }
      </Query>
    </>
  );
}

function operationColumns(service: string): Column<OperationRow>[] {
  return [
    {
      id: "name",
      label: "Operation",
      width: "minmax(160px, 3fr)",
      sort: (r) => r.name,
      first: "asc",
      render: (r) => (
        <Link to="/services/$service" params={{ service }} search={(o: object) => ({ ...o, operation: r.name })} resetScroll={false} className={css.cellName} title={r.name}>
          <span className={css.text}>{r.name}</span>
          {r.kind !== "server" && <span className={css.kind}>{r.kind}</span>}
        </Link>
      ),
    },
    { id: "spark", label: "Requests over time", quiet: true, width: "104px", secondary: true, render: (r) => <Sparkline values={r.sparkline} width={96} height={22} label={`Requests of ${r.name}`} color="var(--muted)" /> },
    ...redColumns<OperationRow>(),
    shareColumn<OperationRow>(),
    {
      id: "traces",
      label: "Traces",
      quiet: true,
      width: "52px",
      align: "right",
      secondary: true,
      render: (r) => (
        <Link {...tracesSearch(query(term("service", service), term("name", r.name)))} className="link" aria-label={`Traces of ${r.name}`}>
          Traces
        </Link>
      ),
    },
  ];
}
