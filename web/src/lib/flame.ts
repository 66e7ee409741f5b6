// Call trees as flat arrays: how they are laid out, regrouped, turned around and
// searched. Painting is in charts/paintFlame.ts.

/** What a node may be called by. */
export interface FlameFrame {
  function: string;
  package: string;
  file: string;
  line: number;
}

export interface FlameNodes {
  frame: ArrayLike<number>;
  depth: ArrayLike<number>;
  self: ArrayLike<number>;
  total: ArrayLike<number>;
  base_self?: ArrayLike<number>;
  base_total?: ArrayLike<number>;
}

/** A tree ready to be drawn: nodes in pre-order, node 0 the root. */
export interface Flame {
  frames: readonly FlameFrame[];
  frame: Int32Array;
  depth: Int32Array;
  parent: Int32Array;
  /** The node after the last one below a node. */
  end: Int32Array;
  self: Float64Array;
  total: Float64Array;
  baseSelf: Float64Array | null;
  baseTotal: Float64Array | null;
  /** What values of this side and of the base are multiplied with to be compared; null: each is a share of its own whole. */
  weights: readonly [number, number] | null;
  /** Left edge, 0 to 1 of the root's width. */
  x: Float64Array;
  /** Width, 0 to 1. */
  width: Float64Array;
  deepest: number;
}

/** Lays a list of nodes out. A compared tree is as wide as the larger of both sides, so that what went away is seen too. */
export function flameOf(frames: readonly FlameFrame[], nodes: FlameNodes, weights: readonly [number, number] | null = null): Flame {
  const n = nodes.frame.length;
  const f: Flame = {
    frames,
    frame: Int32Array.from(nodes.frame),
    depth: Int32Array.from(nodes.depth),
    parent: new Int32Array(n).fill(-1),
    end: new Int32Array(n),
    self: Float64Array.from(nodes.self),
    total: Float64Array.from(nodes.total),
    baseSelf: nodes.base_self ? Float64Array.from(nodes.base_self) : null,
    baseTotal: nodes.base_total ? Float64Array.from(nodes.base_total) : null,
    weights,
    x: new Float64Array(n),
    width: new Float64Array(n),
    deepest: 0,
  };
  const path: number[] = [];
  for (let i = 0; i < n; i++) {
    const d = f.depth[i]!;
    while (path.length > d) f.end[path.pop()!] = i;
    if (d > 0) f.parent[i] = path[d - 1]!;
    path.push(i);
    f.deepest = Math.max(f.deepest, d);
  }
  for (const i of path) f.end[i] = n;
  place(f);
  return f;
}

/** Widths from values, children after one another in their parent. */
function place(f: Flame): void {
  const n = f.frame.length;
  if (n === 0) return;
  const scale = sides(f);
  const size = new Float64Array(n);
  // A node is as large as its parts; where both sides are drawn, those may exceed either total.
  for (let i = n - 1; i >= 0; i--) {
    const own = Math.max(f.total[i]! * scale[0], f.baseTotal ? f.baseTotal[i]! * scale[1] : 0);
    size[i] = Math.max(size[i]!, own);
    const p = f.parent[i]!;
    if (p >= 0 && f.baseTotal) size[p] = size[p]! + size[i]!;
  }
  const next = new Float64Array(n);
  const whole = size[0] || 1;
  f.width[0] = 1;
  for (let i = 1; i < n; i++) {
    const p = f.parent[i]!;
    f.x[i] = f.x[p]! + next[p]!;
    f.width[i] = size[i]! / whole;
    next[p] = next[p]! + f.width[i]!;
  }
}

/** What both sides are multiplied with to be comparable. */
export function sides(f: Flame): readonly [number, number] {
  if (!f.baseTotal) return [1, 0];
  if (f.weights) return f.weights;
  return [f.total[0] ? 1 / f.total[0] : 0, f.baseTotal[0] ? 1 / f.baseTotal[0] : 0];
}

const longer = <T extends Int32Array | Float64Array>(list: T): T => {
  const out = new (list.constructor as new (n: number) => T)(2 * list.length);
  out.set(list as never);
  return out;
};

/** Builds a tree node by node; a parent comes before its children. In flat arrays, since a tree may have 100,000 nodes. */
class Builder {
  length = 1;
  frame = new Int32Array(1024).fill(-1, 0, 1);
  parent = new Int32Array(1024).fill(-1, 0, 1);
  self = new Float64Array(1024);
  total = new Float64Array(1024);
  baseSelf = new Float64Array(1024);
  baseTotal = new Float64Array(1024);
  /** Nodes by parent and frame, hashed; 0 is free. */
  private slots = new Int32Array(4096);

