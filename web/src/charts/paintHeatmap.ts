// Paints a heatmap into a canvas. Pure but for the canvas: the same answer, size
// and window give the same picture.
import type { HeatmapAnswer } from "@/api/types";
import { cssColor, withAlpha } from "@/lib/color";
import { pointCount } from "@/lib/columns";
import { intensity, maxCount, rowOf, ticks, usedRows, valueAt, wordsOf } from "@/lib/heat";
import { clock, dateTime, type Span } from "@/lib/time";
import type { Marker } from "./model";

export const LEFT = 58;
export const BOTTOM = 24;
export const TOP = 6;
export const RIGHT = 16;

/** How plot positions and values map; kept for hit tests. */
export interface HeatLayout {
  window: Span;
  rows: { from: number; to: number };
  plotWidth: number;
  plotHeight: number;
  x(ms: number): number;
  y(ns: number): number;
  timeAt(px: number): number;
  durationAt(px: number): number;
}

export function layout(h: HeatmapAnswer, window: Span, width: number, height: number): HeatLayout {
  const all = h.bounds_ns.length - 1;
  const rows = usedRows(h.cells, all);
  const plotWidth = Math.max(10, width - LEFT - RIGHT);
  const plotHeight = Math.max(10, height - TOP - BOTTOM);
  const perRow = plotHeight / (rows.to - rows.from);
  const perMs = plotWidth / (window.to - window.from);
  return {
    window,
    rows,
    plotWidth,
    plotHeight,
    x: (ms) => LEFT + (ms - window.from) * perMs,
    y: (ns) => TOP + plotHeight - (rowOf(ns, h.bounds_ns) - rows.from) * perRow,
    timeAt: (px) => window.from + (px - LEFT) / perMs,
    durationAt: (px) => valueAt(rows.from + (TOP + plotHeight - px) / perRow, h.bounds_ns),
  };
}

export interface HeatLine {
  values: readonly (number | null)[];
  label: string;
  dash: number[];
  color?: string;
}

export function paint(ctx: CanvasRenderingContext2D, h: HeatmapAnswer, l: HeatLayout, lines: readonly HeatLine[], utc: boolean, markers: readonly Marker[] = [], words = wordsOf(undefined)): void {
  const faint = cssColor("var(--faint)");
  ctx.font = "11px Inter, system-ui, sans-serif";
  paintAxes(ctx, h, l, faint, utc, words);
  ctx.save();
  ctx.beginPath();
  ctx.rect(LEFT, TOP, l.plotWidth, l.plotHeight);
  ctx.clip();
  paintCells(ctx, h, l);
  const ink = cssColor("var(--text)");
  for (const line of lines) paintLine(ctx, h, l, line, line.color ? cssColor(line.color) : ink);
  for (const m of markers) paintMarker(ctx, l, m);
  ctx.restore();
}

function paintCells(ctx: CanvasRenderingContext2D, h: HeatmapAnswer, l: HeatLayout) {
  const n = h.bounds_ns.length - 1;
  const max = maxCount(h);
  const accent = cssColor("var(--accent)");
  const rowHeight = l.plotHeight / (l.rows.to - l.rows.from);
  for (let x = 0; x < pointCount(h.range); x++) {
    const t = h.range.from_ms + x * h.range.step_ms;
    const left = l.x(t);
    const width = l.x(t + h.range.step_ms) - left;
    if (left + width < LEFT || left > LEFT + l.plotWidth) continue;
    for (let y = l.rows.from; y < l.rows.to; y++) {
      const count = h.cells[x * n + y] ?? 0;
      if (!count) continue;
      ctx.fillStyle = withAlpha(accent, intensity(count, max));
      const top = TOP + l.plotHeight - (y + 1 - l.rows.from) * rowHeight;
      ctx.fillRect(left, top, Math.max(1, width - (width > 4 ? 1 : 0)), Math.max(1, rowHeight - (rowHeight > 4 ? 1 : 0)));
    }
  }
}

function paintLine(ctx: CanvasRenderingContext2D, h: HeatmapAnswer, l: HeatLayout, line: HeatLine, ink: string) {
  ctx.strokeStyle = ink;
  ctx.lineWidth = 1.25;
  ctx.globalAlpha = 0.85;
  ctx.setLineDash(line.dash);
  ctx.beginPath();
  let pen = false;
  line.values.forEach((v, i) => {
    if (v == null) {
      pen = false;
      return;
    }
    const x = l.x(h.range.from_ms + (i + 0.5) * h.range.step_ms);
    const y = l.y(v);
    if (pen) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    pen = true;
  });
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

/** A deploy as a dashed rule with its version, an anomaly as a tint with a mark on the axis: as on the other charts. */
function paintMarker(ctx: CanvasRenderingContext2D, l: HeatLayout, m: Marker) {
  const x = Math.round(l.x(m.at)) + 0.5;
  const base = TOP + l.plotHeight;
  if (m.kind === "deploy") {
    ctx.strokeStyle = cssColor("var(--line-strong)");
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(x, TOP);
    ctx.lineTo(x, base);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = cssColor("var(--faint)");
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.fillText(m.label, x + 4, TOP + 2);
    return;
  }
  const bad = cssColor("var(--bad)");
  if (m.to !== undefined) {
    const left = Math.max(LEFT, l.x(m.at));
    ctx.fillStyle = withAlpha(bad, 0.07);
    ctx.fillRect(left, TOP, Math.max(0, Math.min(LEFT + l.plotWidth, l.x(m.to)) - left), l.plotHeight);
  }
  ctx.fillStyle = bad;
  ctx.beginPath();
  ctx.moveTo(x - 4, base);
  ctx.lineTo(x + 4, base);
  ctx.lineTo(x, base - 7);
  ctx.fill();
}

function paintAxes(ctx: CanvasRenderingContext2D, h: HeatmapAnswer, l: HeatLayout, faint: string, utc: boolean, words: (v: number) => string) {
  ctx.fillStyle = faint;
  ctx.strokeStyle = cssColor("var(--grid)");
  ctx.lineWidth = 1;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  const low = valueAt(l.rows.from, h.bounds_ns);
  const high = valueAt(l.rows.to, h.bounds_ns);
  for (const t of ticks(low, high, Math.max(2, Math.floor(l.plotHeight / 34)))) {
    const y = Math.round(l.y(t)) + 0.5;
    if (y < TOP - 1 || y > TOP + l.plotHeight + 1) continue;
    ctx.beginPath();
    ctx.moveTo(LEFT, y);
    ctx.lineTo(LEFT + l.plotWidth, y);
    ctx.stroke();
    ctx.fillText(words(t), LEFT - 8, y);
  }
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const { at, label } of timeTicks(l.window, l.plotWidth, utc)) ctx.fillText(label, l.x(at), TOP + l.plotHeight + 7);
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

function timeTicks(w: Span, width: number, utc: boolean): { at: number; label: string }[] {
  const most = Math.max(2, Math.floor(width / 84));
  const step = (STEPS_S.find((s) => (w.to - w.from) / (s * 1000) <= most) ?? 604800) * 1000;
  const offset = utc ? 0 : new Date(w.from).getTimezoneOffset() * 60_000;
  const out: { at: number; label: string }[] = [];
  for (let at = Math.ceil((w.from - offset) / step) * step + offset; at < w.to; at += step) {
    const [day, month] = dateTime(at, utc).split(" ");
    out.push({ at, label: step >= 86400_000 ? `${day} ${month}` : step < 60_000 ? clock(at, utc) : clock(at, utc).slice(0, 5) });
  }
  return out;
}
