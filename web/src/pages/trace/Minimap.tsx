import { type PointerEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useAppearance } from "@/app/theme";
import { colorOf, cssColor } from "@/lib/color";
import { format } from "@/lib/format";
import { type Interval, minimap, type Waterfall } from "@/lib/waterfall";
import css from "./Minimap.module.css";

interface Props {
  waterfall: Waterfall;
  window: Interval;
  zoomed: boolean;
  /** Positions of the first and last row on screen. */
  from: number;
  to: number;
  onZoom: (window: Interval | null) => void;
}

const HEIGHT = 56;
const CLICK_PX = 4;
/** Arrow keys move a zoomed window by this share of its width. */
const STEP = 0.2;

/** The whole trace, small. Drag to look at a part; double click to see all of it again. */
export function Minimap({ waterfall: w, window, zoomed, from, to, onZoom }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const appearance = useAppearance();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(host.current?.clientWidth ?? 0));
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);
  const rects = useMemo(() => minimap(w, HEIGHT / 2, width), [w, width]);
  const lines = Math.min(HEIGHT / 2, Math.max(1, w.spans.length));
  useEffect(() => {
    const el = canvas.current;
    const ctx = el?.getContext("2d");
    if (!el || !ctx || !width) return;
    const dpr = devicePixelRatio || 1;
    el.width = Math.round(width * dpr);
    el.height = Math.round(HEIGHT * dpr);
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    const line = Math.min(6, (HEIGHT - 8) / lines);
    const bad = cssColor("var(--bad)");
    const colors = new Map<string, string>();
    for (const r of rects) {
      if (!colors.has(r.service)) colors.set(r.service, cssColor(colorOf(r.service)));
      ctx.fillStyle = r.error ? bad : colors.get(r.service)!;
      ctx.globalAlpha = r.error ? 1 : 0.85;
      ctx.fillRect((r.from / Math.max(1, w.duration)) * width, 4 + r.line * line, Math.max(1, ((r.to - r.from) / Math.max(1, w.duration)) * width), Math.max(1, line - (line > 3 ? 1 : 0)));
    }
  }, [rects, width, lines, w, appearance]);

  const ns = (e: PointerEvent) => {
    const box = host.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (e.clientX - box.left) / box.width)) * w.duration;
  };
  const finish = (end: number) => {
    if (!drag) return;
    setDrag(null);
    const a = Math.min(drag.from, end);
    const b = Math.max(drag.from, end);
    if (((b - a) / w.duration) * width > CLICK_PX) onZoom({ from: a, to: b });
  };
  const share = (v: number) => `${(v / Math.max(1, w.duration)) * 100}%`;
  const shown = drag ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) } : window;
  const n = Math.max(1, w.spans.length);
  const line = Math.min(6, (HEIGHT - 8) / lines);
  return (
    <div
      ref={host}
      className={css.map}
      style={{ height: HEIGHT }}
      role="slider"
      tabIndex={0}
      aria-label="Part of the trace shown. Arrow keys move it, plus and minus zoom."
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round((window.from / Math.max(1, w.duration)) * 100)}
      aria-valuetext={`${format(window.from, "ns")} to ${format(window.to, "ns")}`}
      onPointerDown={(e) => {
        if (e.button !== 0) return;
        e.currentTarget.setPointerCapture(e.pointerId);
        setDrag({ from: ns(e), to: ns(e) });
      }}
      onPointerMove={(e) => drag && setDrag({ ...drag, to: ns(e) })}
      onPointerUp={(e) => finish(ns(e))}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => onZoom(null)}
      onKeyDown={(e) => {
        const next = byKey(e.key, window, w.duration);
        if (next === undefined) return;
        e.preventDefault();
        e.stopPropagation();
        onZoom(next);
      }}
    >
      <canvas ref={canvas} className={css.canvas} style={{ height: HEIGHT }} />
      <span className={css.rows} style={{ top: 4 + (from / n) * lines * line, height: Math.max(3, ((to - from + 1) / n) * lines * line) }} />
      {(zoomed || drag) && (
        <>
          <span className={css.shade} style={{ left: 0, width: share(shown.from) }} />
          <span className={css.shade} style={{ left: share(shown.to), right: 0 }} />
          <span className={css.window} style={{ left: share(shown.from), width: share(shown.to - shown.from) }} />
        </>
      )}
    </div>
  );
}

/** The window after a key; null for all of the trace, undefined for keys that mean nothing here. */
function byKey(key: string, window: Interval, duration: number): Interval | null | undefined {
  const width = window.to - window.from;
  const middle = (window.from + window.to) / 2;
  const moved = (by: number) => {
    const from = Math.min(Math.max(0, window.from + by), duration - width);
    return { from, to: from + width };
  };
  if (key === "ArrowLeft") return moved(-width * STEP);
  if (key === "ArrowRight") return moved(width * STEP);
  if (key === "+" || key === "=") return { from: middle - width / 4, to: middle + width / 4 };
  if (key === "-") return width * 2 >= duration ? null : { from: Math.max(0, middle - width), to: Math.min(duration, middle + width) };
  return undefined;
}