  child(parent: number, frame: number): number {
    let at = this.slot(parent, frame);
    if (this.slots[at]! > 0) return this.slots[at]!;
    if (2 * this.length > this.slots.length) {
      this.slots = new Int32Array(2 * this.slots.length);
      for (let n = 1; n < this.length; n++) this.slots[this.slot(this.parent[n]!, this.frame[n]!)] = n;
      at = this.slot(parent, frame);
    }
    const id = this.length++;
    if (id === this.frame.length) {
      this.frame = longer(this.frame);
      this.parent = longer(this.parent);
      this.self = longer(this.self);
      this.total = longer(this.total);
      this.baseSelf = longer(this.baseSelf);
      this.baseTotal = longer(this.baseTotal);
    }
    this.frame[id] = frame;
    this.parent[id] = parent;
    this.slots[at] = id;
    return id;
  }

  /** Where a node is, or would be. */
  private slot(parent: number, frame: number): number {
    const mask = this.slots.length - 1;
    const hash = Math.imul(Math.imul(parent, 0x9e3779b1) ^ frame, 0x85ebca6b);
    for (let at = (hash ^ (hash >>> 15)) & mask; ; at = (at + 1) & mask) {
      const n = this.slots[at]!;
      if (n === 0 || (this.parent[n] === parent && this.frame[n] === frame)) return at;
    }
  }

  /** The node of a frame on the way from a node up to the root, or -1. */
  above(node: number, frame: number): number {
    for (let n = node; n > 0; n = this.parent[n]!) if (this.frame[n] === frame) return n;
    return -1;
  }

  add(node: number, src: Flame, i: number, own: boolean): void {
    if (own) {
      this.self[node]! += src.self[i]!;
      if (src.baseSelf) this.baseSelf[node]! += src.baseSelf[i]!;
    } else {
      this.total[node]! += src.total[i]!;
      if (src.baseTotal) this.baseTotal[node]! += src.baseTotal[i]!;
    }
  }

  /** The tree, compared and weighed as the one that it was made of. */
  build(frames: readonly FlameFrame[], src: Flame): Flame {
    const n = this.length;
    const { order, depth } = this.preorder(frames);
    const pick = <T extends Int32Array | Float64Array>(from: T): T => {
      const out = new (from.constructor as new (n: number) => T)(n);
      for (let i = 0; i < n; i++) out[i] = from[order[i]!]!;
      return out;
    };
    const nodes: FlameNodes = { frame: pick(this.frame), depth, self: pick(this.self), total: pick(this.total) };
    if (!src.baseTotal) return flameOf(frames, nodes);
    return flameOf(frames, { ...nodes, base_self: pick(this.baseSelf), base_total: pick(this.baseTotal) }, sides(src));
  }

  /** Nodes with their depths, siblings in order of their names. */
  private preorder(frames: readonly FlameFrame[]): { order: Int32Array; depth: Int32Array } {
    const n = this.length;
    const first = new Int32Array(n);
    const next = new Int32Array(n);
    const sorted = byName(frames, this.frame, n);
    for (let i = sorted.length - 1; i >= 0; i--) {
      const id = sorted[i]!;
      const p = this.parent[id]!;
      next[id] = first[p]!;
      first[p] = id;
    }
    const order = new Int32Array(n);
    const depth = new Int32Array(n);
    for (let at = 0, d = 0, i = 0; i < n; ) {
      order[i] = at;
      depth[i++] = d;
      if (first[at]) {
        at = first[at]!;
        d++;
        continue;
      }
      while (at > 0 && !next[at]) {
        at = this.parent[at]!;
        d--;
      }
      at = next[at]!;
    }
    return { order, depth };
  }
}

/** The nodes but the root in order of their functions' names, by counting. */
function byName(frames: readonly FlameFrame[], frame: Int32Array, n: number): Int32Array {
  const order = frames.map((_, i) => i).sort((a, b) => (frames[a]!.function < frames[b]!.function ? -1 : frames[a]!.function > frames[b]!.function ? 1 : a - b));
  const rank = new Int32Array(frames.length);
  order.forEach((f, r) => (rank[f] = r));
  const at = new Int32Array(frames.length + 1);
  for (let i = 1; i < n; i++) at[rank[frame[i]!]! + 1]!++;
  for (let r = 1; r < at.length; r++) at[r]! += at[r - 1]!;
  const out = new Int32Array(n - 1);
  for (let i = 1; i < n; i++) out[at[rank[frame[i]!]!]!++] = i;
  return out;
}

