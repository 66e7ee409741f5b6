import { describe, expect, it } from "vitest";
import { callGraph } from "./callgraph";
import { type Flame, flameOf } from "./flame";

/** Stacks as "a;b" → values of both sides. */
function make(stacks: Record<string, [number, number?]>): Flame {
  const names = [...new Set(Object.keys(stacks).flatMap((s) => s.split(";")))].sort();
  const nodes = new Map<string, { self: [number, number]; total: [number, number] }>([["", { self: [0, 0], total: [0, 0] }]]);
  for (const [stack, [a, b = 0]] of Object.entries(stacks)) {
    const calls = stack.split(";");
    for (let d = 0; d <= calls.length; d++) {
      const key = calls.slice(0, d).join(";");
      const n = nodes.get(key) ?? { self: [0, 0], total: [0, 0] };
      nodes.set(key, n);
      n.total = [n.total[0] + a, n.total[1] + b];
      if (d === calls.length) n.self = [n.self[0] + a, n.self[1] + b];
    }
  }
  const order = [...nodes.keys()].sort();
  const list = (pick: (k: string) => number) => order.map(pick);
  return flameOf(names.map((f) => ({ function: f, package: f, file: "", line: 0 })), {
    frame: list((k) => (k === "" ? -1 : names.indexOf(k.split(";").pop()!))),
    depth: list((k) => (k === "" ? 0 : k.split(";").length)),
    self: list((k) => nodes.get(k)!.self[0]),
    total: list((k) => nodes.get(k)!.total[0]),
    base_self: list((k) => nodes.get(k)!.self[1]),
    base_total: list((k) => nodes.get(k)!.total[1]),
  }, [1, 1]);
}

function text(f: Flame, limits = {}) {
  const g = callGraph(f, limits);
  const name = (i: number) => f.frames[g.nodes[i]!.frame]!.function;
  return {
    nodes: g.nodes.map((n, i) => `${name(i)} ${n.flat[0]}/${n.cum[0]}`),
    edges: g.edges.map((e) => `${name(e.from)}>${name(e.to)} ${e.value[0]}${e.residual ? " …" : ""}`).sort(),
    dropped: g.droppedNodes,
  };
}

describe("call graph", () => {
  it("adds up calls of one function from several places", () => {
    expect(text(make({ "m;a;x": [10], "m;b;x": [20], "m;b": [5] }))).toEqual({ nodes: ["x 30/30", "b 5/25", "m 0/35", "a 0/10"], edges: ["a>x 10", "b>x 20", "m>a 10", "m>b 25"], dropped: 0 });
  });
  it("counts recursion once", () => {
    const g = text(make({ "m;r;r;r;x": [8], "m;r": [2] }));
    expect(g.nodes).toContain("r 2/10");
    expect(g.edges).toEqual(["m>r 10", "r>r 8", "r>x 8"]);
  });
  it("says where calls in between were left out", () => {
    expect(text(make({ "m;thin;x": [10], "m;y": [90] }), { nodes: 3 })).toEqual({ nodes: ["y 90/90", "m 0/100", "x 10/10"], edges: ["m>x 10 …", "m>y 90"], dropped: 1 });
  });
  it("leaves a residual edge out where others say the same", () => {
    const g = text(make({ "m;a;t;x": [10], "m;a;x": [40], "m;x": [1] }), { nodes: 3, nodeFraction: 0.3 });
    expect(g.edges).toEqual(["a>x 50", "m>a 50", "m>x 1"]);
  });
  it("keeps what only the other side has", () => {
    const g = callGraph(make({ "m;a": [100, 0], "m;gone": [0, 60] }));
    expect(g.nodes.map((n) => n.cum)).toContainEqual([0, 60]);
  });
});
