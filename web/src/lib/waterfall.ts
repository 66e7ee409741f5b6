// A trace as arrays: who is under whom, when each span ran relative to the
// trace's start, its self time, the critical path, and what is odd about it.
// Everything is iterative and near linear: a trace may hold 20,000 spans and be
// thousands deep. Positions are places in preorder, so that a subtree is the
// half-open interval [position, subtreeEnd[position]).
import type { Span, TraceAnswer } from "@/api/types";

/** Times in nanoseconds since the trace's start. */
export interface Interval {
  from: number;
  to: number;
}

export interface Segment extends Interval {
  position: number;
}

export interface Skew {
  /** The span whose clock disagrees with its parent's. */
  position: number;
  /** Negative: starts that much before its parent. Positive: ends that much after a caller that waited for it. */
  by: number;
}

export interface Waterfall {
  /** In preorder; siblings by start. */
  spans: readonly Span[];
  startNs: bigint;
  duration: number;
  start: Float64Array;
  end: Float64Array;
  depth: Int32Array;
  /** Position of the parent, -1 for a root. */
  parent: Int32Array;
  subtreeEnd: Int32Array;
  /** Duration less the time in which any child ran. */
  self: Float64Array;
  /** Failed spans below, not counting itself. */
  errorsBelow: Int32Array;
  maxDepth: number;
  /** The main root: the first real one, else the longest orphan. */
  main: number;
  /** Spans with a parent id that did not arrive (or formed a circle). */
  orphans: readonly number[];
  skews: ReadonlyMap<number, number>;
  critical: readonly Segment[];
  /** Time on the critical path by position. */
  criticalTime: ReadonlyMap<number, number>;
  byId: ReadonlyMap<string, number>;
}

// Clocks of one machine may round differently; less than this is not a skew.
const SKEW_NS = 20_000;

export function buildWaterfall(answer: Pick<TraceAnswer, "spans">): Waterfall {
  const given = answer.spans;
  const n = given.length;
  let startNs = n ? BigInt(given[0]!.ts_ns) : 0n;
  for (const s of given) {
    const t = BigInt(s.ts_ns);
    if (t < startNs) startNs = t;
  }
  const at = new Float64Array(n);
  given.forEach((s, i) => (at[i] = Number(BigInt(s.ts_ns) - startNs)));
  const tree = link(given, at);
  return measure(given, at, tree, startNs);
}

interface Tree {
  /** Indices in the answer, in preorder. */
  order: number[];
  parentOf: Int32Array;
  depthOf: Int32Array;
  orphan: Uint8Array;
}

/** Parents by id; whatever is not under a root (a missing parent, a circle) becomes a root itself and is marked. */
function link(spans: readonly Span[], at: Float64Array): Tree {
  const n = spans.length;
  const index = new Map<string, number>();
  spans.forEach((s, i) => index.has(s.span_id) || index.set(s.span_id, i));
  const parentOf = new Int32Array(n).fill(-1);
  const orphan = new Uint8Array(n);
  const children: number[][] = Array.from({ length: n }, () => []);
  const roots: number[] = [];
  for (let i = 0; i < n; i++) {
    const id = spans[i]!.parent_span_id;
    const p = id ? index.get(id) : undefined;
    if (p === undefined || p === i) {
      if (id) orphan[i] = 1;
      roots.push(i);
    } else {
      parentOf[i] = p;
      children[p]!.push(i);
    }
  }
  const earlier = (a: number, b: number) => at[a]! - at[b]! || spans[b]!.duration_ns - spans[a]!.duration_ns || a - b;
  for (const c of children) c.sort(earlier);
  const order: number[] = [];
  const depthOf = new Int32Array(n);
  const seen = new Uint8Array(n);
  const visit = (root: number) => {
    const stack = [root];
    while (stack.length) {
      const i = stack.pop()!;
      if (seen[i]) continue;
      seen[i] = 1;
      order.push(i);
      const c = children[i]!;
      for (let k = c.length - 1; k >= 0; k--) {
        if (seen[c[k]!]) continue;
        depthOf[c[k]!] = depthOf[i]! + 1;
        stack.push(c[k]!);
      }
    }
  };
  roots.sort((a, b) => orphan[a]! - orphan[b]! || earlier(a, b)).forEach(visit);
  // What is left goes round in circles: cut each at its earliest span.
  const left = [...spans.keys()].filter((i) => !seen[i]).sort(earlier);
  for (const i of left) {
    if (seen[i]) continue;
    parentOf[i] = -1;
    orphan[i] = 1;
    depthOf[i] = 0;
    visit(i);
  }
  return { order, parentOf, depthOf, orphan };
}

