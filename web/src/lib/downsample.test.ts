import { expect, test } from "vitest";
import { downsample, stack } from "./downsample";

test("keeps the spike and the gap", () => {
  const times = Array.from({ length: 100 }, (_, i) => i);
  const values = times.map((i) => (i >= 20 && i < 40 ? null : i === 57 ? 1000 : 1));
  const out = downsample(times, [values], 10);
  expect(out.times).toHaveLength(10);
  expect(out.columns[0]![5]).toBe(1000);
  expect(out.columns[0]!.slice(2, 4)).toEqual([null, null]);
});

test("few points stay as they are", () => expect(downsample([1, 2], [[3, null]], 10)).toEqual({ times: [1, 2], columns: [[3, null]] }));

test("stack adds from the first up", () => expect(stack([[1, 2], [10, null], [100, 200]])).toEqual([[1, 2], [11, 2], [111, 202]]));
