// Routes and silences in words, and what a form's text means. Pure.
import type { Route, Severity, Silence, Times } from "@/api/types";
import { lasting } from "./incident";

export const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;

/** "a, b , c" → ["a","b","c"]. */
export const names = (text: string): string[] => text.split(",").map((s) => s.trim()).filter(Boolean);

/** [1,2,3,4,5] → "Monday to Friday", [0,6] → "Sunday, Saturday"; all or none → "every day". */
export function daysWords(days: readonly number[]): string {
  const sorted = [...new Set(days)].filter((d) => d >= 0 && d < 7).sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7));
  if (sorted.length === 0 || sorted.length === 7) return "every day";
  const order = sorted.map((d) => (d + 6) % 7);
  const run = order.length > 2 && order.every((d, i) => i === 0 || d === order[i - 1]! + 1);
  return run ? `${DAYS[sorted[0]!]} to ${DAYS[sorted.at(-1)!]}` : sorted.map((d) => DAYS[d]).join(", ");
}

export function timesWords(t: Times): string {
  const whole = !t.from || !t.to || t.from === t.to;
  return `${daysWords(t.days)}${whole ? "" : `, ${t.from} to ${t.to}`}${t.zone ? ` (${t.zone})` : ""}`;
}

function listWords(list: readonly string[], all: string): string {
  return list.length === 0 ? all : list.length === 1 ? list[0]! : `${list.slice(0, -1).join(", ")} or ${list.at(-1)}`;
}

/** The condition of a route or a silence: "critical or warning incidents of checkout in production". */
export function conditionWords(r: { services: readonly string[]; envs: readonly string[]; severities: readonly Severity[] }): string {
  const severity = r.severities.length === 0 ? "All incidents" : `${listWords(r.severities, "").replace(/^./, (c) => c.toUpperCase())} incidents`;
  return `${severity} of ${listWords(r.services, "any service")}${r.envs.length ? ` in ${listWords(r.envs, "")}` : ""}`;
}

export const emptyRoute = (): Route => ({ name: "", services: [], envs: [], severities: [], times: null, channels: [], continue: false });

/** When a silence holds, in words, and whether it does now. */
export function silenceWords(s: Pick<Silence, "from" | "to" | "repeat">, now: number): string {
  const from = Date.parse(s.from);
  const to = Date.parse(s.to);
  if (s.repeat) return `${s.repeat}, for ${lasting(to - from)}`;
  if (now < from) return `in ${lasting(from - now)}, for ${lasting(to - from)}`;
  return now < to ? `for another ${lasting(to - now)}` : "over";
}

/** The browser's own zone, as a default for times. */
export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
