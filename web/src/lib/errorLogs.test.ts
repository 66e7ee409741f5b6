import { expect, test } from "vitest";
import type { LogRecord } from "@/api/types";
import { errorPatterns } from "./errorLogs";

let n = 0;
const record = (over: Partial<LogRecord> & { error?: string }): LogRecord => {
  const { error, ...rest } = over;
  return {
    id: String(n++), ts_ns: "1000000000", observed_ts_ns: "", service: "payment", severity: 17, severity_text: "ERROR", body: "request failed", event_name: "", trace_id: "", span_id: "", scope: "",
    attributes: error ? [{ key: "route", value: "POST /charges", type: "string" }, { key: "error", value: error, type: "string" }] : [], resource: {}, ...rest,
  };
};

test("records that differ by numbers and ids are one pattern; the example is the newest with a trace", () => {
  const found = errorPatterns([
    record({ error: "authorize 100 cents for order b899c510-a841-4d35-8b27-436d0917f6b6: 503", trace_id: "aa" }),
    record({ error: "authorize 277616 cents for order 11111111-a841-4d35-8b27-436d0917f6b6: 503", ts_ns: "3000000000", trace_id: "bb" }),
    record({ error: "authorize 5 cents for order 22222222-a841-4d35-8b27-436d0917f6b6: 503", ts_ns: "4000000000" }),
    record({ service: "checkout", error: "payment answered 502" }),
  ]);
  expect(found.map((p) => [p.service, p.count])).toEqual([["payment", 3], ["checkout", 1]]);
  expect(found[0]).toMatchObject({ firstMs: 1000, lastMs: 4000, example: { trace_id: "bb" } });
  expect(found[0]!.detail).toContain("277616");
});

test("the detail is left out where the body says it already", () => {
  expect(errorPatterns([record({ body: "cannot charge: timeout", error: "timeout" })])[0]!.detail).toBe("");
  expect(errorPatterns([record({})])[0]!.detail).toBe("");
});
