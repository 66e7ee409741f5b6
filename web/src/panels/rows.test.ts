import { expect, it } from "vitest";
import { drawnCsv } from "./rows";

const range = { from_ms: Date.UTC(2026, 0, 2), to_ms: Date.UTC(2026, 0, 2, 0, 1, 30), step_ms: 30_000, resolution: "raw" as const, now_ms: 0, complete_to_ms: 0 };

it("has a row a moment, without those that nothing is known of", () => {
  expect(drawnCsv({ range, lines: [{ label: "a", values: [1, null, 3] }, { label: "b, c", values: [null, null, 0.5] }] })).toBe('time,a,"b, c"\r\n2026-01-02T00:00:00.000Z,1,\r\n2026-01-02T00:01:00.000Z,3,0.5\r\n');
});

it("has a row a series of one moment", () => expect(drawnCsv({ range, lines: [{ label: "a", values: [1] }] })).toBe("series,value\r\na,1\r\n"));
