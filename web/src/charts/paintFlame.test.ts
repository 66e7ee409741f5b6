import { describe, expect, it } from "vitest";
import { flameOf } from "@/lib/flame";
import { change, depthOf, rowCount, rowOf, short } from "./paintFlame";

const frames = ["main.run", "a.x", "b.y"].map((f) => ({ function: f, package: "", file: "", line: 0 }));
const tree = flameOf(frames, { frame: [-1, 0, 1, 2], depth: [0, 1, 2, 2], self: [0, 10, 60, 30], total: [100, 100, 60, 30], base_self: [0, 10, 0, 30], base_total: [40, 40, 0, 30] }, [1, 1]);

describe("rows of a flame graph", () => {
  it("lead from depth to row and back, however it is turned", () => {
    for (const upward of [false, true]) {
      for (const rootless of [false, true]) {
        const rows = { upward, rootless };
        for (let d = rootless ? 1 : 0; d <= tree.deepest; d++) {
          expect(depthOf(tree, rows, rowOf(tree, rows, d))).toBe(d);
          expect(rowOf(tree, rows, d)).toBeLessThan(rowCount(tree, rows));
        }
      }
    }
  });
  it("has a function's callers above it", () => {
    const rows = { upward: true, rootless: true };
    expect(rowOf(tree, rows, 1)).toBe(1); // the function itself, at the bottom
    expect(rowOf(tree, rows, 2)).toBe(0);
  });
});

describe("change", () => {
  it("is from gone to new, in the tree's terms", () => {
    expect(change(tree, 2)).toBe(1);
    expect(change(tree, 3)).toBe(0);
    expect(change(tree, 1)).toBeCloseTo(0.6);
  });
});

describe("names", () => {
  it("go without the path of the package, generics included", () => {
    expect(short("github.com/a/b.(*T).Do")).toBe("b.(*T).Do");
    expect(short("slices.SortFunc[github.com/a/b.X]")).toBe("slices.SortFunc[github.com/a/b.X]");
  });
});
