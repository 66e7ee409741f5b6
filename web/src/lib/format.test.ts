import { describe, expect, test } from "vitest";
import { ago, axisLabels, format, integer, parts, sig3, stepName, unitFromUCUM } from "./format";

const plain = (s: string) => s.replaceAll("\u202f", " ");

test.each([
  [0, "0"], [0.00123, "0.00123"], [0.21, "0.21"], [1.5, "1.5"], [1.005, "1"], [9.999, "10"], [42, "42"], [42.04, "42"],
  [142.4, "142"], [999.6, "1000"], [-3.14159, "-3.14"], [0.1 + 0.2, "0.3"],
])("sig3(%s) is %s", (n, want) => expect(sig3(n)).toBe(want));

describe("format", () => {
  test.each([
    [142e6, "ns", "142 ms"], [999_600, "ns", "1 ms"], [1500, "ns", "1.5 µs"], [1.51e9, "ns", "1.51 s"], [90, "s", "90 s"], [600, "s", "10 min"],
    [86400 * 3, "s", "3 d"], [0.5, "ms", "500 µs"], [0, "ns", "0 ns"],
    [1384, "rate", "1.38 k/s"], [0.21, "rate", "0.21 /s"], [0.0817, "rate", "4.9 /min"], [0.0005, "rate", "1.8 /h"], [0, "rate", "0 /s"], [999_700, "count", "1 M"], [1_234_567, "count", "1.23 M"], [12, "count", "12"],
    [0.0021, "ratio", "0.21 %"], [0.00001, "ratio", "<0.01 %"], [1, "ratio", "100 %"], [0, "ratio", "0 %"],
    [1536, "bytes", "1.5 KiB"], [1024 ** 3, "bytes/s", "1 GiB/s"], [3, "{widgets}", "3 {widgets}"],
  ])("%s as %s", (n, unit, want) => expect(plain(format(n, unit))).toBe(want));

  test("what is missing is a dash, never NaN", () => {
    for (const v of [null, undefined, NaN, Infinity]) expect(format(v, "ms")).toBe("–");
    expect(parts(null)).toEqual({ value: "–", unit: "" });
  });
});

test("the unit is a part of its own", () => expect(parts(142e6, "ns")).toEqual({ value: "142", unit: "ms" }));

test.each([["By", "bytes"], ["s", "s"], ["{request}", "count"], ["1", "count"], ["%", "percent"], ["Cel", "Cel"]])("UCUM %s", (u, want) => expect(unitFromUCUM(u)).toBe(want));

test.each([[800, "0.8 s ago"], [-5, "0.0 s ago"], [42_000, "42 s ago"], [200_000, "3 min ago"], [4 * 3600e3, "4 h ago"], [3 * 86400e3, "3 d ago"]])("ago(%s)", (ms, want) =>
  expect(plain(ago(ms))).toBe(want));

test.each([[10, "10 s"], [60, "1 min"], [3600, "1 h"], [86400, "1 d"]])("stepName(%s)", (s, want) => expect(plain(stepName(s))).toBe(want));

test("integer groups thousands", () => expect(plain(integer(1234567))).toBe("1 234 567"));

test.each([
  [[0, 0.02, 0.04, 0.06], "rate", ["0", "1.2 /min", "2.4 /min", "3.6 /min"]],
  [[0, 0.25, 0.5], "rate", ["0", "0.25 /s", "0.50 /s"]],
  [[0, 500, 1000, 1500], "rate", ["0", "0.5 k/s", "1.0 k/s", "1.5 k/s"]],
  [[0, 2 ** 29, 2 ** 30], "bytes", ["0", "0.5 GiB", "1.0 GiB"]],
  [[0, 0.0005, 0.001], "s", ["0", "0.5 ms", "1.0 ms"]],
  [[0, 0.05, 0.1], "ratio", ["0", "5 %", "10 %"]],
  [[-20, 0, 20], "count", ["-20", "0", "20"]],
])("one unit on an axis: %j %s", (ticks, unit, want) => expect(axisLabels(ticks, unit).map((t) => t.replace("\u202f", " "))).toEqual(want));

test("decimals that were asked for are kept, in the unit that suits", () => {
  expect(plain(format(1234.5678, "count", 2))).toBe("1.23 k");
  expect(plain(format(2, "s", 3))).toBe("2.000 s");
  expect(plain(format(0.00004, "ratio", 1))).toBe("0.0 %");
  expect(plain(format(null, "s", 3))).toBe("–");
});
