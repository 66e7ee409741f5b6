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
 * is as wide as `held`, so that a live window slides. Null when the two cannot be
 * joined (other step, or a gap between them) and the update must replace what is held.
 */
export function joined(held: Range, update: Range): Range | null {
  if (held.step_ms !== update.step_ms || update.from_ms > held.to_ms || update.from_ms < held.from_ms) return null;
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

/** Lays a live heatmap update over the answer held; other bounds replace it. */
export function mergeHeatmap(held: HeatmapAnswer, update: HeatmapAnswer): HeatmapAnswer {
  const range = joined(held.range, update.range);
  const rows = held.bounds_ns.length - 1;
  if (!range || rows !== update.bounds_ns.length - 1 || held.bounds_ns.some((b, i) => b !== update.bounds_ns[i])) return update;
  const cells = new Array<number>(pointCount(range) * rows).fill(0);
  const lay = (r: Range, from: number[]) => {
    const shift = Math.round((r.from_ms - range.from_ms) / range.step_ms);
    const n = Math.min(pointCount(r), Math.floor(from.length / rows));
    for (let x = 0; x < n; x++) {
      const at = x + shift;
      if (at < 0 || at >= pointCount(range)) continue;
      for (let y = 0; y < rows; y++) cells[at * rows + y] = from[x * rows + y] ?? 0;
    }
  };
  lay(held.range, held.cells);
  lay(update.range, update.cells);
  const line = (k: "p50_ns" | "p95_ns" | "p99_ns") => joinColumn(held.range, held[k], update.range, update[k], range);
  return { range, bounds_ns: held.bounds_ns, cells, p50_ns: line("p50_ns"), p95_ns: line("p95_ns"), p99_ns: line("p99_ns") };
}
