import { describe, expect, test } from "vitest";
import { clock, dateTime, describe as words, followsNow, fromInputValue, inputValue, normalise, parseMoment, parseTyped, resolve, shift, zoomOut } from "./time";

const now = Date.UTC(2026, 10, 21, 14, 0, 0);
const H = 3600e3;

test.each([
  ["now", now], ["now-15m", now - 15 * 60e3], ["now-1.5h", now - 1.5 * H], ["now-30d", now - 30 * 24 * H],
  [String(now), now], [String(now / 1000), now], ["2026-11-21T14:00:00Z", now], ["2026-11-21T14:00:00.5Z", now + 500],
  ["nonsense", null], ["now+1h", null], ["", null], ["2026-99-99T00:00:00Z", null],
])("parseMoment(%s)", (text, want) => expect(parseMoment(text, now)).toBe(want));

describe("parseTyped", () => {
  test.each([
    ["3h", "now-3h", "now"], ["now-90m", "now-90m", "now"], ["last 3 hours", "now-3h", "now"], ["90 min", "now-90m", "now"], ["2 weeks", "now-2w", "now"], ["-5m", "now-5m", "now"],
    ["now-3h to now-1h", "now-3h", "now-1h"],
    ["13:00 - 13:30", String(now - H), String(now - H / 2)],
    ["2026-11-20 10:00 to 2026-11-20 12:00", String(Date.UTC(2026, 10, 20, 10)), String(Date.UTC(2026, 10, 20, 12))],
    ["2026-11-20", String(Date.UTC(2026, 10, 20)), String(Date.UTC(2026, 10, 21))],
    ["today", String(Date.UTC(2026, 10, 21)), "now"],
    ["yesterday", String(Date.UTC(2026, 10, 20)), String(Date.UTC(2026, 10, 21))],
  ])("%s", (text, from, to) => expect(parseTyped(text, now, true)).toEqual({ from, to }));

  test.each(["", "soon", "13:30 - 13:00", "25:00 - 26:00", "checkout"])("does not understand %j", (text) => expect(parseTyped(text, now, true)).toBeNull());
});

test("a broken or reversed range falls back to the default", () => {
  const fallback = { from: now - 15 * 60e3, to: now };
  expect(resolve({ from: "x", to: "now" }, now)).toEqual(fallback);
  expect(resolve({ from: "now", to: "now-1h" }, now)).toEqual(fallback);
});

test("normalise writes what the API understands", () => {
  expect(normalise({ from: "now-15m", to: "now" }, now)).toEqual({ from: "now-15m", to: "now" });
  expect(normalise({ from: "now-1.5h", to: "now" }, now)).toEqual({ from: "now-5400s", to: "now" });
  expect(normalise({ from: String((now - H) / 1000), to: "2026-11-21T14:00:00Z" }, now)).toEqual({ from: String(now - H), to: String(now) });
  expect(normalise({ from: "soon", to: "now" }, now)).toEqual({ from: "now-15m", to: "now" });
});

test("shift moves, and comes back to the present", () => {
  const back = shift({ from: "now-1h", to: "now" }, now, -0.5);
  expect(resolve(back, now)).toEqual({ from: now - 1.5 * H, to: now - 0.5 * H });
  expect(shift(back, now, 0.5)).toEqual({ from: "now-1h", to: "now" });
});

test("zoomOut doubles: a live range stays live, a fixed one grows both ways but not into the future", () => {
  expect(zoomOut({ from: "now-15m", to: "now" }, now)).toEqual({ from: "now-30m", to: "now" });
  const fixed = { from: String(now - 2 * H), to: String(now - H) };
  expect(resolve(zoomOut(fixed, now), now)).toEqual({ from: now - 2.5 * H, to: now - 0.5 * H });
  expect(resolve(zoomOut({ from: String(now - H), to: String(now) }, now), now).to).toBe(now);
});

test("only a range that ends now and starts relative to it is live", () => {
  expect(followsNow({ from: "now-15m", to: "now" })).toBe(true);
  expect(followsNow({ from: String(now), to: "now" })).toBe(false);
  expect(followsNow({ from: "now-2h", to: "now-1h" })).toBe(false);
});

test("words for the picker", () => {
  expect(words({ from: "now-15m", to: "now" }, now, true)).toBe("Last 15 minutes");
  expect(words({ from: "now-7m", to: "now" }, now, true)).toBe("Last 7 minutes");
  expect(words({ from: String(now - H), to: String(now) }, now, true)).toBe("21 Nov 13:00:00 – 14:00:00");
  expect(words({ from: String(now - 24 * H), to: String(now) }, now, true)).toBe("20 Nov 14:00:00 – 21 Nov 14:00:00");
});

test("clock and inputs", () => {
  expect(clock(now + 1234, true, true)).toBe("14:00:01.234");
  expect(dateTime(now, true)).toBe("21 Nov 14:00:00");
  for (const utc of [true, false]) expect(fromInputValue(inputValue(now, utc), utc)).toBe(now);
});
