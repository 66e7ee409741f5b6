import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { LayoutDashboard, Play, Plus, X } from "lucide-react";
import type { Panel, PromMetric } from "@/api/dashboards";
import { useMarks } from "@/api/marks";
import { promMetricsQuery } from "@/api/prom";
import { useScope } from "@/app/range";
import { jobFilter } from "@/lib/chartspec";
import { build, parseBuilt, suggested, unitOf } from "@/lib/dash/builder";
import { newPanel } from "@/lib/dash/model";
import { PanelView } from "@/panels/PanelView";
import { Button, IconButton } from "@/ui/Button";
import { Page } from "@/ui/Panel";
import { Empty, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { AddTo } from "./AddTo";
import { Builder } from "./Builder";
import { MetricBrowser } from "./MetricBrowser";
import { exploreRoute, type ExploreSearch, type View } from "./route";
import css from "./Page.module.css";

const PromField = lazy(() => import("@/promql/PromField"));

const VIEW_LABELS: readonly { id: View; label: string }[] = [
  { id: "graph", label: "Graph" }, { id: "stacked", label: "Stacked" }, { id: "bars", label: "Bars" }, { id: "heatmap", label: "Heatmap" }, { id: "histogram", label: "Histogram" }, { id: "table", label: "Table" },
];
const NOTHING: readonly PromMetric[] = [];

/** PromQL by hand or by choosing, over everything that is stored as a metric. */
export default function ExplorePage() {
  const search = exploreRoute.useSearch();
  const navigate = useNavigate({ from: "/explore" });
  const set = useCallback((patch: ExploreSearch, replace = false) => void navigate({ search: (o) => ({ ...o, ...patch }), replace, resetScroll: false }), [navigate]);
  const known = useQuery(promMetricsQuery("")).data?.metrics ?? NOTHING;
  const [draft, setDraft] = useState(search.expr ?? "");
  const [draft2, setDraft2] = useState(search.expr2);
  useEffect(() => setDraft(search.expr ?? ""), [search.expr]);
  useEffect(() => setDraft2(search.expr2), [search.expr2]);
  const run = (expr = draft) => set({ expr: expr || undefined, expr2: draft2 || undefined });
  const choose = (m: PromMetric) => {
    const plain = suggested(m);
    const expr = build(search.service ? { ...plain, filters: [jobFilter(search.service)] } : plain);
    setDraft(expr);
    set({ expr, view: search.view === "heatmap" || search.view === "histogram" ? undefined : search.view });
  };
  const built = useMemo(() => parseBuilt(draft), [draft]);
  const panel = useMemo(() => panelOf(search, unitOf(parseBuilt(search.expr ?? ""), known)), [search, known]);
  return (
    <Page
      wide
      title="Metrics"
      aside={
        search.expr && (
          <AddTo panel={panel}>
            <Button>
              <LayoutDashboard size={14} aria-hidden /> Add to dashboard
            </Button>
          </AddTo>
        )
      }
    >
      <div className={css.columns}>
        {/* In this order also for the eye where it is narrow: what is asked, what can be asked, the answer. */}
          <div className={css.ask}>
            <div className={css.modes}>
              <Segmented
                label="How to ask"
                options={[
                  { id: "code", label: "PromQL" },
                  { id: "build", label: "Builder" },
                ]}
                value={search.build ? "build" : "code"}
                onChange={(id) => set({ build: id === "build" ? "1" : undefined }, true)}
              />
              <span className={css.hint}>{search.build ? "Every choice writes the PromQL below" : "Enter runs · Shift Enter starts a line · Ctrl Space completes"}</span>
            </div>
            {search.build && <Builder value={built} draft={draft} known={known} onChange={(b) => (setDraft(build(b)), set({ expr: build(b) }, true))} />}
            <div className={css.line}>
              <Editor label="PromQL" value={draft} onChange={setDraft} onRun={() => run()} autoFocus={!search.expr} />
              <Button tone="primary" onClick={() => run()}>
                <Play size={13} aria-hidden /> Run
              </Button>
            </div>
            {draft2 !== undefined ? (
              <div className={css.line}>
                <Editor label="Second expression" value={draft2} onChange={setDraft2} onRun={() => run()} />
                <IconButton label="Remove the second expression" onClick={() => (setDraft2(undefined), set({ expr2: undefined }))}>
                  <X size={14} />
                </IconButton>
              </div>
            ) : (
              <button type="button" className={css.more} onClick={() => setDraft2("")}>
                <Plus size={12} aria-hidden /> Another expression
              </button>
            )}
          </div>
          <MetricBrowser
            q={search.q ?? ""}
            onQuery={(q) => set({ q: q || undefined }, true)}
            service={search.service}
            onService={(service) => set({ service: service || undefined }, true)}
            chosen={built?.metric}
            onChoose={choose}
            open={!search.expr}
          />
          {search.expr ? <Result panel={panel} view={search.view ?? "graph"} onView={(view) => set({ view: view === "graph" ? undefined : view })} /> : <Start any={known.length > 0} />}
      </div>
    </Page>
  );
}

function Editor(props: { label: string; value: string; onChange: (v: string) => void; onRun: () => void; autoFocus?: boolean }) {
  return (
    <div className={css.editor}>
      <Suspense fallback={<Skeleton height={32} />}>
        <PromField {...props} />
      </Suspense>
    </div>
  );
}

function Result({ panel, view, onView }: { panel: Panel; view: View; onView: (v: View) => void }) {
  const scope = useScope();
  const markers = useMarks(scope, servicesOf(panel.title));
  return (
    <section className={css.result} aria-label="Result">
      <Segmented label="Drawn as" options={VIEW_LABELS} value={view} onChange={onView} />
      <div className={css.picture} data-view={view}>
        <PanelView key={panel.type} panel={panel} markers={markers} seen />
      </div>
    </section>
  );
}

function Start({ any }: { any: boolean }) {
  return (
    <div className={css.start}>
      <Empty title={any ? "Choose a metric, or write PromQL" : "No metrics yet"}>
        {any ? "The list says what each measures and how many series it has. The address keeps what is asked: a link shows the same." : "Metrics sent over OTLP or by Prometheus remote write appear here at once."}
      </Empty>
    </div>
  );
}

/** The service that an expression is narrowed to: its deploys are marked, else those of all. */
function servicesOf(expr: string): string[] {
  const found = /\b(?:job|service|service_name)=~?"(?:\(\.\+\/\)\?)?([^"|*]+)"/.exec(expr);
  return found ? [found[1]!.replaceAll("\\", "")] : [];
}

function panelOf(search: ExploreSearch, unit: string): Panel {
  const view = search.view ?? "graph";
  const type = view === "heatmap" || view === "histogram" || view === "table" ? view : "timeseries";
  const exprs = [search.expr, search.expr2].filter((e): e is string => !!e);
  return {
    ...newPanel(type, "explore"),
    title: search.expr ?? "",
    unit,
    style: view === "stacked" || view === "bars" ? view : "line",
    legend: type === "timeseries" ? "table" : "list",
    queries: exprs.map((expr) => ({ expr, legend: "", instant: false, hidden: false })),
  };
}
