// What a chart shows of detection: the expected band, anomalies and deploys. Pure.
import type { BandsAnswer, Range } from "@/api/types";
import type { Band, Marker } from "@/charts/model";
import { aligned, moment } from "./incident";

/** The band over a chart's range; undefined while nothing is expected anywhere in it. */
export function bandOver(range: Range, b: BandsAnswer | undefined): Band | undefined {
  if (!b || b.ts.length === 0) return undefined;
  const lower = aligned(range, b.ts, b.lower);
  const upper = aligned(range, b.ts, b.upper);
  if (upper.every((v) => v === null)) return undefined;
  return { lower, upper, label: "expected" };
}

/** Incidents and deploys within a range, oldest first. What lasts ends with the range. */
export function marksOver(range: Range, b: Pick<BandsAnswer, "incidents" | "deployments"> | undefined): Marker[] {
  if (!b) return [];
  const anomalies = b.incidents.map((i): Marker => ({ at: Date.parse(i.from), to: moment(i.to) ?? range.to_ms, label: i.title, kind: "anomaly" }));
  const deploys = b.deployments.map((d): Marker => ({ at: Date.parse(d.ts), label: d.version, kind: "deploy" }));
  return [...anomalies, ...deploys].filter((m) => m.at < range.to_ms && (m.to ?? m.at) > range.from_ms).sort((x, y) => x.at - y.at);
}
