// Answers of PromQL in columns: laid over each other while live, named, and summed up.
import type { Level, PromAnswer, PromResult, PromSeries, Reducer, Threshold } from "@/api/dashboards";
import type { HeatmapAnswer, Range } from "@/api/types";
import { joinColumn, joined } from "@/lib/columns";

const keyOf = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Lays a live update over the answer held. A series that is not in the update has ended, or is a gap. */
export function mergeProm(held: PromAnswer, update: PromAnswer): PromAnswer {
  const range = joined(held.range, update.range);
  if (!range || held.results.length !== update.results.length) return update;
  return { range, results: update.results.map((u, i) => mergeResult(held.results[i]!, u, held.range, update.range, range)) };
}

function mergeResult(held: PromResult, update: PromResult, before: Range, now: Range, range: Range): PromResult {
  if (update.error) return { ...held, error: update.error, series: held.series.map((s) => ({ ...s, values: joinColumn(before, s.values, now, undefined, range) })) };
  const fresh = new Map(update.series.map((s) => [keyOf(s.labels), s]));
  const series: PromSeries[] = [];
  for (const old of held.series) {
    const key = keyOf(old.labels);
    const values = joinColumn(before, old.values, now, fresh.get(key)?.values ?? blank(update, now), range);
    fresh.delete(key);
    if (values.some((v) => v !== null)) series.push({ labels: old.labels, values });
  }
  for (const s of fresh.values()) series.push({ labels: s.labels, values: joinColumn(before, undefined, now, s.values, range) });
  return { ...update, series, more: Math.max(held.more, update.more) };
}

/** Where a series is missing from an update, its newest points are gaps, not what was there before. */
function blank(update: PromResult, now: Range): (number | null)[] | undefined {
  if (update.more > 0) return undefined; // it may be among those that were left out
  return new Array<null>(Math.round((now.to_ms - now.from_ms) / now.step_ms)).fill(null);
}

/** What tells each series from the others; the name only where there is nothing else. */
export function legends(series: readonly PromSeries[], format: string): string[] {
  if (format) return series.map((s) => format.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, label: string) => s.labels[label] ?? ""));
  const names = new Set(series.map((s) => s.labels.__name__ ?? ""));
  const keys = [...new Set(series.flatMap((s) => Object.keys(s.labels)))].filter((k) => k !== "__name__");
  const telling = keys.filter((k) => new Set(series.map((s) => s.labels[k] ?? "")).size > 1);
  return series.map((s) => {
    const shown = (telling.length > 0 ? telling : keys).filter((k) => s.labels[k]);
    const words = shown.length === 1 ? s.labels[shown[0]!]! : shown.map((k) => `${k}=${s.labels[k]}`).join(" ");
    const name = names.size > 1 || words === "" ? (s.labels.__name__ ?? "") : "";
    return [name, words].filter(Boolean).join(" ") || "value";
  });
}

export function reduce(values: readonly (number | null)[], by: Reducer): number | null {
  if (by === "last") {
    for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i]!;
    return null;
  }
  let n = 0;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (const v of values) {
    if (v == null) continue;
    n++;
    sum += v;
    min = Math.min(min, v);
    max = Math.max(max, v);
  }
  if (by === "count") return n;
  if (n === 0) return null;
  return { mean: sum / n, min, max, sum }[by];
}

/** What a value means: the last threshold that begins at or below it. */
export function levelOf(value: number | null, thresholds: readonly Threshold[]): Level {
  let level: Level = "ok";
  if (value === null) return level;
  for (const t of thresholds) if (t.from === null || value >= t.from) level = t.level;
  return level;
}

const bound = (le: string) => (le === "+Inf" || le === "Inf" ? Infinity : Number(le));

/** Cumulative buckets (series with le) as counts by time and bucket; others by value among `rows` equal ones. */
export function heatOf(range: Range, series: readonly PromSeries[], rows = 24): HeatmapAnswer | null {
  const cumulative = series.length > 0 && series.every((s) => s.labels.le !== undefined);
  return cumulative ? bucketHeat(range, series) : spreadHeat(range, series, rows);
}

const noLines = (n: number) => ({ p50_ns: new Array<null>(n).fill(null), p95_ns: new Array<null>(n).fill(null), p99_ns: new Array<null>(n).fill(null) });

function bucketHeat(range: Range, series: readonly PromSeries[]): HeatmapAnswer | null {
  const sums = new Map<number, (number | null)[]>();
  for (const s of series) {
    const le = bound(s.labels.le!);
    if (Number.isNaN(le)) continue;
    const old = sums.get(le);
    sums.set(le, old ? s.values.map((v, i) => (v === null && old[i] === null ? null : (v ?? 0) + (old[i] ?? 0))) : s.values);
  }
  const bounds = [...sums.keys()].sort((a, b) => a - b);
  const finite = bounds.filter(Number.isFinite);
  if (finite.length === 0) return null;
  const points = series[0]!.values.length;
  // The first bucket begins at zero, or as far below its bound as the next is wide.
  const first = finite[0]! > 0 ? (finite.length > 1 ? finite[0]! ** 2 / finite[1]! : finite[0]! / 2) : finite[0]! - 1;
  const edges = [first, ...finite];
  const above = bounds.length > finite.length;
  if (above) edges.push(finite.at(-1)! * (finite.length > 1 && finite.at(-2)! > 0 ? finite.at(-1)! / finite.at(-2)! : 2));
  const n = edges.length - 1;
  const cells = new Array<number>(points * n).fill(0);
  for (let x = 0; x < points; x++) {
    let below = 0;
    for (let y = 0; y < n; y++) {
      const total = sums.get(y < finite.length ? finite[y]! : Infinity)?.[x] ?? below;
      cells[x * n + y] = Math.max(0, total - below);
      below = Math.max(below, total);
    }
  }
  return { range, bounds_ns: edges, cells, ...noLines(points) };
}

function spreadHeat(range: Range, series: readonly PromSeries[], rows: number): HeatmapAnswer | null {
  let min = Infinity;
  let max = -Infinity;
  for (const s of series) for (const v of s.values) if (v !== null) (min = Math.min(min, v)), (max = Math.max(max, v));
  if (!Number.isFinite(min)) return null;
  if (min === max) (min -= 0.5), (max += 0.5);
  const bounds = Array.from({ length: rows + 1 }, (_, i) => min + ((max - min) * i) / rows);
  const points = series[0]!.values.length;
  const cells = new Array<number>(points * rows).fill(0);
  for (const s of series) {
    s.values.forEach((v, x) => {
      if (v !== null) cells[x * rows + Math.min(rows - 1, Math.floor(((v - min) / (max - min)) * rows))]! += 1;
    });
  }
  return { range, bounds_ns: bounds, cells, ...noLines(points) };
}

export interface Bar {
  label: string;
  value: number;
}

/** The distribution of all values: of cumulative buckets their newest counts, of others how often each stretch occurs. */
export function histogramOf(series: readonly PromSeries[], name: (v: number) => string, bars = 20): Bar[] {
  const range: Range = { from_ms: 0, to_ms: 1, step_ms: 1, resolution: "raw", now_ms: 0, complete_to_ms: 0 };
  const heat = heatOf(range, series, bars);
  if (!heat) return [];
  const n = heat.bounds_ns.length - 1;
  const sums = new Array<number>(n).fill(0);
  heat.cells.forEach((c, i) => (sums[i % n]! += c));
  return sums.map((value, y) => ({ label: `${name(heat.bounds_ns[y]!)} – ${name(heat.bounds_ns[y + 1]!)}`, value }));
}
