import { describe, expect, test } from "vitest";
import type { Alarm, Incident, IncidentEvent, Mute } from "@/api/types";
import { acceptedUpTo, aligned, byUrgency, causeName, chartColumns, isMuted, lasting, moment, offBy, standing, story, subjectName } from "./incident";
import { learning } from "./learning";

const alarm = (over: Partial<Alarm>): Alarm => ({
  id: "a", subject: { service: "payment" }, symptom: "latency", channel: "latency", began: "2026-11-21T10:00:00Z", detected: "2026-11-21T10:00:20Z", ended: "0001-01-01T00:00:00Z",
  unit: "ns", observed: 4e8, expected: 1e8, lower: 5e7, upper: 2e8, score: 20, once_in_days: 1e6, sample: 100, history_days: 1, paging: true, ...over,
});
const incident = (over: Partial<Incident>): Incident => ({
  id: "i", status: "open", severity: "critical", title: "t", started_at: "2026-11-21T10:00:00Z", detected_at: "2026-11-21T10:00:20Z", resolved_at: null, updated_at: "2026-11-21T10:00:20Z",
  services: ["payment"], root_causes: [], ...over,
});

test("what has not happened is null", () => {
  expect([null, "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "nonsense"].map(moment)).toEqual([null, null, null, null, null]);
  expect(moment("2026-11-21T10:00:00Z")).toBe(Date.UTC(2026, 10, 21, 10));
});

test("how far off, in words", () => {
  expect(offBy(alarm({}))).toBe("4× slower");
  expect(offBy(alarm({ symptom: "errors", unit: "1", observed: 0.12, expected: 0.001 }))).toBe("12\u202f% errors, usually 0.1\u202f%");
  expect(offBy(alarm({ symptom: "traffic", unit: "/s", observed: 0, expected: 5 }))).toBe("no requests");
  expect(offBy(alarm({ symptom: "traffic", unit: "/s", observed: 1, expected: 4 }))).toBe("75\u202f% fewer requests");
  expect(offBy(alarm({ symptom: "traffic", unit: "/s", observed: 8, expected: 4 }))).toBe("2× the usual requests");
});

test("names of subjects and causes", () => {
  expect(subjectName({ service: "payment", operation: "POST /charge" })).toBe("POST /charge of payment");
  expect(subjectName({ service: "cart", peer: "redis", operation: "GET" })).toBe("cart → redis");
  expect(causeName({ rank: 1, service: "payment", operation: "POST /charge", kind: "latency", attribute: { key: "region", value: "eu" }, version: "1.5.0", function: null, confidence: 0.9, summary: "", evidence: [] })).toBe("payment POST /charge, version 1.5.0, region eu");
});

test("durations", () => {
  expect([5_000, 125_000, 3_600_000, 3_900_000, 50 * 3_600_000].map(lasting)).toEqual(["5\u202fs", "2\u202fmin", "1\u202fh", "1\u202fh 5\u202fmin", "2\u202fd 2\u202fh"]);
});

test("the open come first, the worst of them before newer ones", () => {
  const list = [
    incident({ id: "old", status: "resolved", started_at: "2026-11-21T12:00:00Z" }),
    incident({ id: "warn", severity: "warning", started_at: "2026-11-21T11:00:00Z" }),
    incident({ id: "bad" }),
  ];
  expect(list.sort(byUrgency).map((i) => i.id)).toEqual(["bad", "warn", "old"]);
});

test("an undone “normal” no longer stands, whatever the events' order", () => {
  const e = (ts: string, kind: string): IncidentEvent => ({ ts, kind, text: "", body: null });
  const events = [e("2026-11-21T10:03:00Z", "not_normal"), e("2026-11-21T10:01:00Z", "acknowledged"), e("2026-11-21T10:02:00Z", "normal")];
  expect(standing(events)).toEqual({ acknowledged: true, normal: false });
  expect(standing(events.slice(1))).toEqual({ acknowledged: true, normal: true });
});

test("what is muted, and for how long", () => {
  const i = incident({ alarms: [alarm({ subject: { service: "payment", operation: "POST /charge" } })] });
  const mute = (subject: Mute["subject"], until: string | null = null): Mute => ({ id: "m", subject, until, reason: "" });
  const now = Date.UTC(2026, 10, 21, 11);
  expect(isMuted(i, [], now)).toBe(false);
  expect(isMuted(i, [mute({ service: "payment" })], now)).toBe(true);
  expect(isMuted(i, [mute({ service: "payment", operation: "POST /charge", symptom: "latency" }, "2026-11-21T12:00:00Z")], now)).toBe(true);
  expect(isMuted(i, [mute({ service: "payment" }, "2026-11-21T10:30:00Z"), mute({ service: "payment", symptom: "errors" }), mute({ service: "cart" })], now)).toBe(false);
});

test("what was called normal holds up to a quarter more, or less", () => {
  expect(acceptedUpTo(alarm({}))).toBe("up to 500\u202fms");
  expect(acceptedUpTo(alarm({ unit: "/s", observed: 2, expected: 8 }))).toBe("down to 1.6\u202f/s");
});

test("a function that costs more is named without the path of its package", () => {
  const subject = { service: "checkout", version: "1.4.2", function: "github.com/acme/shop/recommend.(*Model).Score" };
  expect(subjectName(subject)).toBe("recommend.(*Model).Score of checkout 1.4.2");
  expect(offBy(alarm({ symptom: "cpu", unit: "ns", observed: 3.1e6, expected: 1e6 }))).toBe("3.1× as much");
});

test("the story is told in time's order and marks the first symptom", () => {
  const s = story({
    incident: incident({ alarms: [alarm({ id: "b", began: "2026-11-21T10:00:10Z", subject: { service: "checkout" } }), alarm({})] }),
    events: [{ ts: "2026-11-21T10:00:20Z", kind: "opened", text: "", body: null }, { ts: "2026-11-21T10:00:21Z", kind: "notified", text: "", body: null }],
    deployments: [{ ts: "2026-11-21T09:59:50Z", service: "payment", env: "", version: "1.5.0", previous: "1.4.2", source: "noticed", text: "", link: "" }],
    deliveries: [{ id: "d", channel: "c1", incident: "i", state: "firing", status: "delivered", attempts: 1, answer: "ok", next_try: "", created_at: "2026-11-21T10:00:21Z", updated_at: "", title: "" }],
    channelName: () => "#ops",
  });
  expect(s.map((i) => i.title)).toEqual(["payment 1.5.0 deployed", "payment", "checkout", "Incident opened", "Told #ops"]);
  expect(s.filter((i) => i.first).map((i) => i.title)).toEqual(["payment"]);
});

test("series of one service that go off together are one symptom", () => {
  const alarms = [
    alarm({ id: "1", score: 9 }),
    alarm({ id: "2", began: "2026-11-21T10:00:10Z", subject: { service: "payment", operation: "POST /charge" }, observed: 9e8, score: 30 }),
    alarm({ id: "3", began: "2026-11-21T10:00:20Z", symptom: "errors", unit: "1", observed: 0.5, expected: 0.01 }),
    alarm({ id: "4", began: "2026-11-21T10:00:20Z", name: "Payment errors" }),
    alarm({ id: "5", began: "2026-11-21T10:05:00Z", observed: 2e8 }),
  ];
  const s = story({ incident: incident({ alarms }), events: [], deployments: [] });
  expect(s.map((i) => [i.title, i.text])).toEqual([
    ["payment", "9× slower; 50\u202f% errors, usually 1\u202f% (3 series)"],
    ["Payment errors", "4× slower"],
    ["payment", "2× slower"],
  ]);
});

test("updates one after the other are one entry, and a text that repeats its title is left out", () => {
  const e = (second: number, kind: string, text = ""): IncidentEvent => ({ ts: `2026-11-21T10:00:0${second}Z`, kind, text, body: null });
  const s = story({ incident: incident({}), events: [e(1, "updated", "a"), e(2, "updated", "b"), e(3, "acknowledged", "Acknowledged"), e(4, "updated", "c")], deployments: [] });
  expect(s.map((i) => [i.title, i.text])).toEqual([["Updated 2×", "b"], ["Acknowledged", undefined], ["Updated", "c"]]);
});

describe("columns", () => {
  test("missing steps become gaps", () => {
    const c = chartColumns({ ts: [0, 10_000, 30_000], value: [1, 2, 4], expected: [1, 1, 1], lower: [0, 0, 0], upper: [2, 2, 2] })!;
    expect(c.value).toEqual([1, 2, null, 4]);
    expect([c.range.step_ms, c.range.to_ms]).toEqual([10_000, 40_000]);
    expect(chartColumns({ ts: [], value: [], expected: [], lower: [], upper: [] })).toBeNull();
  });
  test("a coarser band is laid over a finer chart, and nothing beyond its end", () => {
    const range = { from_ms: 0, to_ms: 60_000, step_ms: 10_000, resolution: "10s" as const, now_ms: 0, complete_to_ms: 0 };
    expect(aligned(range, [0, 20_000], [1, 2])).toEqual([1, 1, 2, 2, null, null]);
    expect(aligned(range, [], [])).toEqual([null, null, null, null, null, null]);
    expect(aligned(range, [20_000, 30_000], [7, null])).toEqual([null, null, 7, null, null, null]);
  });
});

test("confidence grows with history", () => {
  const known = (history_days: number, series = 9) => learning({ learned: true, series, ready: 3, history_days });
  const stages = [learning({ learned: false, series: 0, ready: 0, history_days: 0 }), known(0, 0), known(0.01), known(0.3), known(3), known(9)];
  expect(stages.map((l) => l.stage)).toEqual(["nothing", "nothing", "listening", "hour", "day", "week"]);
  expect(stages.slice(1).map((l) => l.share).every((v, i, all) => i === 0 || v > all[i - 1]!)).toBe(true);
});