function measure(given: readonly Span[], at: Float64Array, tree: Tree, startNs: bigint): Waterfall {
  const n = given.length;
  const place = new Int32Array(n);
  tree.order.forEach((i, p) => (place[i] = p));
  const spans = tree.order.map((i) => given[i]!);
  const start = new Float64Array(n);
  const end = new Float64Array(n);
  const depth = new Int32Array(n);
  const parent = new Int32Array(n);
  const subtreeEnd = new Int32Array(n);
  const errorsBelow = new Int32Array(n);
  const orphans: number[] = [];
  const byId = new Map<string, number>();
  let duration = 0;
  let maxDepth = 0;
  for (let p = 0; p < n; p++) {
    const i = tree.order[p]!;
    start[p] = at[i]!;
    end[p] = at[i]! + given[i]!.duration_ns;
    depth[p] = tree.depthOf[i]!;
    parent[p] = tree.parentOf[i]! < 0 ? -1 : place[tree.parentOf[i]!]!;
    subtreeEnd[p] = p + 1;
    if (tree.orphan[i]) orphans.push(p);
    if (!byId.has(spans[p]!.span_id)) byId.set(spans[p]!.span_id, p);
    duration = Math.max(duration, end[p]!);
    maxDepth = Math.max(maxDepth, depth[p]!);
  }
  // Children come after their parents in preorder: backwards, every subtree is complete when its parent is reached.
  for (let p = n - 1; p >= 0; p--) {
    const up = parent[p]!;
    if (up < 0) continue;
    subtreeEnd[up] = Math.max(subtreeEnd[up]!, subtreeEnd[p]!);
    errorsBelow[up]! += errorsBelow[p]! + (spans[p]!.status === "error" ? 1 : 0);
  }
  const w = { spans, startNs, duration, start, end, depth, parent, subtreeEnd, errorsBelow, maxDepth, orphans, byId };
  const self = new Float64Array(n);
  for (let p = 0; p < n; p++) self[p] = idle(w, p).reduce((sum, g) => sum + g.to - g.from, 0);
  const main = mainRoot(w, new Set(orphans));
  const critical = n ? criticalPath(w, main) : [];
  const criticalTime = new Map<number, number>();
  for (const s of critical) criticalTime.set(s.position, (criticalTime.get(s.position) ?? 0) + s.to - s.from);
  return { ...w, self, main, critical, criticalTime, skews: skews(w) };
}

type Shape = Pick<Waterfall, "spans" | "start" | "end" | "parent" | "subtreeEnd">;

function mainRoot(w: Shape, orphans: ReadonlySet<number>): number {
  let best = -1;
  for (let p = 0; p < w.spans.length; p = w.subtreeEnd[p]!) {
    if (!orphans.has(p)) return p;
    if (best < 0 || w.end[p]! - w.start[p]! > w.end[best]! - w.start[best]!) best = p;
  }
  return best;
}

/** Positions of the direct children, by start. */
export function childrenOf(w: Pick<Waterfall, "subtreeEnd">, position: number): number[] {
  const out: number[] = [];
  for (let c = position + 1; c < w.subtreeEnd[position]!; c = w.subtreeEnd[c]!) out.push(c);
  return out;
}

