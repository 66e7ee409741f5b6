import { type PointerEvent, type ReactNode, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { HeatmapAnswer } from "@/api/types";
import { useScope, useScopeActions } from "@/app/range";
import { useAppearance } from "@/app/theme";
import { onBeat } from "@/lib/clock";
import { pointCount } from "@/lib/columns";
import { format, integer, type Unit } from "@/lib/format";
import { resolve, dateTime } from "@/lib/time";
import { Footer } from "./Footer";
import { type Band, type Marker, markersNear } from "./model";
import { BOTTOM, type HeatLayout, layout, LEFT, paint, RIGHT, TOP } from "./paintHeatmap";
import { rowOf, wordsOf } from "@/lib/heat";
import css from "./Heatmap.module.css";
import frame from "./TimeChart.module.css";

/** A rectangle on the heatmap: a window of time and of durations. */
export interface HeatSelection {
  fromMs: number;
  toMs: number;
  minNs: number;
  maxNs: number;
}

interface Props {
  title: string;
  data: HeatmapAnswer;
  height?: number;
  freshAt?: number;
  /** A rectangle was dragged: "why these?". Without it a drag zooms in time. */
  onSelect?: (s: HeatSelection) => void;
  /** Drawn until cleared, so that the page can say what is selected. */
  selection?: HeatSelection | null;
  aside?: ReactNode;
  bare?: boolean;
  note?: string;
  /** What was expected: its edges are drawn as thin lines. */
  band?: Band;
  /** Deploys and anomalies. */
  markers?: readonly Marker[];
  /** Of the values, where they are no durations: bounds_ns is then a thousand million times the value. */
  unit?: Unit;
  /** Counts without percentiles. */
  lineless?: boolean;
  headless?: boolean;
}

const DASHES: [keyof Pick<HeatmapAnswer, "p50_ns" | "p95_ns" | "p99_ns">, string, number[]][] = [
  ["p50_ns", "p50", [1, 3]],
  ["p95_ns", "p95", [5, 3]],
  ["p99_ns", "p99", []],
];

const NO_MARKERS: readonly Marker[] = [];

/** Latency as it is: counts by time and duration, percentiles as lines on it. */
export function Heatmap({ title, data, height = 200, freshAt, onSelect, selection, aside, bare, note, band, markers = NO_MARKERS, unit, lineless, headless }: Props) {
  const scope = useScope();
  const actions = useScopeActions();
  const appearance = useAppearance();
  const id = useId();
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const lay = useRef<HeatLayout | null>(null);
  const [width, setWidth] = useState(0);
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);
  const [hover, setHover] = useState<{ x: number; y: number } | null>(null);

  useLayoutEffect(() => {
    const el = host.current!;
    const observer = new ResizeObserver(() => setWidth(el.clientWidth));
    observer.observe(el);
    setWidth(el.clientWidth);
    return () => observer.disconnect();
  }, []);

  const draw = useCallback(() => {
    const el = canvas.current;
    const ctx = el?.getContext("2d");
    if (!el || !ctx || width === 0) return;
    const dpr = devicePixelRatio || 1;
    if (el.width !== Math.round(width * dpr)) el.width = Math.round(width * dpr);
    if (el.height !== Math.round(height * dpr)) el.height = Math.round(height * dpr);
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (data.bounds_ns.length < 2) {
      lay.current = null;
      return;
    }
    const l = layout(data, resolve(scope.range, Date.now()), width, height);
    lay.current = l;
    const edges = band ? [band.lower, band.upper].map((values) => ({ values, label: band.label, dash: [2, 2], color: "var(--accent-text)" })) : [];
    const lines = lineless ? [] : DASHES.map(([k, label, dash]) => ({ values: data[k], label, dash }));
    paint(ctx, data, l, [...lines, ...edges], scope.utc, markers, wordsOf(unit));
  }, [data, band, markers, width, height, scope.range, scope.utc, appearance, lineless, unit]);

  useEffect(() => {
    draw();
    if (!scope.live) return;
    // A window of 15 minutes moves one pixel in about two seconds: once a second is smooth enough.
    let last = 0;
    return onBeat((now) => {
      if (now - last < 1000) return;
      last = now;
      draw();
    });
  }, [draw, scope.live]);

  const at = (e: PointerEvent) => {
    const box = host.current!.getBoundingClientRect();
    return { x: clamp(e.clientX - box.left, LEFT, width - RIGHT), y: clamp(e.clientY - box.top, TOP, height - BOTTOM) };
  };
  const finish = (end: { x: number; y: number }) => {
    // Where it ended is the event's word: the last move may not have been rendered yet.
    const d = drag && { ...drag, x1: end.x, y1: end.y };
    setDrag(null);
    const l = lay.current;
    if (!d || !l || Math.abs(d.x1 - d.x0) < 5) return;
    const [a, b] = [Math.min(d.x0, d.x1), Math.max(d.x0, d.x1)];
    const span = { from: l.timeAt(a), to: l.timeAt(b) };
    if (!onSelect) return actions.zoomTo(span);
    const [top, bottom] = Math.abs(d.y1 - d.y0) < 5 ? [TOP, height - BOTTOM] : [Math.min(d.y0, d.y1), Math.max(d.y0, d.y1)];
    onSelect({ fromMs: Math.round(span.from), toMs: Math.round(span.to), minNs: Math.floor(l.durationAt(bottom)), maxNs: Math.ceil(l.durationAt(top)) });
  };
  useCrosshair(host, lay, width);

  const label = useMemo(() => lineless ? `${title}. ${data.bounds_ns.length - 1} rows of values` : `${title}. Newest percentiles: ${DASHES.map(([k, n]) => `${n} ${format(lastOf(data[k]), "ns")}`).join(", ")}`, [data, title, lineless]);
  const box = drag ? rect(drag, height, !!onSelect) : selection && lay.current ? rectOf(selection, lay.current) : null;
  return (
    <figure className={frame.chart} data-bare={bare || undefined} aria-labelledby={id} data-testid="heatmap">
      <figcaption className={headless ? "visually-hidden" : frame.head}>
        {headless ? (
          <span id={id}>{title}</span>
        ) : (
          <h2 id={id} className={frame.title}>
            {title}
          </h2>
        )}
        {aside}
      </figcaption>
      <div
        ref={host}
        className={css.host}
        style={{ height }}
        onPointerDown={(e) => {
          if (e.button !== 0 || e.pointerType === "touch") return;
          e.currentTarget.setPointerCapture(e.pointerId);
          const p = at(e);
          setDrag({ x0: p.x, y0: p.y, x1: p.x, y1: p.y });
        }}
        onPointerMove={(e) => {
          const p = at(e);
          setHover(p);
          if (drag) setDrag({ ...drag, x1: p.x, y1: p.y });
        }}
        onPointerUp={(e) => finish(at(e))}
        onPointerCancel={() => setDrag(null)}
        onPointerLeave={() => setHover(null)}
        onDoubleClick={() => actions.zoomBack()}
      >
        <canvas ref={canvas} className={css.canvas} style={{ width: "100%", height }} role="img" aria-label={label} />
        {data.bounds_ns.length < 2 && <p className={css.none}>No requests in this range</p>}
        {box && <div className={css.box} style={box} />}
        <HeatTip hover={drag ? null : hover} lay={lay.current} data={data} utc={scope.utc} width={width} band={band} markers={markers} unit={unit} lineless={lineless} />
      </div>
      <div className={frame.foot}>
        <ul className={css.lines} aria-hidden>
          {!lineless && DASHES.map(([, name, dash]) => (
            <li key={name}>
              <svg width="18" height="4">
                <line x1="0" x2="18" y1="2" y2="2" stroke="var(--text)" strokeWidth="1.5" strokeDasharray={dash.join(" ")} />
              </svg>
              {name}
            </li>
          ))}
          {band && (
            <li>
              <svg width="18" height="4">
                <line x1="0" x2="18" y1="2" y2="2" stroke="var(--accent-text)" strokeWidth="1.5" strokeDasharray="2 2" />
              </svg>
              expected
            </li>
          )}
        </ul>
        <Footer range={data.range} freshAt={freshAt} note={note} />
      </div>
    </figure>
  );
}

