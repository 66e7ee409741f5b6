import { expect, it } from "vitest";
import { format } from "./format";
import { metricUnit } from "./metricunit";

it.each([["By", 2048, "2 KiB"], ["By/s", 2048, "2 KiB/s"], ["{request}/s", 1500, "1.5 k/s"], ["/s", 2, "2 /s"], ["s", 0.25, "250 ms"], ["s/s", 0.5, "0.5"], ["1", 3, "3"], ["widgets/s", 3, "3 widgets/s"]])("%s", (unit, n, want) =>
  expect(format(n, metricUnit(unit)).replaceAll("\u202f", " ")).toBe(want));
