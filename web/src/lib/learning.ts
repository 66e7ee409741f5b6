// How well the product knows what is normal, by how long it has been listening. Pure.
import type { DetectionState } from "@/api/types";
import { lasting } from "./incident";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface Learning {
  /** 0…1: the bar's length. */
  share: number;
  stage: "nothing" | "listening" | "hour" | "day" | "week";
  title: string;
  words: string;
}

/** What may be expected after so much history; the steps are those of docs/detection.md. */
export function learning(d: Pick<DetectionState, "learned" | "series" | "ready" | "history_days">): Learning {
  if (!d.learned) return { share: 0, stage: "nothing", title: "Reading what is stored", words: "What is normal is read from the stored history after a start. Nothing is judged until that is done." };
  if (d.series === 0) return { share: 0, stage: "nothing", title: "Nothing to learn from yet", words: "Detection begins with the first telemetry. Nothing needs to be set up." };
  const age = Math.max(0, d.history_days) * DAY;
  const heard = lasting(age);
  if (age < HOUR) {
    return { share: 0.06 + 0.24 * (age / HOUR), stage: "listening", title: `Learning what is normal: ${heard} heard so far`, words: "After an hour what is usual for a service is known well enough to judge it." };
  }
  if (age < DAY) {
    return { share: 0.3 + 0.3 * ((age - HOUR) / (DAY - HOUR)), stage: "hour", title: `Good confidence, after ${heard} of history`, words: "Latency, errors and traffic are compared with the last hours. After a day the time of day is known too." };
  }
  if (age < 7 * DAY) {
    return { share: 0.6 + 0.4 * ((age - DAY) / (6 * DAY)), stage: "day", title: `High confidence, after ${heard} of history`, words: "The daily rhythm is known. After a week the days of the week are told apart." };
  }
  return { share: 1, stage: "week", title: `Full confidence, after ${heard} of history`, words: "Daily and weekly rhythm are known." };
}
