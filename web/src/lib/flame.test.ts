import { describe, expect, it } from "vitest";
import { byPackage, collapseRecursion, type Flame, flameOf, focusOn, functionRows, functions, matcher, neighbour, nodeAt, project, sandwich, search } from "./flame";

const names = ["main.run", "a.x", "a.y", "b.z"];
const frames = names.map((f) => ({ function: f, package: f.split(".")[0]!, file: "", line: 0 }));

/** Stacks as "main.run;a.x" → value. */
function make(stacks: Record<string, [number, number?]>, compared = false): Flame {
  interface N { frame: number; children: Map<number, N>; self: number; total: number; bs: number; bt: number }
  const node = (frame: number): N => ({ frame, children: new Map(), self: 0, total: 0, bs: 0, bt: 0 });
  const root = node(-1);
  for (const [stack, [v, b = 0]] of Object.entries(stacks)) {
    let at = root;
    root.total += v;
    root.bt += b;
    for (const name of stack.split(";")) {
      const frame = names.indexOf(name);
      if (!at.children.has(frame)) at.children.set(frame, node(frame));
      at = at.children.get(frame)!;
      at.total += v;
      at.bt += b;
    }
    at.self += v;
    at.bs += b;
  }
  const out = { frame: [] as number[], depth: [] as number[], self: [] as number[], total: [] as number[], base_self: [] as number[], base_total: [] as number[] };
  const walk = (n: N, d: number) => {
    out.frame.push(n.frame);
    out.depth.push(d);
    out.self.push(n.self);
    out.total.push(n.total);
    out.base_self.push(n.bs);
    out.base_total.push(n.bt);
    for (const c of n.children.values()) walk(c, d + 1);
  };
  walk(root, 0);
  return flameOf(frames, compared ? out : { ...out, base_self: undefined, base_total: undefined });
}

/** The tree as text: name:total(self), indented. */
const text = (f: Flame) => [...f.frame].map((fr, i) => `${" ".repeat(f.depth[i]!)}${fr < 0 ? "all" : f.frames[fr]!.function}:${f.total[i]}(${f.self[i]})`).join("\n");

const simple = { "main.run;a.x": [60] as [number], "main.run;a.y;b.z": [30] as [number], "main.run": [10] as [number] };

describe("layout", () => {
  it("places children after one another in their parent", () => {
    const f = make(simple);
    expect([...f.x]).toEqual([0, 0, 0, 0.6, 0.6]);
    expect([...f.width]).toEqual([1, 1, 0.6, 0.3, 0.3]);
    expect([...f.parent]).toEqual([-1, 0, 1, 1, 3]);
    expect([...f.end]).toEqual([5, 5, 3, 5, 5]);
  });
  it("gives room to what only the other side has", () => {
    const f = make({ "main.run;a.x": [100, 0], "main.run;a.y": [0, 50] }, true);
    expect(f.width[2]).toBeGreaterThan(0.4);
    expect(f.width[3]).toBeGreaterThan(0.4);
    expect(f.x[3]! + f.width[3]!).toBeLessThanOrEqual(1 + 1e-9);
  });
  it("zooms: ancestors fill the width, others are outside", () => {
    const f = make(simple);
    expect(project(f, 1, 3)).toEqual({ x: 0, width: 1 });
    expect(project(f, 4, 3)).toEqual({ x: 0, width: 1 });
    expect(project(f, 2, 3)).toBeNull();
  });
  it("finds the node under the pointer", () => {
    const f = make(simple);
    expect(nodeAt(f, 0, 2, 0.1)).toBe(2);
    expect(nodeAt(f, 0, 2, 0.7)).toBe(3);
    expect(nodeAt(f, 0, 2, 0.95)).toBe(-1);
    expect(nodeAt(f, 3, 2, 0.95)).toBe(3);
  });
});

describe("regrouping", () => {
  it("collapses recursion, also through others", () => {
    const f = collapseRecursion(make({ "main.run;a.x;a.x;a.y;a.x": [5], "main.run;a.x;a.y": [3] }));
    expect(text(f)).toBe("all:8(0)\n main.run:8(0)\n  a.x:8(5)\n   a.y:8(3)");
  });
  it("groups by package", () => {
    expect(text(byPackage(make({ "main.run;a.x;a.y;b.z": [5], "main.run;a.y": [3] })))).toBe("all:8(0)\n main:8(0)\n  a:8(3)\n   b:5(5)");
  });
  it("keeps only paths through a match", () => {
    expect(text(focusOn(make(simple), /z/))).toBe("all:30(0)\n main.run:30(0)\n  a.y:30(0)\n   b.z:30(30)");
  });
  it("turns callers around", () => {
    const s = sandwich(make({ "main.run;a.x;b.z": [5], "a.y;b.z;a.x": [3] }), "b.z");
    expect(text(s.callers)).toBe("all:8(0)\n b.z:8(0)\n  a.x:5(0)\n   main.run:5(0)\n  a.y:3(0)");
    expect(text(s.callees)).toBe("all:8(0)\n b.z:8(5)\n  a.x:3(3)");
  });
});

describe("reading", () => {
  it("counts a recursive function once", () => {
    const rows = functions(make({ "main.run;a.x;a.x": [5], "main.run;a.x": [3] }));
    const x = rows.find((r) => r.function === "a.x")!;
    expect([x.self, x.total]).toEqual([8, 8]);
  });
  it("tells the share of matches, nested ones once", () => {
    expect(search(make(simple), matcher("^a\\.")).share).toBeCloseTo(0.9);
    expect(search(make(simple), matcher("y|z")).share).toBeCloseTo(0.3);
  });
  it("takes what is no expression for plain text", () => {
    expect(matcher("(*T)")!.test("pkg.(*T).Do")).toBe(true);
    expect(matcher("run")!.test("Main.Run")).toBe(true);
    expect(matcher("Run")!.test("main.run")).toBe(false);
  });
  it("walks by arrow keys", () => {
    const f = make(simple);
    expect(neighbour(f, 1, "down")).toBe(2);
    expect(neighbour(f, 2, "right")).toBe(3);
    expect(neighbour(f, 3, "left")).toBe(2);
    expect(neighbour(f, 2, "up")).toBe(1);
    expect(neighbour(f, 2, "left")).toBe(2);
  });
});

it("functions as they were answered", () => {
  const frames = [{ function: "a", package: "p", file: "a.go", line: 1 }];
  expect(functionRows(frames, { self: [1], total: [3] })).toEqual([{ ...frames[0], self: 1, total: 3, baseSelf: 0, baseTotal: 0 }]);
  expect(functionRows(frames, { self: [1], total: [3], base_self: [2], base_total: [4] })[0]).toMatchObject({ baseSelf: 2, baseTotal: 4 });
});
