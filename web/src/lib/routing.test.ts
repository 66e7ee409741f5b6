import { expect, test } from "vitest";
import { daysWords, matchWords, names, silenceWords, timesWords } from "./routing";

test("days in words", () => {
  expect([["mon", "tue", "wed", "thu", "fri"] as const, ["sun", "sat"] as const, [] as const, ["wed", "mon"] as const, ["fri", "sat", "sun"] as const].map((d) => daysWords(d))).toEqual(["Monday to Friday", "Saturday, Sunday", "every day", "Monday, Wednesday", "Friday to Sunday"]);
  expect(timesWords({ days: ["mon", "tue", "wed"], from: "22:00", to: "06:00", zone: "Europe/Berlin" })).toBe("Monday to Wednesday, 22:00 to 06:00 (Europe/Berlin)");
  expect(timesWords({ days: [], from: "", to: "", zone: "" })).toBe("every day");
});

test("what is selected, in words", () => {
  expect(matchWords({ services: [], envs: [], severities: [] })).toBe("all incidents of any service");
  expect(matchWords({ services: ["checkout", "pay*"], envs: ["production"], severities: ["critical", "warning"] })).toBe("critical or warning incidents of checkout or pay* in production");
});

test("a silence says whether it holds", () => {
  const at = (h: number) => new Date(h * 3_600_000).toISOString();
  const s = { starts_at: at(1000), ends_at: at(1002), every: null };
  expect([998, 1001, 1003].map((h) => silenceWords(s, h * 3_600_000))).toEqual(["in 2\u202fh, for 2\u202fh", "for another 1\u202fh", "over"]);
  const window = { days: [], from: "02:00", to: "03:00", zone: "" };
  expect(silenceWords({ starts_at: at(0.001), ends_at: null, every: window }, 3_600_000)).toBe("Every day, 02:00 to 03:00 (UTC), until it is removed");
});

test("lists typed by hand", () => expect(names(" a, b,, c ")).toEqual(["a", "b", "c"]));
