// How the trace is looked at: selection, collapsed spans, window, search. All of
// it is in the URL, so that a link shows the same rows.
import { useCallback, useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { ancestors, findSpans, type Interval, visibleRows, type Waterfall } from "@/lib/waterfall";
import { type PanelTab, traceRoute } from "./route";

// A link must stay a link: of more collapsed spans the first are kept.
const MAX_FOLDED = 60;
const NONE: ReadonlySet<string> = new Set();

export interface View {
  rows: Int32Array;
  selected: number;
  window: Interval;
  zoomed: boolean;
  folded: ReadonlySet<string>;
  depth: number;
  find: string;
  found: readonly number[];
  tab: PanelTab;
}

export interface ViewActions {
  select(position: number | null): void;
  fold(position: number, closed: boolean): void;
  unfoldAll(): void;
  setDepth(depth: number | undefined): void;
  zoom(window: Interval | null): void;
  setFind(text: string): void;
  setTab(tab: PanelTab): void;
}

export function useView(w: Waterfall): [View, ViewActions] {
  const search = traceRoute.useSearch();
  const selected = search.span ? (w.byId.get(search.span) ?? -1) : -1;
  const folded = useMemo(() => (search.fold ? new Set(search.fold.split(",")) : NONE), [search.fold]);
  const depth = /^\d+$/.test(search.depth ?? "") ? Number(search.depth) : Infinity;
  const zoom = useMemo(() => readWindow(search.zoom, w.duration), [search.zoom, w]);
  const window = useMemo(() => zoom ?? { from: 0, to: Math.max(1, w.duration) }, [zoom, w]);
  const rows = useMemo(() => visibleRows(w, folded, depth), [w, folded, depth]);
  const find = search.find ?? "";
  const found = useMemo(() => findSpans(w, find), [w, find]);
  const view: View = { rows, selected, window, zoomed: zoom !== null, folded, depth, find, found, tab: search.tab ?? "attributes" };
  return [view, useActions(w, folded, depth)];
}

function readWindow(text: string | undefined, duration: number): Interval | null {
  const m = /^(\d{1,16})_(\d{1,16})$/.exec(text ?? "");
  if (!m) return null;
  const from = Math.min(Number(m[1]), duration);
  const to = Math.min(Number(m[2]), duration);
  return to > from ? { from, to } : null;
}

function useActions(w: Waterfall, folded: ReadonlySet<string>, depth: number): ViewActions {
  const navigate = useNavigate({ from: "/traces/$trace" });
  const set = useCallback(
    (p: Record<string, string | undefined>) => void navigate({ search: ((o: object) => ({ ...o, ...p })) as never, replace: true, resetScroll: false }),
    [navigate],
  );
  return useMemo(() => {
    const foldText = (s: ReadonlySet<string>) => [...s].slice(0, MAX_FOLDED).join(",") || undefined;
    return {
      select(position) {
        if (position === null) return set({ span: undefined });
        // Whatever hides it is opened.
        const open = new Set(folded);
        for (const id of ancestors(w, position)) open.delete(id);
        set({ span: w.spans[position]!.span_id, fold: foldText(open), depth: w.depth[position]! > depth ? undefined : depthText(depth) });
      },
      fold(position, closed) {
        const next = new Set(folded);
        if (closed) next.add(w.spans[position]!.span_id);
        else next.delete(w.spans[position]!.span_id);
        // A level limit would keep hiding what is being opened.
        set({ fold: foldText(next), depth: !closed && w.depth[position]! >= depth ? undefined : depthText(depth) });
      },
      unfoldAll: () => set({ fold: undefined, depth: undefined }),
      setDepth: (d) => set({ depth: d === undefined ? undefined : String(d), fold: undefined }),
      zoom: (window) => set({ zoom: window ? `${Math.max(0, Math.floor(window.from))}_${Math.ceil(window.to)}` : undefined }),
      setFind: (find) => set({ find: find || undefined }),
      setTab: (tab) => set({ tab: tab === "attributes" ? undefined : tab }),
    };
  }, [w, folded, depth, set]);
}

const depthText = (d: number) => (Number.isFinite(d) ? String(d) : undefined);
