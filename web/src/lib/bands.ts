// What a chart shows of detection: the expected band, anomalies and deploys. Pure.
import type { BandsAnswer, Deployment, Incident, Range } from "@/api/types";
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

/** More deploys than this on one chart are a fence, not marks. */
const MOST_DEPLOYS = 12;

/** Marks of some services, or of all; deploys name their service where several are meant. */
export function marksFor(services: readonly string[], deployments: readonly Deployment[], incidents: readonly Incident[], now: number): Marker[] {
  const concerns = (s: string) => services.length === 0 || services.includes(s);
  const mine = deployments.filter((d) => concerns(d.service));
  const deploys = mine.length > MOST_DEPLOYS ? [] : mine.map((d): Marker => ({ at: Date.parse(d.ts), label: services.length === 1 ? d.version : `${d.service} ${d.version}`, kind: "deploy" }));
  const anomalies = incidents.filter((i) => i.services.some(concerns)).map((i): Marker => ({ at: moment(i.started_at) ?? now, to: moment(i.resolved_at) ?? now, label: i.title, kind: "anomaly" }));
  return [...deploys, ...anomalies];
}
