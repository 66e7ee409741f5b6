import { expect, test } from "vitest";
import type { EdgeRow } from "@/api/types";
import { edgeWidth, near } from "./graph";
import { place } from "./layout";

const edge = (source: string, target: string) => ({ source, target }) as EdgeRow;
const chain = [edge("a", "b"), edge("b", "c"), edge("c", "d"), edge("x", "b")];

test("near follows calls in both directions, only so far", () => {
  expect([...near(chain, "b", 1)].sort()).toEqual(["a", "b", "c", "x"]);
  expect([...near(chain, "a", 2)].sort()).toEqual(["a", "b", "c", "x"]);
  expect([...near(chain, "d", 3)].sort()).toEqual(["a", "b", "c", "d", "x"]);
});

test("the busiest edge is the thickest, the quietest still seen", () => {
  expect(edgeWidth(1000, 1000)).toBe(6);
  expect(edgeWidth(0, 1000)).toBe(1);
  expect(edgeWidth(1, 1000)).toBeGreaterThan(1);
});

test("calls go to the right; a cycle and a hundred nodes are placed apart", () => {
  const { nodes: at, edges } = place(["a", "b", "c", "d", "x"], chain);
  expect(edges.get("a>b")!.length).toBeGreaterThan(1);
  expect(at.get("a")!.x).toBeLessThan(at.get("b")!.x);
  expect(at.get("b")!.x).toBeLessThan(at.get("c")!.x);
  const ids = Array.from({ length: 100 }, (_, i) => `s${i}`);
  const many = ids.slice(1).map((id, i) => edge(ids[Math.floor(i / 2)]!, id));
  const big = place(ids, [...many, edge("s99", "s0")]);
  expect(new Set([...big.nodes.values()].map((p) => `${p.x},${p.y}`)).size).toBe(100);
});