/** Folds calls into one where caller and callee have the same new name, or, recursive, where the name is anywhere above. */
function folded(f: Flame, frames: readonly FlameFrame[], rename: (frame: number) => number, recursive: boolean): Flame {
  const b = new Builder();
  const at = new Int32Array(f.frame.length);
  b.add(0, f, 0, false);
  b.add(0, f, 0, true);
  for (let i = 1; i < f.frame.length; i++) {
    const p = at[f.parent[i]!]!;
    const frame = rename(f.frame[i]!);
    let node = -1;
    if (b.frame[p] === frame) node = p;
    else if (recursive) node = b.above(p, frame);
    if (node < 0) {
      node = b.child(p, frame);
      b.add(node, f, i, false);
    }
    at[i] = node;
    b.add(node, f, i, true);
  }
  return b.build(frames, f);
}

/** A function that calls itself, directly or through others, appears once on each path. */
export function collapseRecursion(f: Flame): Flame {
  return folded(f, f.frames, (x) => x, true);
}

/** Packages instead of functions; calls within one package are one. */
export function byPackage(f: Flame): Flame {
  const ids = new Map<string, number>();
  const frames: FlameFrame[] = [];
  const of = f.frames.map((x) => {
    const name = x.package || x.function;
    let id = ids.get(name);
    if (id === undefined) {
      id = frames.length;
      ids.set(name, id);
      frames.push({ function: name, package: name, file: "", line: 0 });
    }
    return id;
  });
  return folded(f, frames, (x) => of[x]!, false);
}

/** The sandwich: what calls a function (turned around, the function at the root), and what it calls. */
export function sandwich(f: Flame, name: string): { callers: Flame; callees: Flame } {
  const callers = new Builder();
  const callees = new Builder();
  const at = new Map<number, number>();
  for (let i = 1; i < f.frame.length; i++) {
    const p = f.parent[i]!;
    const inside = at.get(p);
    const hit = f.frames[f.frame[i]!]!.function === name;
    if (inside !== undefined) {
      const node = callees.child(inside, f.frame[i]!);
      callees.add(node, f, i, false);
      callees.add(node, f, i, true);
      at.set(i, node);
    } else if (hit) {
      const node = callees.child(0, f.frame[i]!);
      for (const n of [0, node]) callees.add(n, f, i, false);
      callees.add(node, f, i, true);
      at.set(i, node);
      let c = callers.child(0, f.frame[i]!);
      for (const n of [0, c]) callers.add(n, f, i, false);
      for (let up = p; up > 0; up = f.parent[up]!) {
        c = callers.child(c, f.frame[up]!);
        callers.add(c, f, i, false);
      }
    }
  }
  return { callers: callers.build(f.frames, f), callees: callees.build(f.frames, f) };
}

export interface FunctionRow extends FlameFrame {
  self: number;
  total: number;
  baseSelf: number;
  baseTotal: number;
}

/** Every function with what it takes by itself and with what it calls; a recursive call counts once. */
export function functions(f: Flame): FunctionRow[] {
  const n = f.frames.length;
  // Sums in flat arrays: adding to fields of objects allocates with every call.
  const [self, total, baseSelf, baseTotal] = [new Float64Array(n), new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const open = new Int32Array(n);
  const path: number[] = [];
  for (let i = 1; i < f.frame.length; i++) {
    while (path.length && f.end[path[path.length - 1]!]! <= i) open[f.frame[path.pop()!]!]!--;
    const fr = f.frame[i]!;
    self[fr]! += f.self[i]!;
    if (f.baseSelf) baseSelf[fr]! += f.baseSelf[i]!;
    if (open[fr] === 0) {
      total[fr]! += f.total[i]!;
      if (f.baseTotal) baseTotal[fr]! += f.baseTotal[i]!;
    }
    open[fr]!++;
    path.push(i);
  }
  const rows: FunctionRow[] = [];
  f.frames.forEach((x, i) => {
    if (total[i] || baseTotal[i]) rows.push({ function: x.function, package: x.package, file: x.file, line: x.line, self: self[i]!, total: total[i]!, baseSelf: baseSelf[i]!, baseTotal: baseTotal[i]! });
  });
  return rows;
}

/** The same as it was answered. */
export function functionRows(frames: readonly FlameFrame[], l: { self: readonly number[]; total: readonly number[]; base_self?: readonly number[]; base_total?: readonly number[] }): FunctionRow[] {
  return frames.map((x, i) => ({ function: x.function, package: x.package, file: x.file, line: x.line, self: l.self[i]!, total: l.total[i]!, baseSelf: l.base_self?.[i] ?? 0, baseTotal: l.base_total?.[i] ?? 0 }));
}

/** A search as a regular expression, or as plain text if it is none. Capitals matter only when there are some. */
export function matcher(q: string): RegExp | null {
  if (!q) return null;
  const flags = /[A-Z]/.test(q) ? "" : "i";
  try {
    return new RegExp(q, flags);
  } catch {
    return new RegExp(q.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), flags);
  }
}

