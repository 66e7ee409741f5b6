import { describe, expect, it } from "vitest";
import type { Caps, IngestAnswer } from "@/api/types";
import { capError, capOf, gapsForZero, kindWords, rangeOf, reasonName, roomierCap, sentence, verdict, windowOf, withCap, withSilentExceptions } from "./ingest";

const quiet: IngestAnswer = {
  now_ms: 1_000_000, started_ms: 0,
  signals: [{ signal: "traces", requests: 5, accepted: 50, per_second: 1, bytes: 1, bytes_per_second: 1, rejected: 0, refused: 0, duplicates: 0, ack_p50_ms: 1, ack_p95_ms: 2, ack_p99_ms: 3 }],
  services: [], problems: [], insert_errors: [], last_error: "", clocks: [], engine: null, storing: true, lag_ms: 1, commit: null,
  visible: { p50_ms: 500, p95_ms: 900, p99_ms: 1000 },
  spool: { batches: 0, bytes: 0, max_bytes: 2 ** 33, oldest_ms: null, spooled: 0, replayed: 0, quarantined: 0, set_aside: 0, errors: 0 },
  in_flight_bytes: 0, in_flight_max_bytes: 1,
  flushes: { count: 1, rows: 1, newest_ms: 1, per_minute: 1, rows_p50: 1, rows_max: 1, bytes_p50: 1, bytes_max: 1, took: null },
};
const refusal = (reason: string, last_ms: number): IngestAnswer["problems"][number] => ({ kind: "refused", signal: "traces", reason, count: 1, last_ms, service: "", example: "", meaning: "the spool is full", fix: "make room" });

const spaced = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

describe("verdict", () => {
  it("is calm when all is stored", () => {
    const v = verdict(quiet);
    expect([v.tone, v.title]).toEqual(["ok", "Everything that arrives is stored"]);
    expect(spaced(v.detail)).toBe("It can be seen 500 ms after a span ends, 95 % within 900 ms.");
  });
  it("says that nothing has arrived", () => {
    expect(verdict({ ...quiet, signals: [] }).title).toBe("Nothing has arrived yet");
  });
  it("tells an outage of the store with what lies in the spool", () => {
    const v = verdict({ ...quiet, storing: false, spool: { ...quiet.spool, batches: 3, bytes: 2048, oldest_ms: 940_000 } });
    expect(v.tone).toBe("warn");
    expect(v.title).toBe("ClickHouse is away");
    expect(spaced(v.detail)).toMatch(/3 batches \(2 KiB of 8 GiB\), the oldest from/);
    expect(verdict({ ...quiet, spool: { ...quiet.spool, batches: 1 } }).title).toBe("The spool is being stored");
  });
  it("puts refusals first, the recent ones only, and not those that are their sender's fault", () => {
    expect(verdict({ ...quiet, storing: false, problems: [refusal("spool_full", 990_000)] })).toEqual({ tone: "bad", title: "Requests are being refused", detail: "The spool is full. make room." });
    expect(verdict({ ...quiet, problems: [refusal("spool_full", 900_000)] }).tone).toBe("ok");
    expect(verdict({ ...quiet, problems: [refusal("malformed", 999_000)] }).tone).toBe("ok");
  });
});

it("names reasons and what became of them", () => {
  expect(reasonName("too_old")).toBe("Too old");
  expect(kindWords({ kind: "folded", reason: "operation_folded" })).toBe("stored, counted together");
  expect(kindWords({ kind: "folded", reason: "values_capped" })).toBe("stored, not offered");
});

it("makes sentences", () => {
  expect(sentence("older than 15 days")).toBe("Older than 15 days.");
  expect(sentence("Why?")).toBe("Why?");
  expect(sentence(" ")).toBe("");
});

it("lays history out as a chart's range, in a quarter of an hour", () => {
  const h = { start_ms: 100_000, step_ms: 5_000, signals: {}, lag_p95_ms: [1, 2, 3], spool_bytes: [], in_flight_bytes: [] };
  expect(rangeOf(h)).toMatchObject({ from_ms: 100_000, to_ms: 115_000, step_ms: 5_000 });
  expect(windowOf(h)).toEqual({ from: 115_000 - 900_000, to: 115_000 });
  expect(gapsForZero([0, 3, 0])).toEqual([null, 3, null]);
});

describe("caps", () => {
  const caps: Caps = { operations: 0, series: 500, values: 0, operations_of: { shop: 20 }, series_of: {}, values_of: {} };
  it("change one and nothing else, and back again", () => {
    const changed = withCap(caps, "operations", "gateway", 3000);
    expect(changed).toEqual({ ...caps, operations_of: { shop: 20, gateway: 3000 } });
    expect(withCap(changed, "operations", "gateway", null)).toEqual(caps);
    expect(caps.operations_of).toEqual({ shop: 20 });
    expect(withCap(caps, "series", null, null).series).toBe(0);
    expect(withCap(caps, "values", null, 7).values).toBe(7);
  });
  it("tell what is set", () => {
    expect([capOf(caps, "operations", null), capOf(caps, "series", null), capOf(caps, "operations", "shop"), capOf(caps, "operations", "constructor" + "x")]).toEqual([null, 500, 20, null]);
  });
  it("refuse what is no cap", () => {
    for (const bad of ["", "0", "-1", "1.5", "1e3", "101"]) expect(capError(bad, 100)).toMatch(/1 to 100/);
    expect(capError("100", 100)).toBeNull();
  });
  it("offer the next round number with some room", () => {
    expect(roomierCap({ kept: 1000, beyond: 9000, cap: 1000 }, 100_000)).toBe(20_000);
    expect(roomierCap({ kept: 1000, beyond: 0, cap: 1000 }, 100_000)).toBe(2000);
    expect(roomierCap({ kept: 1000, beyond: 1_000_000, cap: 1000 }, 100_000)).toBe(100_000);
    expect(roomierCap({ kept: 0, beyond: 0, cap: 0 }, 10)).toBe(1);
  });
  it("keep exceptions of the silent in sight", () => {
    const rows = withSilentExceptions([{ name: "shop", signal: "", kept: 1, cap: 20, beyond: 0, times: 0, sample: [], last: "" }], { shop: 20, gone: 5 });
    expect(rows.map((r) => [r.name, r.cap])).toEqual([["shop", 20], ["gone", 5]]);
  });
});
