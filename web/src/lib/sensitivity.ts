// The one setting of detection in words: expected false alarms a day.
import { sig3 } from "./format";

/** What the slider offers, from an outage a year's noise to a few a day. */
export const LEVELS = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3] as const;

/** The nearest of them, on a logarithmic scale. */
export function levelOf(budget: number): number {
  let best = 0;
  LEVELS.forEach((l, i) => {
    if (Math.abs(Math.log(l / budget)) < Math.abs(Math.log(LEVELS[best]! / budget))) best = i;
  });
  return best;
}

/** 0.1 → "1 false alarm in 10 days", 3 → "3 false alarms a day". */
export function budgetWords(perDay: number): string {
  if (perDay >= 1) return `${sig3(perDay)} false ${perDay === 1 ? "alarm" : "alarms"} a day`;
  const days = 1 / perDay;
  if (days < 60) return `1 false alarm in ${Math.round(days)} days`;
  return `1 false alarm in ${Math.round(days / 30)} months`;
}
