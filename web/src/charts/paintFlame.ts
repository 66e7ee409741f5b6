// Paints a call tree into a canvas: only what is on screen and wide enough to be seen.
import { cssColor, seriesIndex, withAlpha } from "@/lib/color";
import { type Flame, project, sides } from "@/lib/flame";

export const ROW = 20;
const LEAST = 0.4; // px
const TEXT_FROM = 34; // px

export type FlameColour = "package" | "change";

export interface FlameView {
  zoom: number;
  width: number;
  /** First and last row on screen. */
  top: number;
  bottom: number;
  colour: FlameColour;
  /** Which frames a search found; null without a search. */
  found: Uint8Array | null;
  hover: number;
  focus: number;
}

interface Ink {
  text: string;
  onBar: string;
  surface: string;
  bad: string;
  good: string;
  plain: string;
  line: string;
  accent: string;
  series: string[];
}

function ink(): Ink {
  return {
    text: cssColor("var(--text)"),
    onBar: cssColor("var(--text)"),
    surface: cssColor("var(--surface)"),
    bad: cssColor("var(--bad)"),
    good: cssColor("var(--accent)"),
    plain: cssColor("var(--active)"),
    line: cssColor("var(--surface)"),
    accent: cssColor("var(--accent-strong)"),
    series: Array.from({ length: 8 }, (_, i) => cssColor(`var(--series-${i + 1})`)),
  };
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

export function paint(ctx: CanvasRenderingContext2D, f: Flame, v: FlameView): void {
  const c = ink();
  const packages = new Map<string, string>();
  const colourOf = (node: number): string => {
    const frame = f.frame[node]!;
    if (frame < 0) return c.plain;
    if (v.colour === "change") {
      const d = change(f, node);
      return Math.abs(d) < 0.03 ? c.plain : withAlpha(d > 0 ? c.bad : c.good, 0.15 + 0.55 * Math.min(1, Math.abs(d)));
    }
    const name = f.frames[frame]!.package || f.frames[frame]!.function;
    let colour = packages.get(name);
    if (!colour) packages.set(name, (colour = withAlpha(c.series[seriesIndex(name) - 1]!, 0.42)));
    return colour;
  };
  ctx.font = "11px Inter, system-ui, sans-serif";
  ctx.textBaseline = "middle";
  for (let i = 0; i < f.frame.length; ) {
    const d = f.depth[i]!;
    const p = project(f, i, v.zoom);
    if (!p) {
      i = f.end[i]!;
      continue;
    }
    const width = p.width * v.width;
    if (width < LEAST || d > v.bottom) {
      i = f.end[i]!;
      continue;
    }
    if (d >= v.top) bar(ctx, f, v, c, i, p.x * v.width, width, (d - v.top) * ROW, colourOf(i));
    i++;
  }
}

function bar(ctx: CanvasRenderingContext2D, f: Flame, v: FlameView, c: Ink, node: number, x: number, width: number, y: number, colour: string) {
  const frame = f.frame[node]!;
  const dim = (v.found && frame >= 0 && !v.found[frame]) || (node < v.zoom && node !== 0);
  ctx.globalAlpha = dim ? 0.4 : 1;
  ctx.fillStyle = v.found && frame >= 0 && v.found[frame] ? withAlpha(c.accent, 0.75) : colour;
  ctx.fillRect(x, y, Math.max(0.6, width - (width > 3 ? 1 : 0)), ROW - 1);
  if (node === v.hover || node === v.focus) {
    ctx.globalAlpha = 1;
    ctx.strokeStyle = node === v.focus ? c.accent : c.text;
    ctx.lineWidth = node === v.focus ? 2 : 1;
    ctx.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 2), ROW - 2);
  }
  if (width < TEXT_FROM) {
    ctx.globalAlpha = 1;
    return;
  }
  ctx.fillStyle = c.onBar;
  ctx.textAlign = "left";
  const left = Math.max(x, 0) + 5;
  ctx.fillText(fit(ctx, frame < 0 ? "all" : short(f.frames[frame]!.function), x + width - left - 4), left, y + ROW / 2);
  ctx.globalAlpha = 1;
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
