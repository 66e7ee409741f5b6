// What profiles are compared with, as the address says it: conditions joined by ";", each on one part of the selection.
// What it does not name is as on this side.
import { isRelative, parseMoment, type Range } from "./time";

export interface Base {
  /** "before": the time just before; "ago:1d": so much earlier; "from:A,B": that time. */
  time?: string;
  /** "*" means all. */
  version?: string;
  instance?: string;
  label?: string;
}

const KEYS = ["version", "instance", "label"] as const;
const AGO: Record<string, [number, string]> = { "1h": [3600e3, "an hour"], "1d": [86400e3, "a day"], "7d": [7 * 86400e3, "a week"] };

/** The times that the picker offers. */
export const BASE_TIMES: readonly { id: string; label: string }[] = [
  { id: "before", label: "The time just before" },
  ...Object.entries(AGO).map(([k, [, words]]) => ({ id: `ago:${k}`, label: `${words[0]!.toUpperCase()}${words.slice(1)} earlier` })),
];

/** Undefined for nothing to compare with, or for what is not understood. */
export function parseBase(vs: string | undefined): Base | undefined {
  const base: Base = {};
  for (const part of (vs ?? "").split(";").filter(Boolean)) {
    const i = part.indexOf(":");
    const key = KEYS.find((k) => k === part.slice(0, i));
    if (key && part.length > i + 1) base[key] = part.slice(i + 1);
    else if (part === "before" || part.startsWith("from:") || AGO[part.slice(4)]) base.time = part;
  }
  return Object.keys(base).length > 0 ? base : undefined;
}

export function formatBase(base: Base): string | undefined {
  const parts = [base.time, ...KEYS.map((k) => base[k] && `${k}:${base[k]}`)].filter(Boolean);
  return parts.length > 0 ? parts.join(";") : undefined;
}

/** In words: "version 1.4.2, a day earlier". */
export function baseWords(base: Base): string {
  const said = KEYS.flatMap((k) => (base[k] ? [base[k] === "*" ? `all ${k}s` : `${k} ${base[k]}`] : []));
  if (base.time === "before") said.push("the time just before");
  else if (base.time?.startsWith("ago:")) said.push(`${AGO[base.time.slice(4)]![1]} earlier`);
  else if (base.time) said.push("another time");
  return said.join(", ");
}

/** A range moved into the past; a relative one stays relative, so that it follows the present. */
export function earlier(range: Range, byMs: number, now: number): Range {
  const move = (text: string): string => {
    const at = (parseMoment(text, now) ?? now) - byMs;
    return isRelative(text) ? `now-${Math.round((now - at) / 1000)}s` : String(Math.round(at));
  };
  return { from: move(range.from), to: move(range.to) };
}

/** The range that is compared with. */
export function baseRange(base: Base, range: Range, now: number): Range {
  const time = base.time ?? "";
  if (time.startsWith("from:")) {
    const [from, to] = time.slice(5).split(",");
    return from && to ? { from, to } : range;
  }
  if (time === "before") return earlier(range, (parseMoment(range.to, now) ?? now) - (parseMoment(range.from, now) ?? now), now);
  const ago = AGO[time.slice(4)];
  return time.startsWith("ago:") && ago ? earlier(range, ago[0], now) : range;
}

export interface BaseParams {
  base_from: string;
  base_to: string;
  base_version?: string;
  base_instance?: string;
  base_label?: string[];
}

/** The API's parameters: all of them said, so that nothing depends on what it takes for granted. */
export function baseParams(base: Base, choice: { version?: string; instance?: string; label?: string[] }, range: Range, now: number): BaseParams {
  const of = (mine: string | undefined, its: string | undefined) => (its === "*" ? undefined : (its ?? mine));
  const { from, to } = baseRange(base, range, now);
  const label = base.label === "*" ? undefined : base.label ? [base.label] : choice.label;
  return { base_from: from, base_to: to, base_version: of(choice.version, base.version), base_instance: of(choice.instance, base.instance), base_label: label };
}

/** This side becomes the base and the base this side; times of the page's own range are left to it. */
export function swapped(base: Base, choice: { version?: string; instance?: string; label?: string[] }): { base: Base; version?: string; instance?: string; label?: string } {
  const back = (mine: string | undefined, its: string | undefined) => (its === undefined ? undefined : (mine ?? "*"));
  const on = (mine: string | undefined, its: string | undefined) => (its === undefined ? mine : its === "*" ? undefined : its);
  const label = choice.label?.[0];
  return {
    base: { version: back(choice.version, base.version), instance: back(choice.instance, base.instance), label: back(label, base.label) },
    version: on(choice.version, base.version),
    instance: on(choice.instance, base.instance),
    label: on(label, base.label),
  };
}
