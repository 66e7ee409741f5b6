import { useMemo } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Download, Layers } from "lucide-react";
import { newest, useFallback, useLive } from "@/api/live";
import { servicesQuery, statusQuery } from "@/api/queries";
import type { ServiceRow, ServicesAnswer } from "@/api/types";
import { useScope, useSpan } from "@/app/range";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import { useSilent } from "@/app/useSilent";
import { csv, download } from "@/lib/csv";
import { steadyRates } from "@/lib/columns";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Page, Panel } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { Table } from "@/ui/Table";
import { columns } from "./columns";
import { Now } from "./Now";
import { servicesRoute } from "./route";
import { Welcome } from "./Welcome";

const WAIT_MS = 1000;

export default function ServicesPage() {
  const search = servicesRoute.useSearch();
  const first = useQuery(statusQuery());
  const waiting = first.data?.has_data === false;
  const status = useQuery(statusQuery(waiting ? WAIT_MS : 15_000));
  if (waiting && search.start !== "skip" && status.data) return <Welcome status={status.data} />;
  return <Services />;
}

function Services() {
  const search = servicesRoute.useSearch();
  const navigate = useNavigate({ from: "/services" });
  const scope = useScope();
  const span = useSpan();
  const live = useLive<ServicesAnswer>({ kind: "services", env: scope.env, window_ms: Math.round(span.to - span.from) }, { from: scope.range.from, enabled: scope.live });
  const query = useQuery({ ...servicesQuery(scope), refetchInterval: useFallback(scope.live, live) });
  const answer = newest(live.data, query.data);
  const all = answer?.services;
  const { open } = useOpenIncidents();
  const silent = useSilent();
  const rows = useMemo(() => filterRows(all ?? [], search.q).map((r) => ({ ...r, shownRate: steadyRates(answer!.range, r.sparkline.rate), incident: open?.find((i) => i.services.includes(r.service)), silence: silent?.find((s) => s.service === r.service) })), [all, open, silent, search.q]);
  return (
    <Page
      title="Services"
      aside={
        <>
          <SearchField label="Filter services" value={search.q ?? ""} onChange={(q) => void navigate({ search: (o) => ({ ...o, q: q || undefined }), replace: true })} />
          <Button pressed={search.group === "env"} onClick={() => void navigate({ search: (o) => ({ ...o, group: search.group ? undefined : "env" }) })}>
            <Layers size={14} aria-hidden /> Group by environment
          </Button>
          <Button onClick={() => exportRows(rows)} disabled={rows.length === 0}>
            <Download size={14} aria-hidden /> CSV
          </Button>
        </>
      }
    >
      <Now open={open} silent={silent} />
      <Panel flush>
        <Query query={answer ? { ...query, data: answer } : query} skeleton={<SkeletonRows rows={10} height={40} />}>
          {() =>
            rows.length === 0 ? (
              <NoServices filtered={!!search.q} env={scope.env} />
            ) : (
              <Table
                label={`Services: ${plural(rows.length, "row")}`}
                rows={rows}
                columns={columns}
                rowKey={(r) => r.service}
                rowHeight={40}
                sort={search.sort ?? "state"}
                dir={search.dir ?? "desc"}
                onSort={(sort, dir) => void navigate({ search: (o) => ({ ...o, sort: sort as typeof search.sort, dir }) })}
                onOpen={(r) => void navigate({ to: "/services/$service", params: { service: r.service } })}
                group={search.group === "env" ? envOf : undefined}
              />
            )
          }
        </Query>
      </Panel>
    </Page>
  );
}

const envOf = (r: ServiceRow) => r.envs.join(", ");

function filterRows(rows: readonly ServiceRow[], q: string | undefined): readonly ServiceRow[] {
  if (!q) return rows;
  const words = q.toLowerCase().split(/\s+/);
  return rows.filter((r) => {
    const text = [r.service, r.language, ...r.envs, ...r.versions].join(" ").toLowerCase();
    return words.every((w) => text.includes(w));
  });
}

function NoServices({ filtered, env }: { filtered: boolean; env: string | undefined }) {
  if (filtered) return <Empty title="No service matches">The filter looks at name, language, environment and version.</Empty>;
  return (
    <Empty title="No service sent spans in this range" action={<Link to="/ingest" className="link">See what arrives</Link>}>
      <p>{env ? `Only the environment “${env}” is shown. ` : ""}Choose a wider range, or check that your services reach Tidemark.</p>
    </Empty>
  );
}

function exportRows(rows: readonly ServiceRow[]) {
  const header = ["service", "language", "environments", "versions", "instances", "calls", "rate_per_s", "errors", "error_ratio", "p50_ms", "p95_ms", "p99_ms"];
  const ms = (ns: number | null) => (ns === null ? null : ns / 1e6);
  const lines = rows.map((r) => [
    r.service, r.language, r.envs.join(" "), r.versions.join(" "), r.instances, r.calls, r.rate, r.errors, r.error_ratio, ms(r.p50_ns), ms(r.p95_ns), ms(r.p99_ns),
  ]);
  download("services.csv", csv(header, lines));
}
