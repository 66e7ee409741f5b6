import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useMarks } from "@/api/marks";
import type { Dashboard, Panel } from "@/api/dashboards";
import { useKeys } from "@/app/keys";
import { useScope, useScopeActions } from "@/app/range";
import { toast } from "@/app/toast";
import { freePlace, hiddenByRows, visible } from "@/lib/dash/grid";
import { choiceKey, choicesFrom, choiceText, freeId, needs, newPanel, sizeOf, writtenOut } from "@/lib/dash/model";
import { ALL, type Choices, repeated, valuesOf } from "@/lib/dash/variables";
import { PanelView } from "@/panels/PanelView";
import { Button } from "@/ui/Button";
import { Empty, Skeleton } from "@/ui/States";
import { Bar } from "./Bar";
import { Choosers } from "./Choosers";
import { Frame, type FrameActions, OneLink } from "./Frame";
import { Grid } from "./Grid";
import { dashboardRoute, type DashboardSearch } from "./route";
import { useBoard } from "./useBoard";
import { useVariables } from "./useVariables";
import css from "./Board.module.css";

// Who only looks does not load what arranges.
const PanelEditor = lazy(() => import("./PanelEditor"));
const Settings = lazy(() => import("./Settings"));
const Versions = lazy(() => import("./Versions"));

type Drawn = Panel & { scoped?: Choices };

/** A dashboard: its variables, its panels in their places, and the tools to arrange them. */
export function Board({ saved }: { saved: Dashboard }) {
  const search = dashboardRoute.useSearch();
  const navigate = useNavigate({ from: "/dashboards/$id" });
  const scope = useScope();
  const doc = useBoard(saved);
  const d = doc.now;
  const [open, setOpen] = useState<"settings" | "versions" | null>(null);
  const old = search.version !== undefined;
  const editing = search.edit === "1" && !old && !search.view;
  const set = useCallback((patch: DashboardSearch, replace = false) => void navigate({ search: (o) => ({ ...o, ...patch }), replace, resetScroll: false }), [navigate]);

  useOwnRange(d.range);
  useEffect(() => void (document.title = `${d.title} · Dashboards · Tidemark`), [d.title]);
  const asked = useMemo(() => choicesFrom(search as Record<string, unknown>), [search]);
  const variables = useVariables(d.variables, asked);
  const markers = useMarkers(d, variables.by);
  const panels = useMemo((): Drawn[] => (editing ? visible(d.panels) : visible(repeated(d.panels.filter((p) => !hiddenByRows(d.panels).has(p.id)), variables.by))), [d.panels, variables.by, editing]);

  const view = (p: Drawn, seen: boolean) => {
    const waits = [...needs(p)].some((name) => variables.waiting.has(name));
    return waits ? <Skeleton height="100%" /> : <PanelView panel={writtenOut(p, variables.by)} markers={markers} seen={seen} />;
  };
  const actions = (p: Drawn): FrameActions => ({
    onFold: p.type === "row" ? () => doc.changePanel(p.id, (o) => ({ ...o, collapsed: !o.collapsed })) : undefined,
    onView: editing || p.type === "row" ? undefined : () => set({ view: p.id }),
    onEdit: old ? undefined : () => set({ edit: "1", panel: p.scoped ? p.id.replace(/-\d+$/, "") : p.id, view: undefined }),
    onExplore: () => {
      const [first, second] = writtenOut(p, variables.by).queries.filter((q) => !q.hidden);
      void navigate({ to: "/explore" as never, search: { expr: first?.expr, expr2: second?.expr } as never });
    },
    onDuplicate: editing ? () => doc.change((o) => duplicate(o, p.id)) : undefined,
    onRemove: editing
      ? () => {
          doc.change((o) => ({ ...o, panels: o.panels.filter((x) => x.id !== p.id) }));
          toast(`${p.title || "Panel"} removed`, { action: { label: "Undo", run: doc.undo } });
        }
      : undefined,
  });
  const add = (type: Panel["type"]) => {
    const id = freeId(d.panels);
    doc.change((o) => ({ ...o, panels: [...o.panels, { ...newPanel(type, id), ...freePlace(o.panels, sizeOf(type).w, sizeOf(type).h) }] }));
    if (type !== "row") set({ edit: "1", panel: id });
  };
  useKeys({
    "mod z": (e) => editing && (e.shiftKey ? doc.redo() : doc.undo()),
    "mod s": () => editing && doc.dirty && void doc.save(""),
    e: () => !old && set({ edit: editing ? undefined : "1", panel: undefined }),
    k: () => set({ kiosk: search.kiosk ? undefined : "1" }),
    Escape: () => (search.view ? set({ view: undefined }) : search.kiosk && set({ kiosk: undefined })),
  });

  const chosen = editing && search.panel ? d.panels.find((p) => p.id === search.panel) : undefined;
  const alone = search.view ? panels.find((p) => p.id === search.view) : undefined;
  return (
    <div className={css.page} data-kiosk={search.kiosk}>
      <Bar doc={doc} editing={editing} old={old ? Number(search.version) : undefined} search={search} set={set} onAdd={add} onSettings={() => setOpen("settings")} onVersions={() => setOpen("versions")} />
      {(d.variables.length > 0 || d.links.length > 0) && (
        <div className={css.over}>
          <Choosers by={variables.by} faults={variables.faults} onChoose={(name, values) => set({ [choiceKey(name)]: choiceText(values) } as DashboardSearch)} />
          <span className={css.links}>
            {d.links.map((l) => (
              <OneLink key={l.title + l.url} link={l} words />
            ))}
          </span>
        </div>
      )}
      {chosen ? (
        <Suspense fallback={<Skeleton height={500} />}>
          <PanelEditor key={chosen.id} panel={chosen} dashboard={d} variables={variables.by} onChange={(f, touched) => doc.changePanel(chosen.id, f, touched)} onClose={() => set({ panel: undefined })} preview={view(chosen, true)} />
        </Suspense>
      ) : alone ? (
        <div className={css.alone}>
          <Frame panel={writtenOut(alone, variables.by)} actions={{ onEdit: actions(alone).onEdit, onExplore: actions(alone).onExplore }}>
            {view(alone, true)}
          </Frame>
          <Button onClick={() => set({ view: undefined })}>Back to the dashboard</Button>
        </div>
      ) : d.panels.length === 0 ? (
        <div className={css.empty}>
          <Empty title="Nothing here yet" action={!old && <Button tone="primary" onClick={() => add("timeseries")}>Add a panel</Button>}>
            Panels show metrics in PromQL, requests and latency, logs, traces and profiles. Add the first, or send one here from Explore.
          </Empty>
        </div>
      ) : (
        <Grid
          panels={panels}
          editing={editing}
          onLayout={(next, id) => doc.change((o) => ({ ...o, panels: settled(o.panels, next) }), `layout ${id}`)}
          render={(p, seen, handle) => (
            <Frame panel={writtenOut(p, variables.by)} handle={handle} actions={actions(p)}>
              {view(p, seen)}
            </Frame>
          )}
        />
      )}
      <Suspense>
        {open === "settings" && <Settings doc={doc} onClose={() => setOpen(null)} />}
        {open === "versions" && <Versions doc={doc} onClose={() => setOpen(null)} onLook={(v) => (setOpen(null), set({ version: String(v), edit: undefined, panel: undefined }))} />}
      </Suspense>
      {editing && <p className={css.keys}>Drag panels by their head, resize at the corner; or focus a handle: arrow keys move, with Shift they resize. ⌘Z undoes, ⌘S saves.</p>}
      {scope.paused && search.kiosk && <p className={css.keys}>Paused</p>}
    </div>
  );
}

