import { describe, expect, it } from "vitest";
import { compact, freePlace, overlap, place } from "./grid";

const box = (id: string, x: number, y: number, w: number, h: number) => ({ id, x, y, w, h });
const apart = (boxes: ReturnType<typeof box>[]) => boxes.every((a, i) => boxes.every((b, k) => i === k || !overlap(a, b)));

describe("place", () => {
  it("pushes what is in the way down, and what is below that too", () => {
    const out = place([box("a", 0, 0, 12, 4), box("b", 12, 0, 12, 4), box("c", 0, 4, 24, 4)], "a", { x: 12, y: 0, w: 12, h: 4 });
    expect(apart(out)).toBe(true);
    expect(out.find((b) => b.id === "a")).toMatchObject({ x: 12, y: 0 });
    expect(out.find((b) => b.id === "b")).toMatchObject({ x: 12, y: 4 });
    expect(out.find((b) => b.id === "c")).toMatchObject({ y: 8 });
  });
  it("lets panels rise into the room that one leaves", () => {
    const out = place([box("a", 0, 0, 12, 4), box("b", 0, 4, 12, 4)], "a", { x: 12, y: 0, w: 12, h: 4 });
    expect(out.find((b) => b.id === "b")).toMatchObject({ y: 0 });
  });
  it("keeps a panel on the grid and never lets two overlap, wherever one is put", () => {
    const start = [box("a", 0, 0, 8, 4), box("b", 8, 0, 8, 6), box("c", 16, 0, 8, 3), box("d", 0, 4, 24, 5), box("e", 3, 9, 7, 2)];
    for (const id of ["a", "b", "c", "d", "e"]) {
      for (let x = -3; x < 27; x += 5) {
        for (let y = -2; y < 15; y += 3) {
          const out = place(start, id, { x, y, w: 9, h: 3 });
          expect(apart(out)).toBe(true);
          expect(out.every((b) => b.x >= 0 && b.x + b.w <= 24 && b.y >= 0)).toBe(true);
        }
      }
    }
  });
});

describe("compact", () => {
  it("takes gaps out and keeps the order of the list", () => {
    const out = compact([box("low", 0, 20, 12, 4), box("high", 0, 3, 12, 4)]);
    expect(out.map((b) => [b.id, b.y])).toEqual([["low", 4], ["high", 0]]);
  });
});

describe("freePlace", () => {
  it("finds the first gap that is large enough", () => {
    expect(freePlace([box("a", 0, 0, 12, 4)], 12, 8)).toEqual({ x: 12, y: 0, w: 12, h: 8 });
    expect(freePlace([box("a", 0, 0, 20, 4)], 12, 8)).toEqual({ x: 0, y: 4, w: 12, h: 8 });
  });
});