function HeatTip({ hover, lay, data, utc, width, band, markers, unit, lineless }: { unit: Unit | undefined; lineless: boolean | undefined; hover: { x: number; y: number } | null; lay: HeatLayout | null; data: HeatmapAnswer; utc: boolean; width: number; band: Band | undefined; markers: readonly Marker[] }) {
  if (!hover || !lay) return null;
  const t = lay.timeAt(hover.x);
  const n = data.bounds_ns.length - 1;
  const column = Math.floor((t - data.range.from_ms) / data.range.step_ms);
  const row = Math.floor(rowOf(lay.durationAt(hover.y), data.bounds_ns));
  if (column < 0 || column >= pointCount(data.range) || row < 0 || row >= n) return null;
  const count = data.cells[column * n + row] ?? 0;
  const flip = hover.x > width - 220;
  return (
    <div className={frame.tip} style={{ transform: `translate(${hover.x + (flip ? -14 : 14)}px, ${hover.y + 12}px) ${flip ? "translateX(-100%)" : ""}` }} aria-hidden>
      <div className={frame.tipTime}>{dateTime(data.range.from_ms + column * data.range.step_ms, utc)}</div>
      <div className={frame.tipRow}>
        <span className={frame.tipLabel}>
          {wordsOf(unit)(data.bounds_ns[row]!)} – {wordsOf(unit)(data.bounds_ns[row + 1]!)}
        </span>
        <span className={frame.tipValue}>{lineless ? format(count, "count") : integer(count)}</span>
      </div>
      {!lineless && DASHES.map(([k, name]) => (
        <div key={k} className={frame.tipRow}>
          <span className={frame.tipLabel}>{name}</span>
          <span className={frame.tipValue}>{format(data[k][column], "ns")}</span>
        </div>
      ))}
      {band && band.upper[column] != null && (
        <div className={frame.tipNote}>
          {band.label}: {format(band.lower[column], "ns")} – {format(band.upper[column], "ns")}
        </div>
      )}
      {markersNear(markers, t, lay.timeAt(hover.x + 7) - t).map((text) => (
        <div key={text} className={frame.tipNote}>
          {text}
        </div>
      ))}
    </div>
  );
}

