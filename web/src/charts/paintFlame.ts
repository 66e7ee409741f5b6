// Paints a call tree into a canvas: only what is on screen and wide enough to be seen.
import { cssColor, seriesIndex, withAlpha } from "@/lib/color";
import { type Flame, sides } from "@/lib/flame";

export const ROW = 20;
const LEAST = 0.4; // px
const TEXT_FROM = 34; // px

export type FlameColour = "package" | "change";

/** Which row of the picture a depth of the tree is in. */
export interface Rows {
  /** The root is at the bottom: for callers. */
  upward: boolean;
  /** The root is not drawn: what is below it says the same. */
  rootless: boolean;
}

export const rowCount = (f: Flame, r: Rows): number => f.deepest + (r.rootless ? 0 : 1);
export const rowOf = (f: Flame, r: Rows, depth: number): number => (r.upward ? f.deepest - depth : depth - (r.rootless ? 1 : 0));
/** The other way round. */
export const depthOf = (f: Flame, r: Rows, row: number): number => (r.upward ? f.deepest - row : row + (r.rootless ? 1 : 0));

export interface FlameView {
  zoom: number;
  width: number;
  /** First and last row on screen. */
  top: number;
  bottom: number;
  rows: Rows;
  colour: FlameColour;
  /** Which frames a search found; null without a search. */
  found: Uint8Array | null;
  hover: number;
  focus: number;
}

interface Ink {
  text: string;
  onBar: string;
  bad: string;
  good: string;
  plain: string;
  accent: string;
  series: string[];
}

function ink(): Ink {
  return {
    text: cssColor("var(--text)"),
    onBar: cssColor("var(--text)"),
    bad: cssColor("var(--bad)"),
    good: cssColor("var(--accent)"),
    plain: cssColor("var(--active)"),
    accent: cssColor("var(--accent-strong)"),
    series: Array.from({ length: 8 }, (_, i) => cssColor(`var(--series-${i + 1})`)),
  };
}

/** Colours of one appearance, computed once: reading styles and hashing names take longer than painting. */
export class Palette {
  readonly ink = ink();
  readonly found = withAlpha(this.ink.accent, 0.75);
  private readonly packages = new Map<string, string>();
  private readonly changes = new Map<number, string>();

  colour(f: Flame, node: number, by: FlameColour): string {
    const frame = f.frame[node]!;
    if (frame < 0) return this.ink.plain;
    if (by === "change") return this.change(change(f, node));
    const name = f.frames[frame]!.package || f.frames[frame]!.function;
    let colour = this.packages.get(name);
    if (!colour) this.packages.set(name, (colour = withAlpha(this.ink.series[seriesIndex(name) - 1]!, 0.42)));
    return colour;
  }

  private change(d: number): string {
    if (Math.abs(d) < 0.03) return this.ink.plain;
    const step = Math.round(d * 20);
    let colour = this.changes.get(step);
    if (!colour) this.changes.set(step, (colour = withAlpha(d > 0 ? this.ink.bad : this.ink.good, 0.15 + (0.55 * Math.abs(step)) / 20)));
    return colour;
  }
}

/** How much more of the whole a node takes than before: -1 (gone) to 1 (new). */
export function change(f: Flame, node: number): number {
  if (!f.baseTotal) return 0;
  const [a, b] = sides(f);
  const now = f.total[node]! * a;
  const was = f.baseTotal[node]! * b;
  const most = Math.max(now, was);
  return most === 0 ? 0 : (now - was) / most;
}

export function paint(ctx: CanvasRenderingContext2D, f: Flame, v: FlameView, palette: Palette): void {
  ctx.font = "11px Inter, system-ui, sans-serif";
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const { zoom } = v;
  const left = f.x[zoom]!;
  const scale = v.width / (f.width[zoom]! || 1);
  const end = f.end[zoom]!;
  const first = v.rows.rootless ? 1 : 0;
  const reach = v.rows.upward ? f.deepest : depthOf(f, v.rows, v.bottom); // deeper than this is below the screen
  for (let i = 0; i < f.frame.length; ) {
    const above = i <= zoom && f.end[i]! > zoom; // fills the width
    if (!above && (i < zoom || i >= end)) {
      i = f.end[i]!;
      continue;
    }
    const d = f.depth[i]!;
    const width = above ? v.width : f.width[i]! * scale;
    if (width < LEAST || d > reach) {
      i = f.end[i]!;
      continue;
    }
    const row = rowOf(f, v.rows, d);
    if (d >= first && row >= v.top && row <= v.bottom) bar(ctx, f, v, palette, i, above ? 0 : (f.x[i]! - left) * scale, width, (row - v.top) * ROW);
    i++;
  }
}

function bar(ctx: CanvasRenderingContext2D, f: Flame, v: FlameView, palette: Palette, node: number, x: number, width: number, y: number) {
  const frame = f.frame[node]!;
  const c = palette.ink;
  const hit = v.found !== null && frame >= 0 && v.found[frame] === 1;
  const dim = (v.found !== null && frame >= 0 && !hit) || (node < v.zoom && node !== 0);
  if (dim) ctx.globalAlpha = 0.4;
  ctx.fillStyle = hit ? palette.found : palette.colour(f, node, v.colour);
  ctx.fillRect(x, y, Math.max(0.6, width - (width > 3 ? 1 : 0)), ROW - 1);
  if (node === v.hover || node === v.focus) {
    ctx.globalAlpha = 1;
    ctx.strokeStyle = node === v.focus ? c.accent : c.text;
    ctx.lineWidth = node === v.focus ? 2 : 1;
    ctx.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 2), ROW - 2);
  }
  if (width >= TEXT_FROM) {
    ctx.fillStyle = c.onBar;
    ctx.fillText(fit(ctx, frame < 0 ? "all" : short(f.frames[frame]!.function), width - 9), x + 5, y + ROW / 2);
  }
  if (ctx.globalAlpha !== 1) ctx.globalAlpha = 1;
}

/** A function's name without the path of its package. */
export function short(name: string): string {
  const paren = name.indexOf("[");
  const head = paren < 0 ? name : name.slice(0, paren);
  const slash = head.lastIndexOf("/");
  return slash < 0 ? name : name.slice(slash + 1);
}

const widths = new Map<string, number>();

function fit(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  if (room < 12) return "";
  let w = widths.get(text);
  if (w === undefined) {
    if (widths.size > 50_000) widths.clear();
    widths.set(text, (w = ctx.measureText(text).width));
  }
  if (w <= room) return text;
  const keep = Math.floor((text.length * (room - 8)) / w);
  return keep < 2 ? "" : `${text.slice(0, keep)}…`;
}
