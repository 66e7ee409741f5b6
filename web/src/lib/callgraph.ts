// A call tree as pprof's graph: one node a function, one edge a caller and what it calls, the small ones left out.
import type { Flame } from "./flame";
import { sides } from "./flame";

export interface CallNode {
  /** Index into the tree's frames. */
  frame: number;
  /** Without what it calls, and with; this side and the base. */
  flat: [number, number];
  cum: [number, number];
}

export interface CallEdge {
  from: number;
  to: number;
  value: [number, number];
  /** Calls in between were left out. */
  residual: boolean;
}

export interface CallGraph {
  nodes: CallNode[];
  edges: CallEdge[];
  droppedNodes: number;
}

export interface CallGraphLimits {
  /** pprof's defaults: 80 nodes, those under half a percent and edges under a tenth left out. */
  nodes?: number;
  nodeFraction?: number;
  edgeFraction?: number;
}

/** What a pair of values counts for: the larger of both sides. */
const sizeOf = (v: readonly [number, number], w: readonly [number, number]): number => Math.max(Math.abs(v[0]) * w[0], Math.abs(v[1]) * w[1]);

export function callGraph(f: Flame, { nodes: most = 80, nodeFraction = 0.005, edgeFraction = 0.001 }: CallGraphLimits = {}): CallGraph {
  const w = sides(f);
  const whole = sizeOf([f.total[0]!, f.baseTotal?.[0] ?? 0], w) || 1;
  const all = f.frames.map((_, frame): CallNode => ({ frame, flat: [0, 0], cum: [0, 0] }));
  walk(f, (i, frames) => {
    const n = all[f.frame[i]!]!;
    add(n.flat, f.self[i]!, f.baseSelf?.[i] ?? 0);
    if (!frames.includes(f.frame[i]!)) add(n.cum, f.total[i]!, f.baseTotal?.[i] ?? 0); // a recursive call counts once
  });
  const large = all.filter((n) => sizeOf(n.cum, w) >= nodeFraction * whole).sort((a, b) => score(b, w) - score(a, w) || a.frame - b.frame);
  const kept = large.slice(0, most);
  const index = new Map(kept.map((n, i) => [n.frame, i]));
  const edges = edgesOf(f, index).filter((e) => sizeOf(e.value, w) >= edgeFraction * whole);
  const seen = all.filter((n) => n.cum[0] || n.cum[1]).length;
  return { nodes: kept, edges: thinned(edges, w), droppedNodes: seen - kept.length };
}

// As pprof: what a function takes by itself makes it matter; what passes through it a little.
const score = (n: CallNode, w: readonly [number, number]): number => sizeOf(n.flat, w) * 4 + sizeOf(n.cum, w);

function add(to: [number, number], a: number, b: number): void {
  to[0] += a;
  to[1] += b;
}

/** Visits every call with the frames above it. */
function walk(f: Flame, visit: (node: number, above: readonly number[]) => void): void {
  const path: number[] = [];
  const ends: number[] = [];
  for (let i = 1; i < f.frame.length; i++) {
    while (ends.length > 0 && ends[ends.length - 1]! <= i) {
      ends.pop();
      path.pop();
    }
    visit(i, path);
    path.push(f.frame[i]!);
    ends.push(f.end[i]!);
  }
}

/** Edges between the kept functions; what was left out between two makes their edge residual. */
function edgesOf(f: Flame, index: ReadonlyMap<number, number>): CallEdge[] {
  const edges = new Map<string, CallEdge>();
  walk(f, (i, above) => {
    const to = index.get(f.frame[i]!);
    if (to === undefined) return;
    let up = above.length - 1;
    while (up >= 0 && !index.has(above[up]!)) up--;
    if (up < 0) return;
    const from = index.get(above[up]!)!;
    const key = `${from}>${to}`;
    // The same call further up has counted this one already.
    for (let k = 1, last = -1; k < above.length; k++) {
      if (index.has(above[k - 1]!)) last = above[k - 1]!;
      if (above[k] === f.frame[i] && last >= 0 && index.get(last) === from) return;
    }
    let e = edges.get(key);
    if (!e) edges.set(key, (e = { from, to, value: [0, 0], residual: true }));
    add(e.value, f.total[i]!, f.baseTotal?.[i] ?? 0);
    e.residual &&= up < above.length - 1;
  });
  return [...edges.values()];
}

/** As pprof: a residual edge is left out where other edges lead from the one function to the other. */
function thinned(edges: CallEdge[], w: readonly [number, number]): CallEdge[] {
  const out = [...edges].sort((a, b) => sizeOf(b.value, w) - sizeOf(a.value, w));
  for (const e of edges.filter((x) => x.residual).sort((a, b) => sizeOf(a.value, w) - sizeOf(b.value, w))) {
    const rest = out.filter((x) => x !== e);
    if (reaches(rest, e.from, e.to)) out.splice(out.indexOf(e), 1);
  }
  return out;
}

function reaches(edges: readonly CallEdge[], from: number, to: number): boolean {
  const seen = new Set([from]);
  for (const at of seen) for (const e of edges) if (e.from === at) seen.add(e.to);
  return seen.has(to) && from !== to;
}
