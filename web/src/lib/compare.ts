// A backtest beside what was really opened: what is the same, what is new, what would not have been.
import type { Incident } from "@/api/types";
import { moment } from "./incident";

export interface Comparison {
  /** Would have been opened and was; by the id of the one that would have been: the one that was. */
  same: Map<string, Incident>;
  /** Was opened, and would not have been. */
  missing: Incident[];
}

/** What begins within so long of the other's end is still about the same; and what was opened so shortly before the end
 * of a backtest may be too young for it, which judges whole minutes. */
const SLACK_MS = 5 * 60_000;

/**
 * The same setting gives the same ids. Another one may begin an incident with another alarm: then those are the same
 * that have a service in common and overlap. What only people's own rules opened is no matter of sensitivity.
 */
export function compare(would: readonly Incident[], were: readonly Incident[], until: number): Comparison {
  const left = new Map(were.filter((i) => !ruled(i)).map((i) => [i.id, i]));
  const same = new Map<string, Incident>();
  const take = (w: Incident, i: Incident | undefined) => {
    if (!i) return;
    same.set(w.id, i);
    left.delete(i.id);
  };
  for (const w of would) take(w, left.get(w.id));
  for (const w of would) if (!same.has(w.id)) take(w, [...left.values()].find((i) => overlap(w, i) && i.services.some((s) => w.services.includes(s))));
  return { same, missing: [...left.values()].filter((i) => (moment(i.detected_at) ?? 0) < until - SLACK_MS) };
}

const ruled = (i: Incident) => (i.alarms ?? []).length > 0 && i.alarms!.every((a) => a.subject.rule);

function overlap(a: Incident, b: Incident): boolean {
  const end = (i: Incident) => (moment(i.resolved_at) ?? Infinity) + SLACK_MS;
  const start = (i: Incident) => moment(i.started_at) ?? 0;
  return start(a) <= end(b) && start(b) <= end(a);
}
