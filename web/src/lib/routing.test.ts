import { expect, test } from "vitest";
import { conditionWords, daysWords, names, silenceWords, timesWords } from "./routing";

test("days in words", () => {
  expect([[1, 2, 3, 4, 5], [6, 0], [], [0, 1, 2, 3, 4, 5, 6], [1, 3], [5, 6, 0]].map(daysWords)).toEqual(["Monday to Friday", "Saturday, Sunday", "every day", "every day", "Monday, Wednesday", "Friday to Sunday"]);
  expect(timesWords({ days: [1, 2, 3, 4, 5], from: "09:00", to: "18:00", zone: "Europe/Berlin" })).toBe("Monday to Friday, 09:00 to 18:00 (Europe/Berlin)");
});

test("conditions in words", () => {
  expect(conditionWords({ services: [], envs: [], severities: [] })).toBe("All incidents of any service");
  expect(conditionWords({ services: ["checkout", "pay*"], envs: ["production"], severities: ["critical", "warning"] })).toBe("Critical or warning incidents of checkout or pay* in production");
});

test("a silence says whether it holds", () => {
  const at = (h: number) => new Date(h * 3_600_000).toISOString();
  const s = { from: at(1000), to: at(1002), repeat: "" as const };
  expect([998, 1001, 1003].map((h) => silenceWords(s, h * 3_600_000))).toEqual(["in 2\u202fh, for 2\u202fh", "for another 1\u202fh", "over"]);
  expect(silenceWords({ ...s, repeat: "weekly" }, 0)).toBe("weekly, for 2\u202fh");
});

test("lists typed by hand", () => expect(names(" a, b,, c ")).toEqual(["a", "b", "c"]));
