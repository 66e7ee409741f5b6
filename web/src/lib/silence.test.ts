import { expect, test } from "vitest";
import { silenceTip, silenceWords } from "./silence";

test("no data is told apart from no requests", () => {
  const since = "2026-11-20T14:00:00Z";
  const now = Date.parse("2026-11-20T14:05:00Z");
  const lost = { env: "prod", service: "cart", state: "no_data", since } as const;
  const idle = { ...lost, state: "no_traffic" } as const;
  expect(silenceWords(lost, now)).toBe("no telemetry for 5\u202fmin");
  expect(silenceWords(idle, now)).toBe("no requests for 5\u202fmin");
  expect(silenceTip(lost)).not.toBe(silenceTip(idle));
});