/** What was moved on the screen, laid over all panels: those in a folded row keep their places below it. */
function settled(all: readonly Panel[], shown: readonly Panel[]): Panel[] {
  const by = new Map(shown.map((p) => [p.id, p]));
  const bottom = new Map<string, number>();
  const ordered = [...all].sort((a, b) => a.y - b.y || a.x - b.x);
  let row: Panel | undefined;
  for (const p of ordered) {
    if (p.type === "row") row = p;
    else if (!by.has(p.id) && row) bottom.set(p.id, (by.get(row.id)?.y ?? row.y) - row.y);
  }
  return all.map((p) => {
    const moved = by.get(p.id);
    if (moved) return { ...p, x: moved.x, y: moved.y, w: moved.w, h: moved.h };
    return { ...p, y: Math.max(0, p.y + (bottom.get(p.id) ?? 0)) };
  });
}

function duplicate(d: Dashboard, id: string): Dashboard {
  const p = d.panels.find((x) => x.id === id);
  if (!p) return d;
  return { ...d, panels: [...d.panels, { ...p, ...freePlace(d.panels, p.w, p.h), id: freeId(d.panels) }] };
}

/** A dashboard opens with its own range, where the address says none. */
function useOwnRange(range: string) {
  const actions = useScopeActions();
  const search = dashboardRoute.useSearch() as { from?: string };
  const [done, setDone] = useState(false);
  if (!done) {
    setDone(true);
    if (range && !search.from) queueMicrotask(() => actions.setRange({ from: range, to: "now" }));
  }
}

function useMarkers(d: Dashboard, by: ReturnType<typeof useVariables>["by"]) {
  const scope = useScope();
  const service = by.get("service") ?? by.get("service_name");
  const names = service && !service.chosen.includes(ALL) ? valuesOf(service) : [];
  const all = useMarks(scope, names, { past: true });
  const { deploys, incidents } = d.annotations;
  return useMemo(() => all.filter((m) => (m.kind === "deploy" ? deploys : incidents)), [all, deploys, incidents]);
}
