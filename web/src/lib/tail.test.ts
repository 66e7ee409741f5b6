import { expect, it } from "vitest";
import type { LogRecord, LogsAnswer } from "@/api/types";
import { combine, fieldOf, holdBack, MAX_TAIL, mergeTail } from "./tail";

const log = (ts: number, id = `r${ts}`): LogRecord => ({
  id, ts_ns: String(ts), observed_ts_ns: String(ts), service: "shop", severity: 9, severity_text: "INFO", body: "", event_name: "", trace_id: "", span_id: "", scope: "",
  attributes: [{ key: "k", value: "v", type: "string" }], resource: { "host.name": "h" },
});
const answer = (...logs: LogRecord[]) => ({ logs }) as LogsAnswer;
const ids = (list: readonly LogRecord[]) => list.map((l) => l.id);

it("streams in, newest first, each record once, bounded", () => {
  expect(ids(mergeTail(answer(log(2), log(1)), answer(log(3), log(2))).logs)).toEqual(["r3", "r2", "r1"]);
  const many = Array.from({ length: MAX_TAIL }, (_, i) => log(MAX_TAIL - i));
  expect(mergeTail(answer(...many), answer(log(MAX_TAIL + 1))).logs).toHaveLength(MAX_TAIL);
});

it("takes late records into their place", () => expect(ids(mergeTail(answer(log(9), log(5)), answer(log(7))).logs)).toEqual(["r9", "r7", "r5"]));

it("joins pages and stream", () => {
  expect(ids(combine([log(5), log(4)], [log(4), log(3)], "newest"))).toEqual(["r5", "r4", "r3"]);
  expect(ids(combine([], [log(3), log(4)], "oldest"))).toEqual(["r3", "r4"]);
});

it("compares times of different lengths as numbers", () => expect(ids(combine([log(9), log(10)], [], "newest"))).toEqual(["r10", "r9"]));

it("holds back what a reader has not seen", () => {
  const all = [log(5), log(4), log(3)];
  expect(holdBack(all, null)).toEqual({ shown: all, waiting: 0 });
  expect(ids(holdBack(all, "4").shown)).toEqual(["r4", "r3"]);
  expect(holdBack(all, "4").waiting).toBe(1);
  expect(holdBack(all, "1").waiting).toBe(3);
});

it("finds a column's value", () => {
  expect(fieldOf(log(1), "k")).toBe("v");
  expect(fieldOf(log(1), "host.name")).toBe("h");
  expect(fieldOf(log(1), "service")).toBe("shop");
  expect(fieldOf(log(1), "none")).toBe("");
});