/** The parts of a span in which no child of it ran. */
export function idle(w: Pick<Waterfall, "start" | "end" | "subtreeEnd">, position: number): Interval[] {
  const out: Interval[] = [];
  let cursor = w.start[position]!;
  const end = w.end[position]!;
  for (let c = position + 1; c < w.subtreeEnd[position]!; c = w.subtreeEnd[c]!) {
    const from = Math.min(w.start[c]!, end);
    if (from > cursor) out.push({ from: cursor, to: from });
    cursor = Math.max(cursor, Math.min(w.end[c]!, end));
  }
  if (end > cursor) out.push({ from: cursor, to: end });
  return out;
}

/**
 * The chain of work that the root's end waited for: going back from its end,
 * always through the child that finished last. Work after a parent's end (fire
 * and forget) is not waited for and stays off the path. Segments are in time
 * order, do not overlap, and together are as long as the root.
 */
export function criticalPath(w: Shape, root: number): Segment[] {
  const out: Segment[] = [];
  const queues = new Map<number, number[]>();
  const stack: { position: number; until: number }[] = [{ position: root, until: w.end[root]! }];
  while (stack.length) {
    const top = stack[stack.length - 1]!;
    const from = w.start[top.position]!;
    let queue = queues.get(top.position);
    if (!queue) {
      queue = childrenOf(w, top.position).sort((a, b) => w.end[a]! - w.end[b]!);
      queues.set(top.position, queue);
    }
    let next = -1;
    while (queue.length && next < 0) {
      const c = queue.pop()!;
      // Only what ran, at least in part, while the parent still did.
      // A rounded clock may have a child end just after the parent it was awaited by; siblings that overlap did not wait.
      const limit = top.until === w.end[top.position]! ? top.until + SKEW_NS : top.until;
      if (w.start[c]! < top.until && w.end[c]! > from && w.end[c]! <= limit) next = c;
    }
    if (next < 0) {
      if (top.until > from) out.push({ position: top.position, from, to: top.until });
      stack.pop();
      continue;
    }
    const childEnd = Math.min(w.end[next]!, top.until);
    if (top.until > childEnd) out.push({ position: top.position, from: childEnd, to: top.until });
    top.until = Math.max(w.start[next]!, from);
    if (childEnd > top.until) stack.push({ position: next, until: childEnd });
  }
  return out.reverse();
}

/** Children whose times cannot be true by their parent's clock. Only between processes: one clock does not disagree with itself. */
function skews(w: Shape): Map<number, number> {
  const out = new Map<number, number>();
  for (let p = 0; p < w.spans.length; p++) {
    const up = w.parent[p]!;
    if (up < 0 || w.spans[p]!.resource === w.spans[up]!.resource) continue;
    const early = w.start[p]! - w.start[up]!;
    if (early < -SKEW_NS) {
      out.set(p, early);
      continue;
    }
    const late = w.end[p]! - w.end[up]!;
    const fits = w.end[p]! - w.start[p]! <= w.end[up]! - w.start[up]!;
    const waited = w.spans[up]!.kind === "client" && w.spans[p]!.kind === "server";
    if (waited && fits && late > SKEW_NS) out.set(p, late);
  }
  return out;
}

export interface Gap extends Interval {
  /** The span that holds it; -1 where nothing of the trace ran at all. */
  position: number;
}

/**
 * Long waits that no span explains: between two children of a span, or before
 * or after them, and between roots. A leaf has no gaps, it just works. At most
 * `most`, the longest, each at least `share` of the trace.
 */
