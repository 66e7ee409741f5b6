import { expect, test } from "vitest";
import { describeSeries, isolated, valuesAt } from "./model";
import { linePath } from "./Sparkline";

const series = [
  { key: "a", label: "a", values: [1, null, 3] },
  { key: "b", label: "b", values: [9, 8, 7] },
  { key: "c", label: "c", values: [5, 5, 5] },
];

test("the tooltip's rows: largest first, gaps and hidden series left out", () => {
  expect(valuesAt(series, 0, new Set(["c"])).map((r) => r.series.key)).toEqual(["b", "a"]);
  expect(valuesAt(series, 1, new Set()).map((r) => r.value)).toEqual([8, 5]);
});

test("a lone point is found, so that it can be drawn", () => expect(isolated([1, null, 2, null, 3, 4])).toEqual([0, 2]));

test("describeSeries", () => expect(describeSeries([null, 4, 1, null])).toEqual({ last: 1, min: 1, max: 4 }));

test("a sparkline lifts its pen over a gap and dots a lone point", () => {
  const { stroke, area } = linePath([1, 1, null, 1], 32, 10, 1);
  expect(stroke.match(/M/g)).toHaveLength(2);
  expect(stroke.endsWith("h0.01")).toBe(true);
  expect(area.match(/Z/g)).toHaveLength(2);
  expect(linePath([null, null], 32, 10, 0).stroke).toBe("");
});