/** Which frames match, and how much of the whole lies in or below a match (once each). */
export function search(f: Flame, q: RegExp | null): { frames: Uint8Array; share: number } {
  const frames = new Uint8Array(f.frames.length);
  if (!q) return { frames, share: 0 };
  f.frames.forEach((x, i) => (frames[i] = q.test(x.function) || q.test(x.file) ? 1 : 0));
  let sum = 0;
  for (let i = 1; i < f.frame.length; ) {
    if (frames[f.frame[i]!]) {
      sum += f.total[i]!;
      i = f.end[i]!;
    } else i++;
  }
  return { frames, share: f.total[0] ? sum / f.total[0] : 0 };
}

/** Only what lies on paths through a match. */
export function focusOn(f: Flame, q: RegExp): Flame {
  const { frames } = search(f, q);
  const b = new Builder();
  const at = new Int32Array(f.frame.length);
  const inside = new Uint8Array(f.frame.length);
  for (let i = 1; i < f.frame.length; i++) {
    inside[i] = inside[f.parent[i]!]! || frames[f.frame[i]!]! ? 1 : 0;
    at[i] = -1;
  }
  const make = (i: number): number => {
    if (i === 0) return 0;
    if (at[i]! >= 0) return at[i]!;
    at[i] = b.child(make(f.parent[i]!), f.frame[i]!);
    return at[i]!;
  };
  for (let i = 1; i < f.frame.length; i++) {
    if (!inside[i]) continue;
    const node = make(i);
    b.add(node, f, i, true);
    b.add(node, f, i, false);
    if (!inside[f.parent[i]!]) for (let up = f.parent[i]!; up >= 0; up = f.parent[up]!) b.add(up === 0 ? 0 : make(up), f, i, false);
  }
  return b.build(f.frames, f);
}

/** Where a frame lies in the zoomed view: left and width of 1; null outside. */
export function project(f: Flame, node: number, zoom: number): { x: number; width: number } | null {
  if (zoom === 0) return { x: f.x[node]!, width: f.width[node]! };
  if (node <= zoom && f.end[node]! > zoom) return { x: 0, width: 1 }; // an ancestor fills the width
  if (node < zoom || node >= f.end[zoom]!) return null;
  const w = f.width[zoom]! || 1;
  return { x: (f.x[node]! - f.x[zoom]!) / w, width: f.width[node]! / w };
}

/** The node at a place of the zoomed view, or -1. */
export function nodeAt(f: Flame, zoom: number, depth: number, x: number): number {
  if (depth < 0 || depth > f.deepest) return -1;
  let at = 0;
  for (let d = 0; d < depth; d++) {
    let found = -1;
    for (let c = at + 1; c < f.end[at]!; c = f.end[c]!) {
      const p = project(f, c, zoom);
      if (p && x >= p.x && x < p.x + p.width) {
        found = c;
        break;
      }
    }
    if (found < 0) return -1;
    at = found;
  }
  return at;
}

/** The node that an arrow key leads to. */
export function neighbour(f: Flame, node: number, key: "up" | "down" | "left" | "right"): number {
  if (key === "up") return Math.max(0, f.parent[node]!);
  if (key === "down") {
    let best = -1;
    for (let c = node + 1; c < f.end[node]!; c = f.end[c]!) if (best < 0 || f.width[c]! > f.width[best]!) best = c;
    return best < 0 ? node : best;
  }
  const p = f.parent[node]!;
  if (p < 0) return node;
  let before = node;
  for (let c = p + 1; c < f.end[p]!; c = f.end[c]!) {
    if (c === node && key === "left") return before;
    if (c > node && key === "right") return c;
    before = c;
  }
  return node;
}
