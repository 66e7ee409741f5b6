import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import type { Incident, Severity } from "@/api/types";
import { useScope } from "@/app/range";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import { byUrgency, matches } from "@/lib/incident";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Select } from "@/ui/Form";
import { Page, Panel } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";
import { Failed, SkeletonRows } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { Confidence, Quiet } from "./Learning";
import { IncidentList } from "./List";
import { type IncidentsSearch, incidentsRoute, WHEN } from "./route";
import { usePast } from "./usePast";
import css from "./Page.module.css";

const WHEN_LABELS: Record<(typeof WHEN)[number], string> = { "1d": "Last day", "7d": "Last 7 days", "30d": "Last 30 days", range: "The page's time range" };
const SEVERITY_CHOICES: { id: Severity | "all"; label: string }[] = [
  { id: "all", label: "Any severity" },
  { id: "critical", label: "Critical" },
  { id: "warning", label: "Warning" },
  { id: "info", label: "Info" },
];

export default function IncidentsPage() {
  const search = incidentsRoute.useSearch();
  const navigate = useNavigate({ from: "/incidents" });
  const scope = useScope();
  const set = (p: IncidentsSearch, replace = false) => void navigate({ search: (o) => ({ ...o, ...p }), replace, resetScroll: false });
  const now = useOpenIncidents();
  const past = usePast(scope, search);
  const keep = (i: Incident) => matches(i, { ...search, env: scope.env });
  const open = useMemo(() => (now.open ?? []).filter(keep).sort(byUrgency), [now.open, search, scope.env]);
  const resolved = useMemo(() => past.list.filter(keep).sort(byUrgency), [past.list, search, scope.env]);
  const services = useMemo(() => [...new Set([...(now.open ?? []), ...past.list].flatMap((i) => i.services))].sort(), [now.open, past.list]);
  const showOpen = search.status !== "resolved";
  const showPast = search.status !== "open";
  const filtered = !!(search.q || search.service || search.severity || scope.env);
  return (
    <Page
      title="Incidents"
      aside={
        <>
          <SearchField label="Filter incidents" value={search.q ?? ""} onChange={(q) => set({ q: q || undefined }, true)} />
          <div className={css.select}>
            <Select aria-label="Service" options={[{ id: "", label: "Any service" }, ...services.map((s) => ({ id: s, label: s }))]} value={search.service ?? ""} onChoose={(s) => set({ service: s || undefined })} />
          </div>
          <div className={css.select}>
            <Select aria-label="Severity" options={SEVERITY_CHOICES} value={search.severity ?? "all"} onChoose={(s) => set({ severity: s === "all" ? undefined : s })} />
          </div>
        </>
      }
    >
      <div className={css.bar}>
        <Segmented
          label="Status"
          options={[
            { id: "all", label: "All" },
            { id: "open", label: <>Open{open.length > 0 && <span className={css.count}> {open.length}</span>}</> },
            { id: "resolved", label: "Resolved" },
          ]}
          value={search.status ?? "all"}
          onChange={(s) => set({ status: s === "all" ? undefined : s })}
        />
        {showPast && (
          <div className={css.select}>
            <Select aria-label="How far back" options={WHEN.map((id) => ({ id, label: WHEN_LABELS[id] }))} value={past.when} onChoose={(w) => set({ when: w })} />
          </div>
        )}
        <Confidence />
      </div>
      {showOpen && (
        <Panel flush title={open.length > 0 ? plural(open.length, "open incident") : undefined}>
          {now.open === undefined && !now.error && <SkeletonRows rows={2} height={72} />}
          {now.open === undefined && !!now.error && <Failed error={now.error} retry={() => void now.refetch()} />}
          {now.open !== undefined && open.length === 0 && <Quiet filtered={filtered} />}
          {open.length > 0 && <IncidentList label="Open incidents" incidents={open} />}
        </Panel>
      )}
      {showPast && (
        <Panel flush title={`Resolved${resolved.length > 0 ? ` · ${resolved.length}${past.hasMore ? "+" : ""}` : ""}`}>
          {past.pending && <SkeletonRows rows={4} height={60} />}
          {!!past.error && past.list.length === 0 && <Failed error={past.error} retry={past.refetch} />}
          {!past.pending && !past.error && resolved.length === 0 && <p className={css.none}>{filtered ? "None matches the filter." : `None in this time. ${past.when === "30d" ? "" : "Look further back above."}`}</p>}
          {resolved.length > 0 && <IncidentList label="Resolved incidents" incidents={resolved} />}
          {past.hasMore && (
            <div className={css.more}>
              <Button onClick={past.more} disabled={past.loadingMore}>
                {past.loadingMore ? "Loading…" : "Show earlier ones"}
              </Button>
            </div>
          )}
        </Panel>
      )}
    </Page>
  );
}
