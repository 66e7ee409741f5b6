import { expect, test } from "vitest";
import { emptyKey, keyMay, keyRefused, keyWish, limitError } from "./ingestkeys";
import { snippets } from "./snippets";

test("a wish has what was typed", () => {
  expect(keyWish({ ...emptyKey, name: " shop ", signals: ["logs"], lifetime: "30", items: "500", megabytes: "1.5" }, 1000)).toEqual({
    name: "shop", signals: ["logs"], items_per_second: 500, bytes_per_second: 1_500_000, expires_ms: 1000 + 30 * 86400_000,
  });
  expect(keyWish({ ...emptyKey, name: "a" }, 0)).toMatchObject({ items_per_second: 0, bytes_per_second: 0, expires_ms: null });
});

test.each([["", true], [" 10 ", true], ["0.5", true], ["0", false], ["-1", false], ["many", false]])("limit %j", (text, ok) => expect(limitError(text) === null).toBe(ok));

test("what a key may, and what was refused", () => {
  expect(keyMay({ signals: ["traces", "metrics", "logs", "profiles"], items_per_second: 0, bytes_per_second: 0 })).toBe("everything");
  expect(keyMay({ signals: ["traces", "logs"], items_per_second: 500, bytes_per_second: 0 })).toMatch(/^traces, logs · 500.*items\/s$/);
  expect(keyRefused({})).toBe("");
  expect(keyRefused({ rate_limited: 1 })).toBe("1 request refused: beyond the rate");
  expect(keyRefused({ wrong_signal: 1, rate_limited: 2 })).toBe("3 requests refused: 2 beyond the rate, 1 of another signal");
});

test("every snippet that sends names the key when there is one", () => {
  const at = { grpc: "127.0.0.1:4317", http: "http://127.0.0.1:4318" };
  for (const s of snippets({ ...at, key: "tmk_x" })) expect(s.steps.some((step) => step.code.includes("tmk_x")), s.id).toBe(true);
  for (const s of snippets(at)) expect(s.steps.some((step) => /x-api-key/i.test(step.code)), s.id).toBe(false);
});
