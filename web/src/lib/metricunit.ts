// A metric's UCUM unit, rates included ("By/s", "{request}/s", "/s"), as one of ours.
import { type Unit, unitFromUCUM } from "./format";

export function metricUnit(ucum: string): Unit {
  if (!ucum.endsWith("/s")) return unitFromUCUM(ucum);
  const base = unitFromUCUM(ucum.slice(0, -2));
  if (base === "count") return "rate";
  if (base === "bytes") return "bytes/s";
  // Seconds a second: how many were at it at once.
  if (base === "s") return "";
  return `${base}/s`;
}
