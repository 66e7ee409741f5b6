import { type Ref, useCallback, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import type { LogRecord, TraceAnswer } from "@/api/types";
import { type Gap, longGaps, type Segment, type Waterfall as Model } from "@/lib/waterfall";
import { Minimap } from "./Minimap";
import { Row } from "./Row";
import { Ruler } from "./Ruler";
import type { View, ViewActions } from "./useView";
import css from "./Waterfall.module.css";

export interface WaterfallHandle {
  show(position: number): void;
}

interface Props {
  ref: Ref<WaterfallHandle>;
  trace: TraceAnswer;
  waterfall: Model;
  view: View;
  actions: ViewActions;
  logs: ReadonlyMap<string, readonly LogRecord[]>;
}

const ROW = 26;
const NAME_KEY = "tidemark.trace.names";
const NAME_MIN = 120;

/** Rows of spans over one time axis. Only the rows on screen exist; ten thousand scroll as smoothly as ten. */
export function Waterfall({ ref, trace, waterfall: w, view, actions, logs }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [names, setNames] = useNames(width);
  const { rows, selected, window } = view;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 16 });
  const critical = useMemo(() => byPosition(w.critical), [w]);
  const gaps = useMemo(() => byPosition(longGaps(w)), [w]);
  const found = useMemo(() => new Set(view.found), [view.found]);
  const rowOf = useCallback((position: number) => rows.indexOf(position), [rows]);

  useLayoutEffect(() => {
    const el = scroller.current!;
    const observer = new ResizeObserver(() => setWidth(el.clientWidth));
    observer.observe(el);
    setWidth(el.clientWidth);
    return () => observer.disconnect();
  }, []);

  // A position asked for may first have to be unfolded: it is shown once it has a row.
  const wanted = useRef<number | null>(selected >= 0 ? selected : null);
  const reveal = useCallback(() => {
    if (wanted.current === null) return;
    const row = rowOf(wanted.current);
    if (row < 0) return;
    wanted.current = null;
    virtual.scrollToIndex(row, { align: "auto" });
  }, [rowOf, virtual]);
  useImperativeHandle(ref, () => ({
    show(position) {
      wanted.current = position;
      reveal();
    },
  }), [reveal]);
  useEffect(reveal, [reveal, rows]);
  useEffect(() => void scroller.current?.focus({ preventScroll: true }), []);

  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  const indent = Math.max(1.5, Math.min(12, (names * 0.5) / Math.max(1, w.maxDepth)));
  return (
    <div className={css.view} style={{ "--names": `${names}px` } as never}>
      <Minimap waterfall={w} window={view.window} zoomed={view.zoomed} from={rows[first] ?? 0} to={rows[last] ?? 0} onZoom={actions.zoom} />
      <div className={css.axis}>
        <span className={css.axisName}>
          {rows.length === w.spans.length ? "Span" : `${rows.length} of ${w.spans.length} spans`}
          <Splitter value={names} max={width} onChange={setNames} />
        </span>
        <Ruler window={window} width={width - names} />
      </div>
      <div
        ref={scroller}
        className={css.scroller}
        role="tree"
        tabIndex={0}
        aria-label={`Spans of the trace, ${rows.length} rows`}
        aria-activedescendant={selected >= 0 && rowOf(selected) >= first && rowOf(selected) <= last ? `span-${w.spans[selected]!.span_id}` : undefined}
      >
        <div className={css.rows} role="presentation" style={{ height: virtual.getTotalSize() }}>
          {items.map((v) => {
            const position = rows[v.index]!;
            const span = w.spans[position]!;
            return (
              <Row
                key={position}
                id={`span-${span.span_id}`}
                waterfall={w}
                position={position}
                top={v.start}
                indent={indent}
                window={window}
                open={!view.folded.has(span.span_id) && w.depth[position]! < view.depth}
                selected={position === selected}
                match={view.find ? found.has(position) : null}
                critical={critical.get(position)}
                gaps={gaps.get(position)}
                logs={logs.get(span.span_id)}
                plot={width - names}
                onSelect={actions.select}
                onFold={actions.fold}
              />
            );
          })}
        </div>
      </div>
      {trace.truncated && <p className={css.end}>Only the first {w.spans.length} spans by time are shown.</p>}
    </div>
  );
}

function byPosition<T extends Segment | Gap>(list: readonly T[]): Map<number, T[]> {
  const out = new Map<number, T[]>();
  for (const x of list) {
    const held = out.get(x.position);
    if (held) held.push(x);
    else out.set(x.position, [x]);
  }
  return out;
}

/** The width of the names' column: a taste of the reader's, kept in this browser. */
function useNames(width: number): [number, (px: number) => void] {
  const [share, setShare] = useState(() => {
    try {
      return Number(localStorage.getItem(NAME_KEY)) || 0.36;
    } catch {
      return 0.36;
    }
  });
  const px = Math.round(Math.min(Math.max(NAME_MIN, width * Math.min(0.75, Math.max(0.12, share))), 560));
  const set = (next: number) => {
    const s = next / Math.max(1, width);
    setShare(s);
    try {
      localStorage.setItem(NAME_KEY, s.toFixed(3));
    } catch {
      // The width then lasts for this page only.
    }
  };
  return [px, set];
}

function Splitter({ value, max, onChange }: { value: number; max: number; onChange: (px: number) => void }) {
  return (
    <span
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the names"
      aria-valuenow={value}
      aria-valuemin={NAME_MIN}
      aria-valuemax={Math.max(NAME_MIN, Math.round(max * 0.75))}
      tabIndex={0}
      className={css.splitter}
      onPointerDown={(e) => {
        e.preventDefault();
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove={(e) => e.currentTarget.hasPointerCapture(e.pointerId) && onChange(e.clientX - e.currentTarget.parentElement!.getBoundingClientRect().left)}
      onKeyDown={(e) => {
        const by = e.key === "ArrowLeft" ? -16 : e.key === "ArrowRight" ? 16 : 0;
        if (!by) return;
        e.preventDefault();
        onChange(value + by);
      }}
    />
  );
}
