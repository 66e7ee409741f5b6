import { expect, test } from "vitest";
import { colorAt, colorOf, PALETTE_SIZE, seriesIndex, withAlpha } from "./color";

test("a name keeps its colour", () => {
  expect(colorOf("checkout")).toBe(colorOf("checkout"));
  expect(colorOf("checkout")).toMatch(/^var\(--series-[1-8]\)$/);
});

test("names that differ in a digit spread over the palette", () => {
  const counts = new Array<number>(PALETTE_SIZE).fill(0);
  for (let i = 0; i < 800; i++) counts[seriesIndex(`service-${i}`) - 1]!++;
  for (const c of counts) expect(c).toBeGreaterThan(60);
});

test("beyond eight is other", () => {
  expect(colorAt(7)).toBe("var(--series-8)");
  expect(colorAt(8)).toBe("var(--series-other)");
});

test("withAlpha reads hex and rgb", () => {
  expect(withAlpha("#0d9488", 0.5)).toBe("rgba(13, 148, 136, 0.5)");
  expect(withAlpha("rgb(1, 2, 3)", 0.1)).toBe("rgba(1, 2, 3, 0.1)");
});
