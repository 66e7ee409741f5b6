// Time series as the API gives them: columns aligned with a range, index i being
// from_ms + i*step_ms. Pure; this is where live updates are laid over what is held.
import type { Range, RedAnswer, RedSeries, HeatmapAnswer } from "@/api/types";

type Column = (number | null)[];

export const pointCount = (r: Range): number => Math.max(0, Math.round((r.to_ms - r.from_ms) / r.step_ms));

/** Unix seconds of every point, as uPlot wants them. */
export function timesOf(r: Range): number[] {
  const n = pointCount(r);
  const out = new Array<number>(n);
  for (let i = 0; i < n; i++) out[i] = (r.from_ms + i * r.step_ms) / 1000;
  return out;
}

/**
 * The range after `update` is laid over `held`: it ends where the update ends and
 * is as wide as `held`, so that a live window slides. Null when the update replaces
 * what is held: they cannot be joined (other step, a gap between), or it covers all.
 */
export function joined(held: Range, update: Range): Range | null {
  if (held.step_ms !== update.step_ms || update.from_ms > held.to_ms || update.from_ms <= held.from_ms) return null;
  const to = Math.max(held.to_ms, update.to_ms);
  return { ...update, from_ms: to - (held.to_ms - held.from_ms), to_ms: to };
}

/** One column of the joined range: what is held, with the update's points in their places. */
export function joinColumn(held: Range, old: Column | undefined, update: Range, fresh: Column | undefined, into: Range): Column {
  const out: Column = new Array(pointCount(into)).fill(null);
  place(out, into, held, old);
  place(out, into, update, fresh);
  return out;
}

function place(out: Column, into: Range, r: Range, column: Column | undefined) {
  if (!column) return;
  const shift = Math.round((r.from_ms - into.from_ms) / into.step_ms);
  for (let i = 0; i < column.length; i++) {
    const at = i + shift;
    if (at >= 0 && at < out.length) out[at] = column[i] ?? null;
  }
}

const RED_COLUMNS = ["rate", "error_ratio", "p50_ns", "p95_ns", "p99_ns"] as const;

/** Lays a live RED update over the answer held. */
export function mergeRed(held: RedAnswer, update: RedAnswer): RedAnswer {
  const range = joined(held.range, update.range);
  if (!range) return update;
  const fresh = new Map(update.series.map((s) => [s.key, s]));
  const keys = [...held.series.map((s) => s.key), ...update.series.map((s) => s.key).filter((k) => !held.series.some((h) => h.key === k))];
  const series = keys.map((key): RedSeries => {
    const old = held.series.find((s) => s.key === key);
    const now = fresh.get(key);
    const merged = { key, total: now?.total ?? old!.total } as RedSeries;
    for (const c of RED_COLUMNS) merged[c] = joinColumn(held.range, old?.[c], update.range, now?.[c], range);
    return merged;
  });
  return { range, series };
}

/**
 * Lays a live heatmap update over the answer held. The server names only the
 * latencies that occur, so the rows of the two may differ: what is held is
 * extended by what the update adds below and above.
 */
export function mergeHeatmap(held: HeatmapAnswer, update: HeatmapAnswer): HeatmapAnswer {
  const range = joined(held.range, update.range);
  if (!range) return update;
  const bounds = extended(held.bounds_ns, update.bounds_ns);
  const rows = Math.max(0, bounds.length - 1);
  const cells = new Array<number>(pointCount(range) * rows).fill(0);
  layCells(cells, range, bounds, held);
  layCells(cells, range, bounds, update);
  const line = (k: "p50_ns" | "p95_ns" | "p99_ns") => joinColumn(held.range, held[k], update.range, update[k], range);
  return { range, bounds_ns: bounds, cells, p50_ns: line("p50_ns"), p95_ns: line("p95_ns"), p99_ns: line("p99_ns") };
}

function extended(held: readonly number[], update: readonly number[]): number[] {
  if (held.length < 2) return [...update];
  return [...update.filter((b) => b < held[0]!), ...held, ...update.filter((b) => b > held.at(-1)!)];
}

/** Writes an answer's columns over those of the joined range; its rows go where their middles lie. */
function layCells(out: number[], into: Range, bounds: readonly number[], h: HeatmapAnswer) {
  const rows = bounds.length - 1;
  const own = h.bounds_ns.length - 1;
  const shift = Math.round((h.range.from_ms - into.from_ms) / into.step_ms);
  const target = Array.from({ length: Math.max(0, own) }, (_, y) => rowAt(bounds, Math.sqrt(Math.max(1, h.bounds_ns[y]!) * h.bounds_ns[y + 1]!)));
  for (let x = 0; x < pointCount(h.range); x++) {
    const at = x + shift;
    if (at < 0 || at >= pointCount(into)) continue;
    out.fill(0, at * rows, (at + 1) * rows);
    for (let y = 0; y < own; y++) out[at * rows + target[y]!]! += h.cells[x * own + y] ?? 0;
  }
}

function rowAt(bounds: readonly number[], value: number): number {
  let row = 0;
  while (row < bounds.length - 2 && value >= bounds[row + 1]!) row++;
  return row;
}

/** Less of a step than this has passed: a rate would be noise. */
const LEAST_SHARE = 0.2;

/**
 * Rates, with the step that is still filling counted over the part of it that
 * has passed: divided by the whole step it would dip to zero at every step's
 * start. Too young to tell is a gap.
 */
export function steadyRates(range: Range, rates: readonly (number | null)[]): Column {
  return rates.map((v, i) => {
    const start = range.from_ms + i * range.step_ms;
    const passed = (range.now_ms - start) / range.step_ms;
    if (v === null || passed >= 1) return v;
    return passed < LEAST_SHARE ? null : v / passed;
  });
}
