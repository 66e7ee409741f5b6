// Routes and silences in words, and what a form's text means. Pure.
import type { Match, Route, Silence, TimeWindow, Weekday } from "@/api/types";
import { lasting, moment } from "./incident";

/** In the order a week is read. */
export const WEEK: readonly { id: Weekday; label: string; name: string }[] = [
  { id: "mon", label: "Mon", name: "Monday" },
  { id: "tue", label: "Tue", name: "Tuesday" },
  { id: "wed", label: "Wed", name: "Wednesday" },
  { id: "thu", label: "Thu", name: "Thursday" },
  { id: "fri", label: "Fri", name: "Friday" },
  { id: "sat", label: "Sat", name: "Saturday" },
  { id: "sun", label: "Sun", name: "Sunday" },
];

/** "*" among a route's channels: every enabled one. */
export const EVERY_CHANNEL = "*";

/** "a, b , c" → ["a","b","c"]. */
export const names = (text: string): string[] => text.split(",").map((s) => s.trim()).filter(Boolean);

/** mon…fri → "Monday to Friday", sat and sun → "Saturday, Sunday"; all or none → "every day". */
export function daysWords(days: readonly Weekday[]): string {
  const order = WEEK.flatMap((d, i) => (days.includes(d.id) ? [i] : []));
  if (order.length === 0 || order.length === 7) return "every day";
  const run = order.length > 2 && order.at(-1)! - order[0]! === order.length - 1;
  return run ? `${WEEK[order[0]!]!.name} to ${WEEK[order.at(-1)!]!.name}` : order.map((i) => WEEK[i]!.name).join(", ");
}

export function timesWords(t: TimeWindow): string {
  const from = t.from || "00:00";
  const to = t.to || "24:00";
  const whole = from === "00:00" && to === "24:00";
  return `${daysWords(t.days)}${whole ? "" : `, ${from} to ${to}`}${whole && !t.days.length ? "" : ` (${t.zone || "UTC"})`}`;
}

function listWords(list: readonly string[], all: string): string {
  return list.length === 0 ? all : list.length === 1 ? list[0]! : `${list.slice(0, -1).join(", ")} or ${list.at(-1)}`;
}

/** What is selected: "critical or warning incidents of checkout in production". */
export function matchWords(m: Match): string {
  const severity = m.severities.length === 0 ? "all incidents" : `${listWords(m.severities, "")} incidents`;
  return `${severity} of ${listWords(m.services, "any service")}${m.envs.length ? ` in ${listWords(m.envs, "")}` : ""}`;
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const emptyMatch = (): Match => ({ services: [], severities: [], envs: [] });
export const emptyRoute = (): Route => ({ name: "", match: emptyMatch(), times: [], channels: [EVERY_CHANNEL], continue: false, group_wait_seconds: 0, repeat_minutes: 240, skip_resolved: false });

/** When a silence holds, in words. */
export function silenceWords(s: Pick<Silence, "starts_at" | "ends_at" | "every">, now: number): string {
  const from = moment(s.starts_at) ?? 0;
  const to = moment(s.ends_at);
  const parts: string[] = [];
  if (s.every) parts.push(capital(timesWords(s.every)));
  if (to !== null && now >= to) parts.push("over");
  else if (now < from) parts.push(`in ${lasting(from - now)}${to === null ? "" : `, for ${lasting(to - from)}`}`);
  else if (to !== null) parts.push(`for another ${lasting(to - now)}`);
  else parts.push("until it is removed");
  return parts.join(", ");
}

/** The browser's own zone, as a default for times. */
export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
