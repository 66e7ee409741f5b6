// What a comparison of profiles counts in: both sides cover different times and numbers of requests.
import { format, sig3 } from "./format";
import { unitOf, words } from "./profiletype";

export type ScaleId = "each" | "total" | "share";

/** The parts of a comparison's answer that its scales need. */
export interface Sides {
  unit: string;
  mover_unit: string;
  momentary: boolean;
  per_request: boolean;
  this: { requests: number; covered_s: number };
  base: { requests: number; covered_s: number };
}

export interface Scale {
  id: ScaleId;
  label: string;
  /** What this side's and the base's values are multiplied with; null: shares of each whole. */
  weights: readonly [number, number] | null;
  /** A weighed value in words. */
  say: (v: number) => string;
  /** In a table's heading: "a request". */
  per: string;
}

/** The scales that make sense, the usual one first. */
export function scalesOf(d: Sides): Scale[] {
  const total: Scale = { id: "total", label: "Absolute", weights: [1, 1], say: (v) => words(v, d.unit), per: "" };
  const share: Scale = { id: "share", label: "Share", weights: null, say: percent, per: "of the whole" };
  if (d.momentary) return [total, share];
  if (d.per_request) return [{ id: "each", label: "Per request", weights: [1 / d.this.requests, 1 / d.base.requests], say: (v) => words(v, d.unit), per: "a request" }, total, share];
  if (d.this.covered_s > 0 && d.base.covered_s > 0) {
    const say = d.unit === "nanoseconds" ? (v: number) => cores(v / 1e9) : (v: number) => `${format(v, unitOf(d.unit))}/s`;
    return [{ id: "each", label: "Per second", weights: [1 / d.this.covered_s, 1 / d.base.covered_s], say, per: d.unit === "nanoseconds" ? "in cores" : "a second" }, total, share];
  }
  return [total, share];
}

function cores(v: number): string {
  return Math.abs(v) < 0.1 && v !== 0 ? `${sig3(v * 1000)} mcores` : `${sig3(v)} cores`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0)} %`;
}

/** How a value has changed: "+45 ms, +23 %"; what was not there has no percentage. */
export function changeWords(now: number, was: number, say: (v: number) => string): string {
  if (was === 0) return now === 0 ? "not there" : "new";
  if (now === 0) return "gone";
  const d = now - was;
  if (Math.abs(d) < 1e-9 * was) return "as before";
  return `${d < 0 ? "−" : "+"}${say(Math.abs(d))}, ${d < 0 ? "−" : "+"}${percent(Math.abs(now / was - 1))}`;
}
