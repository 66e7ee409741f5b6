// The geometry and colour scale of a latency heatmap; painted by charts/Heatmap.
import type { HeatmapAnswer } from "@/api/types";
import { format, type Unit } from "./format";

/** Values that are no durations are kept a thousand million times as large, as seconds are in nanoseconds. */
export const SCALE = 1e9;

/** How a bound is written: a duration, or with a unit of its own. */
export const wordsOf = (unit: Unit | undefined) => (v: number) => (unit === undefined ? format(v, "ns") : format(v / SCALE, unit));

/** Rows worth drawing: those between the lowest and highest that hold anything, with one of air, never fewer than `least`. */
export function usedRows(cells: readonly number[], rows: number, least = 8): { from: number; to: number } {
  let from = rows;
  let to = -1;
  for (let i = 0; i < cells.length; i++) {
    if (!cells[i]) continue;
    const y = i % rows;
    if (y < from) from = y;
    if (y > to) to = y;
  }
  if (to < 0) return { from: 0, to: rows };
  from = Math.max(0, from - 1);
  to = Math.min(rows, to + 2);
  while (to - from < Math.min(least, rows)) {
    if (to < rows) to++;
    if (to - from < Math.min(least, rows) && from > 0) from--;
  }
  return { from, to };
}

/** 0…1 by count; a square root, so that one slow request among thousands is still seen. */
export function intensity(count: number, max: number): number {
  return count <= 0 || max <= 0 ? 0 : 0.12 + 0.88 * Math.sqrt(count / max);
}

/** Where a duration lies among the bounds, as a fraction of rows; the scale between two bounds is logarithmic. */
export function rowOf(ns: number, bounds: readonly number[]): number {
  const last = bounds.length - 1;
  if (ns <= bounds[0]!) return 0;
  if (ns >= bounds[last]!) return last;
  let lo = 0;
  let hi = last;
  while (hi - lo > 1) {
    const mid = (lo + hi) >> 1;
    if (bounds[mid]! <= ns) lo = mid;
    else hi = mid;
  }
  const a = Math.max(1, bounds[lo]!);
  const b = Math.max(1, bounds[hi]!);
  return a === b ? lo : lo + Math.log(Math.max(1, ns) / a) / Math.log(b / a);
}

/** The duration at a fractional row. */
export function valueAt(row: number, bounds: readonly number[]): number {
  const last = bounds.length - 1;
  const i = Math.min(last - 1, Math.max(0, Math.floor(row)));
  const a = Math.max(1, bounds[i]!);
  const b = Math.max(1, bounds[i + 1]!);
  return a * (b / a) ** Math.min(1, Math.max(0, row - i));
}

export function maxCount(h: Pick<HeatmapAnswer, "cells">): number {
  let max = 0;
  for (const c of h.cells) if (c > max) max = c;
  return max;
}

/** 10^22: ten million million of any unit, scaled. */
const MOST_EXPONENT = 22;

/** Round durations to label the axis with: 1, 10, 100 µs … that lie inside. */
export function ticks(lowNs: number, highNs: number, most: number): number[] {
  const decades: number[] = [];
  for (let e = 0; e <= MOST_EXPONENT; e++) {
    const v = 10 ** e;
    if (v >= lowNs * 0.99 && v <= highNs * 1.01) decades.push(v);
  }
  if (decades.length >= 3 || decades.length >= most) {
    const every = Math.ceil(decades.length / most);
    return decades.filter((_, i) => i % every === 0);
  }
  const out: number[] = [];
  for (let e = 0; e <= MOST_EXPONENT; e++) for (const m of [1, 2, 5]) if (m * 10 ** e >= lowNs && m * 10 ** e <= highNs) out.push(m * 10 ** e);
  const every = Math.ceil(out.length / most);
  return out.filter((_, i) => i % every === 0);
}
