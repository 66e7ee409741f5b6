import { expect, test } from "vitest";
import type { BandsAnswer, Deployment, Incident } from "@/api/types";
import { bandOver, marksFor, marksOver } from "./bands";

const range = { from_ms: 1_000_000, to_ms: 1_060_000, step_ms: 20_000, resolution: "10s" as const, now_ms: 0, complete_to_ms: 0 };
const iso = (ms: number) => new Date(ms).toISOString();
const answer = (over: Partial<BandsAnswer>): BandsAnswer => ({ unit: "ns", ts: [1_000_000, 1_020_000, 1_040_000], value: [2, 2, 2], expected: [2, 2, 2], lower: [1, 1, null], upper: [3, 3, null], history_days: 1, incidents: [], deployments: [], ...over });

test("a band lies on the chart's own steps", () => {
  expect(bandOver(range, answer({}))).toEqual({ lower: [1, 1, null], upper: [3, 3, null], label: "expected" });
  expect(bandOver(range, answer({ ts: [] }))).toBeUndefined();
  expect(bandOver(range, answer({ upper: [null, null, null] }))).toBeUndefined();
  expect(bandOver(range, undefined)).toBeUndefined();
});

test("an open incident lasts to the end of the range, others are left out when past it", () => {
  const b = answer({
    incidents: [
      { id: "a", title: "slow", from: iso(1_030_000), to: null, severity: "warning" },
      { id: "b", title: "before", from: iso(900_000), to: iso(950_000), severity: "warning" },
    ],
    deployments: [{ ts: iso(1_010_000), version: "1.5.0", service: "payment" }, { ts: iso(2_000_000), version: "1.6.0", service: "payment" }],
  });
  expect(marksOver(range, b)).toEqual([
    { at: 1_010_000, label: "1.5.0", kind: "deploy" },
    { at: 1_030_000, to: 1_060_000, label: "slow", kind: "anomaly" },
  ]);
});

test("charts that are not of one service get the marks of those they name", () => {
  const deploy = (service: string): Deployment => ({ ts: iso(5), service, env: "", version: "2.0", previous: "1.0", source: "noticed", text: "", link: "" });
  const incident = { title: "slow", started_at: iso(7), services: ["payment", "checkout"] } as Incident;
  expect(marksFor(["payment"], [deploy("payment"), deploy("cart")], [incident], 9)).toEqual([
    { at: 5, label: "2.0", kind: "deploy" },
    { at: 7, to: 9, label: "slow", kind: "anomaly" },
  ]);
  expect(marksFor([], [deploy("payment"), deploy("cart")], [], 9).map((m) => m.label)).toEqual(["payment 2.0", "cart 2.0"]);
  expect(marksFor(["cart"], [deploy("payment")], [incident], 9)).toEqual([]);
  expect(marksFor([], Array.from({ length: 13 }, () => deploy("payment")), [], 9)).toEqual([]);
});