/** Shows the page's shared crosshair and takes part in it. */
function useCrosshair(host: { current: HTMLDivElement | null }, lay: { current: HeatLayout | null }, width: number) {
  useEffect(() => {
    const el = host.current;
    if (!el || width === 0) return;
    const line = document.createElement("div");
    line.className = css.cross!;
    line.hidden = true;
    el.append(line);
    const move = (e: globalThis.PointerEvent) => {
      const l = lay.current;
      const hovered = document.querySelector<HTMLElement>(`.${frame.canvas}:hover .u-over, .${css.host}:hover`);
      if (!l || !hovered || hovered === el) {
        line.hidden = true;
        return;
      }
      const box = hovered.getBoundingClientRect();
      const inset = hovered.classList.contains("u-over") ? 0 : LEFT;
      const share = (e.clientX - box.left - inset) / (box.width - (inset ? LEFT + RIGHT : 0));
      line.hidden = share < 0 || share > 1;
      line.style.transform = `translateX(${LEFT + share * l.plotWidth}px)`;
    };
    addEventListener("pointermove", move, { passive: true });
    return () => {
      removeEventListener("pointermove", move);
      line.remove();
    };
  }, [host, lay, width]);
}

const clamp = (v: number, lo: number, hi: number) => Math.min(hi, Math.max(lo, v));

function lastOf(values: readonly (number | null)[]): number | null {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i]!;
  return null;
}

function rect(d: { x0: number; y0: number; x1: number; y1: number }, height: number, two: boolean) {
  const flat = !two || Math.abs(d.y1 - d.y0) < 5;
  return {
    left: Math.min(d.x0, d.x1),
    width: Math.abs(d.x1 - d.x0),
    top: flat ? TOP : Math.min(d.y0, d.y1),
    height: flat ? height - TOP - BOTTOM : Math.abs(d.y1 - d.y0),
  };
}

function rectOf(s: HeatSelection, l: HeatLayout) {
  const left = clamp(l.x(s.fromMs), LEFT, LEFT + l.plotWidth);
  const top = clamp(l.y(s.maxNs), TOP, TOP + l.plotHeight);
  return { left, top, width: clamp(l.x(s.toMs), LEFT, LEFT + l.plotWidth) - left, height: clamp(l.y(s.minNs), TOP, TOP + l.plotHeight) - top };
}
