// What charts are given: columns in, null for gaps, never a guess.
import type { Range } from "@/api/types";
import type { Unit } from "@/lib/format";

export type Column = readonly (number | null)[];

export interface ChartSeries {
  key: string;
  label: string;
  /** Aligned with the chart's range. */
  values: Column;
  /** CSS colour or `var(--…)`; by position when absent. */
  color?: string;
  width?: number;
  dash?: number[];
  /** A soft fill down to zero. */
  fill?: boolean;
}

/** A vertical rule (deploy) or a mark on the axis (anomaly). */
export interface Marker {
  /** Unix milliseconds. */
  at: number;
  label: string;
  /** "other": the time of the other side of a comparison. */
  kind: "deploy" | "anomaly" | "other";
  /** The end of what lasts: what lies between is tinted. */
  to?: number;
}

/** An expected band, drawn as a soft fill behind the lines. */
export interface Band {
  lower: Column;
  upper: Column;
  label: string;
}

export type Style = "line" | "bars" | "stacked";

/** A horizontal rule where values begin to mean something. */
export interface Rule {
  at: number;
  level: "ok" | "warn" | "bad";
}

export interface ChartModel {
  range: Range;
  series: readonly ChartSeries[];
  unit: Unit;
  /** Of values under the pointer; null: as many as count. */
  decimals?: number | null;
  style: Style;
  log: boolean;
  band?: Band;
  markers: readonly Marker[];
  utc: boolean;
  rules?: readonly Rule[];
  /** Fixed ends of the y axis; null: as the data wants it. */
  min?: number | null;
  max?: number | null;
}

/** The values under one moment, largest first; gaps left out. */
export function valuesAt(series: readonly ChartSeries[], index: number, hidden: ReadonlySet<string>): { series: ChartSeries; position: number; value: number }[] {
  const out: { series: ChartSeries; position: number; value: number }[] = [];
  series.forEach((s, position) => {
    const value = s.values[index];
    if (value != null && !hidden.has(s.key)) out.push({ series: s, position, value });
  });
  return out.sort((a, b) => b.value - a.value);
}

/** Indices of points with a gap on both sides: lines alone would not show them. */
export function isolated(column: Column): number[] {
  const out: number[] = [];
  for (let i = 0; i < column.length; i++) {
    if (column[i] != null && column[i - 1] == null && column[i + 1] == null) out.push(i);
  }
  return out;
}

/** One sentence for readers who do not see the picture. */
export function describeSeries(values: Column): { last: number | null; min: number | null; max: number | null } {
  let last: number | null = null;
  let min: number | null = null;
  let max: number | null = null;
  for (const v of values) {
    if (v == null) continue;
    last = v;
    if (min === null || v < min) min = v;
    if (max === null || v > max) max = v;
  }
  return { last, min, max };
}

/** What is marked at a moment, by name: deploys within a few pixels (as milliseconds), anomalies around it. */
export function markersNear(markers: readonly Marker[], ms: number, nearMs: number): string[] {
  return markers
    .filter((k) => (k.to !== undefined && ms >= k.at && ms <= k.to) || Math.abs(k.at - ms) <= nearMs)
    .slice(0, 4)
    .map((k) => (k.kind === "deploy" ? `Deployed ${k.label}` : k.label));
}
