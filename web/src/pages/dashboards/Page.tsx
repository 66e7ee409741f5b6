import { useMemo, useState } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, Upload } from "lucide-react";
import { ApiError, post } from "@/api/client";
import type { Dashboard, DashboardSummary } from "@/api/dashboards";
import { dashboardsQuery } from "@/api/prom";
import { toast } from "@/app/toast";
import { newDashboard } from "@/lib/dash/model";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Page } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";
import { Empty, Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import { ImportDialog } from "./ImportDialog";
import { dashboardsRoute } from "./route";
import css from "./Page.module.css";

/** All dashboards: one's own first, then those that come with the product. */
export default function DashboardsPage() {
  const search = dashboardsRoute.useSearch();
  const navigate = useNavigate({ from: "/dashboards" });
  const client = useQueryClient();
  const [importing, setImporting] = useState(false);
  const q = useQuery({ ...dashboardsQuery(), refetchOnMount: "always" });
  const create = async () => {
    try {
      const made = await post<Dashboard>("/dashboards", newDashboard("New dashboard"));
      void client.invalidateQueries({ queryKey: ["/dashboards"] });
      void navigate({ to: "/dashboards/$id" as never, params: { id: made.id } as never, search: { edit: "1" } as never });
    } catch (e) {
      toast(e instanceof ApiError ? (e.detail ?? e.message) : "It could not be made", { tone: "bad" });
    }
  };
  return (
    <Page
      title="Dashboards"
      aside={
        <>
          <Button onClick={() => setImporting(true)}>
            <Upload size={14} aria-hidden /> Import
          </Button>
          <Button tone="primary" onClick={() => void create()}>
            <Plus size={14} aria-hidden /> New dashboard
          </Button>
        </>
      }
    >
      <div className={css.filter}>
        <SearchField label="Search dashboards" value={search.q ?? ""} onChange={(v) => void navigate({ search: (o) => ({ ...o, q: v || undefined }), replace: true })} placeholder="Title, description or tag" />
        {search.tag && (
          <Button size="sm" onClick={() => void navigate({ search: (o) => ({ ...o, tag: undefined }) })}>
            {search.tag} ×
          </Button>
        )}
      </div>
      <Query query={q}>{(data) => <Lists all={data.dashboards} q={search.q ?? ""} tag={search.tag} />}</Query>
      <ImportDialog open={importing} onClose={() => setImporting(false)} />
    </Page>
  );
}

function Lists({ all, q, tag }: { all: readonly DashboardSummary[]; q: string; tag: string | undefined }) {
  const found = useMemo(() => {
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((d) => {
      const text = `${d.title} ${d.description} ${d.tags.join(" ")}`.toLowerCase();
      return words.every((w) => text.includes(w)) && (!tag || d.tags.includes(tag));
    });
  }, [all, q, tag]);
  const own = found.filter((d) => !d.ready_made);
  const ready = found.filter((d) => d.ready_made);
  if (found.length === 0) return <Empty title="No dashboard matches">Search for something else, or make one.</Empty>;
  return (
    <>
      {own.length > 0 && <Cards title="Yours" list={own} />}
      {own.length === 0 && !q && !tag && <p className={css.hint}>None of your own yet. The ones below come with Tidemark and show what is there as soon as it is sent; change them as you like, the original can always be had back.</p>}
      {ready.length > 0 && <Cards title="Ready-made" list={ready} />}
    </>
  );
}

function Cards({ title, list }: { title: string; list: readonly DashboardSummary[] }) {
  return (
    <section className={css.section}>
      <h2 className={css.heading}>{title}</h2>
      <ul className={css.cards}>
        {list.map((d) => (
          <li key={d.id} className={css.card}>
            <Link to={"/dashboards/$id" as never} params={{ id: d.id } as never} className={css.title}>
              {d.title}
            </Link>
            <p className={css.about}>{d.description}</p>
            <p className={css.facts}>
              <span>{plural(d.panels, "panel")}</span>
              {d.version > 0 && (
                <span>
                  {d.ready_made ? "changed " : ""}
                  <Time t={Date.parse(d.updated_at)} />
                </span>
              )}
              <span className={css.tags}>
                {d.tags.slice(0, 4).map((t) => (
                  <Link key={t} to={"/dashboards" as never} search={{ tag: t } as never} className={css.tag}>
                    {t}
                  </Link>
                ))}
              </span>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