export function longGaps(w: Waterfall, share = 0.08, most = 40): Gap[] {
  const least = Math.max(1_000, w.duration * share);
  const out: Gap[] = [];
  for (let p = 0; p < w.spans.length; p++) {
    if (w.subtreeEnd[p]! === p + 1) continue;
    for (const g of idle(w, p)) if (g.to - g.from >= least) out.push({ ...g, position: p });
  }
  let reached = 0;
  const roots: number[] = [];
  for (let p = 0; p < w.spans.length; p = w.subtreeEnd[p]!) roots.push(p);
  const spanOf = (r: number) => {
    let to = w.end[r]!;
    let from = w.start[r]!;
    for (let c = r; c < w.subtreeEnd[r]!; c++) {
      to = Math.max(to, w.end[c]!);
      from = Math.min(from, w.start[c]!);
    }
    return { from, to };
  };
  for (const s of roots.map(spanOf).sort((a, b) => a.from - b.from)) {
    if (s.from - reached >= least) out.push({ from: reached, to: s.from, position: -1 });
    reached = Math.max(reached, s.to);
  }
  return out.sort((a, b) => b.to - b.from - (a.to - a.from)).slice(0, most);
}

/** Positions to show, in order: subtrees of collapsed spans and everything deeper than `maxDepth` left out. */
export function visibleRows(w: Waterfall, collapsed: ReadonlySet<string>, maxDepth = Infinity): Int32Array {
  const out = new Int32Array(w.spans.length);
  let n = 0;
  for (let p = 0; p < w.spans.length; ) {
    out[n++] = p;
    const closed = collapsed.has(w.spans[p]!.span_id) || w.depth[p]! >= maxDepth;
    p = closed ? w.subtreeEnd[p]! : p + 1;
  }
  return out.subarray(0, n);
}

/** Spans that hold every word in name, service, status message, id, or an attribute's key or value. */
export function findSpans(w: Waterfall, text: string): number[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const out: number[] = [];
  w.spans.forEach((s, p) => {
    const hay = haystack(s);
    if (words.every((word) => hay.includes(word))) out.push(p);
  });
  return out;
}

const haystacks = new WeakMap<Span, string>();

function haystack(s: Span): string {
  let text = haystacks.get(s);
  if (text === undefined) {
    const parts = [s.name, s.service, s.kind, s.status_message, s.span_id];
    if (s.status === "error") parts.push("error");
    for (const a of s.attributes) parts.push(`${a.key}=${a.value}`);
    for (const e of s.events) parts.push(e.name);
    haystacks.set(s, (text = parts.join("\n").toLowerCase()));
  }
  return text;
}

/** Ancestors' ids of a position, nearest first: what to open so that it can be seen. */
export function ancestors(w: Waterfall, position: number): string[] {
  const out: string[] = [];
  for (let p = w.parent[position]!; p >= 0; p = w.parent[p]!) out.push(w.spans[p]!.span_id);
  return out;
}

export interface MiniRect extends Interval {
  /** Line of the minimap, 0 at the top. */
  line: number;
  service: string;
  error: boolean;
}

/** The whole trace in `lines` lines. Neighbours of one service on one line that touch at this resolution are merged. */
export function minimap(w: Waterfall, lines: number, columns: number): MiniRect[] {
  const n = w.spans.length;
  const out: MiniRect[] = [];
  const last = new Map<string, MiniRect>();
  const width = w.duration / Math.max(1, columns) || 1;
  const used = Math.min(lines, n);
  for (let p = 0; p < n; p++) {
    const line = Math.floor((p * used) / n);
    const s = w.spans[p]!;
    const error = s.status === "error";
    const key = `${line}\u0000${s.service}\u0000${error}`;
    const held = last.get(key);
    if (held && w.start[p]! <= held.to + width && w.end[p]! >= held.from - width) {
      held.from = Math.min(held.from, w.start[p]!);
      held.to = Math.max(held.to, w.end[p]!);
      continue;
    }
    const rect = { line, from: w.start[p]!, to: w.end[p]!, service: s.service, error };
    last.set(key, rect);
    out.push(rect);
  }
  return out;
}

/** Round moments for the ruler: about `most` of them inside the window. */
export function rulerTicks(from: number, to: number, most: number): number[] {
  const rough = (to - from) / Math.max(1, most);
  if (!(rough > 0)) return [];
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 5, 10].find((m) => m * size >= rough) ?? 10);
  const out: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to; i++) out.push(i * step + 0); // + 0: no negative zero
  return out;
}
