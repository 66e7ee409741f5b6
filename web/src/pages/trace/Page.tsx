import { useCallback, useEffect, useRef } from "react";
import { Link } from "@tanstack/react-router";
import { ApiError } from "@/api/client";
import type { TraceAnswer } from "@/api/types";
import { isTyping } from "@/app/keys";
import type { Waterfall } from "@/lib/waterfall";
import { Button } from "@/ui/Button";
import { CopyText } from "@/ui/Copy";
import { Empty, Failed, Skeleton } from "@/ui/States";
import { Detail } from "./Detail";
import { Header } from "./Header";
import { Toolbar } from "./Toolbar";
import { Waterfall as WaterfallView, type WaterfallHandle } from "./Waterfall";
import { traceRoute } from "./route";
import { useFill } from "./useFill";
import { isYoung, useTrace, useTraceLogs } from "./useTrace";
import { useView } from "./useView";
import css from "./Page.module.css";

export default function TracePage() {
  const { trace: id } = traceRoute.useParams();
  const { query, waterfall } = useTrace(id);
  if (query.data && waterfall) return <Loaded trace={query.data} waterfall={waterfall} stale={query.error} />;
  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound id={id} retry={() => void query.refetch()} />;
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} still="The traces list and the other pages are asked for separately." />;
  return <Loading />;
}

function NotFound({ id, retry }: { id: string; retry: () => void }) {
  return (
    <Empty
      page
      title="No such trace"
      action={
        <div className={css.actions}>
          <Button onClick={retry}>Look again</Button>
          <Link to="/traces" className="link">
            Search traces
          </Link>
        </div>
      }
    >
      <p>No span with this trace id is stored. It may have been older than the retention allows, left out by the SDK&rsquo;s sampling, or not have arrived yet.</p>
      <CopyText text={id} label="Trace" />
    </Empty>
  );
}

function Loading() {
  return (
    <div className={css.page} role="status" aria-label="Loading the trace">
      <Skeleton width={320} height={22} />
      <Skeleton height={64} />
      {Array.from({ length: 14 }, (_, i) => (
        <Skeleton key={i} height={18} width={`${Math.max(20, 92 - i * 5)}%`} style={{ marginLeft: i * 12 }} />
      ))}
    </div>
  );
}

function Loaded({ trace, waterfall, stale }: { trace: TraceAnswer; waterfall: Waterfall; stale: unknown }) {
  const [view, actions] = useView(waterfall);
  const logs = useTraceLogs(trace);
  const [fill, height] = useFill(360);
  const tree = useRef<WaterfallHandle>(null);
  const detail = useRef<HTMLElement>(null);
  const go = useCallback(
    (position: number) => {
      actions.select(position);
      tree.current?.show(position);
    },
    [actions],
  );
  useTraceKeys(waterfall, view, actions, go, () => detail.current?.focus());
  const selected = view.selected >= 0 ? waterfall.spans[view.selected] : undefined;
  return (
    <div className={css.page}>
      <Header trace={trace} waterfall={waterfall} young={isYoung(trace)} stale={stale} onSpan={go} />
      <Toolbar waterfall={waterfall} view={view} actions={actions} onSpan={go} />
      <div ref={fill} className={css.split} style={{ height }}>
        <WaterfallView ref={tree} trace={trace} waterfall={waterfall} view={view} actions={actions} logs={logs.bySpan} />
        {selected && <Detail ref={detail} trace={trace} waterfall={waterfall} position={view.selected} tab={view.tab} onTab={actions.setTab} logs={logs} onSpan={go} onClose={() => actions.select(null)} />}
      </div>
    </div>
  );
}

type Keys = Record<string, () => unknown>;

/** The page's keys win over the frame's (l is "live" elsewhere), so they are heard first. Arrows belong to the waterfall alone. */
function useTraceKeys(w: Waterfall, view: ReturnType<typeof useView>[0], actions: ReturnType<typeof useView>[1], go: (p: number) => void, openDetail: () => void) {
  const latest = useRef<Keys>({});
  const { rows, selected } = view;
  const at = rows.indexOf(selected);
  const step = (by: number) => rows.length && go(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]!);
  const left = () => {
    if (selected < 0) return step(0);
    const closed = view.folded.has(w.spans[selected]!.span_id) || w.subtreeEnd[selected] === selected + 1;
    if (!closed && w.depth[selected]! < view.depth) actions.fold(selected, true);
    else if (w.parent[selected]! >= 0) go(w.parent[selected]!);
  };
  const right = () => {
    if (selected < 0) return step(0);
    if (w.subtreeEnd[selected] === selected + 1) return;
    if (view.folded.has(w.spans[selected]!.span_id) || w.depth[selected]! >= view.depth) actions.fold(selected, false);
    else go(selected + 1);
  };
  const jump = (list: readonly number[], by: 1 | -1) => {
    if (!list.length) return;
    const next = by > 0 ? (list.find((p) => p > selected) ?? list[0]!) : ([...list].reverse().find((p) => p < selected) ?? list.at(-1)!);
    go(next);
  };
  const errors = () => w.spans.flatMap((s, p) => (s.status === "error" ? [p] : []));
  latest.current = {
    j: () => step(1), k: () => step(-1), h: left, l: right,
    n: () => jump(view.found, 1), N: () => jump(view.found, -1), e: () => jump(errors(), 1), E: () => jump(errors(), -1),
    ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowLeft: left, ArrowRight: right, Home: () => rows.length && go(0), End: () => rows.length && go(rows[rows.length - 1]!), PageDown: () => step(20), PageUp: () => step(-20), Enter: openDetail,
    Escape: () => (view.zoomed ? actions.zoom(null) : actions.select(null)),
  };
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (e.metaKey || e.ctrlKey || e.altKey || isTyping(e.target) || document.querySelector("dialog[open]")) return;
      const run = latest.current[e.key];
      const target = e.target as HTMLElement;
      const inTree = target === document.body || target.id === "main" || target.getAttribute("role") === "tree";
      if (!run || (e.key.length > 1 && !inTree && e.key !== "Escape")) return;
      e.preventDefault();
      e.stopPropagation();
      run();
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, []);
}

