// Places the map's nodes in layers by call direction: left to right, or top to
// bottom where the screen is taller than wide.
import { Graph, layout as dagre } from "@dagrejs/dagre";

export interface Placed {
  x: number;
  y: number;
}

export interface Layout {
  /** Top left corner of each node. */
  nodes: Map<string, Placed>;
  /** By "source>target": points from border to border that keep clear of other nodes. */
  edges: Map<string, Placed[]>;
}

export interface NodeSize {
  width: number;
  height: number;
}

/** Above this many nodes a box shows its name alone, in larger type, so that the whole map stays readable. */
const DENSE = 45;

export const isDense = (nodes: number): boolean => nodes > DENSE;
export const nodeSize = (nodes: number): NodeSize => (isDense(nodes) ? { width: 190, height: 32 } : { width: 178, height: 52 });

export function place(ids: readonly string[], edges: readonly { source: string; target: string }[], vertical = false): Layout {
  const g = new Graph();
  const dense = isDense(ids.length);
  const size = nodeSize(ids.length);
  g.setGraph({ rankdir: vertical ? "TB" : "LR", nodesep: dense ? 6 : 22, ranksep: vertical ? 48 : dense ? 60 : 84, marginx: 16, marginy: 16 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const id of ids) g.setNode(id, { ...size });
  for (const e of edges) if (e.source !== e.target && g.hasNode(e.source) && g.hasNode(e.target)) g.setEdge(e.source, e.target);
  dagre(g);
  const nodes = new Map(ids.map((id) => {
    const n = g.node(id);
    return [id, { x: (n.x ?? 0) - size.width / 2, y: (n.y ?? 0) - size.height / 2 }];
  }));
  return { nodes, edges: new Map(g.edges().map((e) => [`${e.v}>${e.w}`, (g.edge(e) as { points?: Placed[] }).points ?? []])) };
}

/**
 * A smooth SVG path from start to end by way of the points between: curves that
 * leave and arrive along the direction of the layers.
 */
export function smoothPath(start: Placed, via: readonly Placed[], end: Placed, vertical: boolean): string {
  const stops = [start, ...via, end];
  let path = `M${start.x} ${start.y}`;
  for (let i = 1; i < stops.length; i++) {
    const a = stops[i - 1]!;
    const b = stops[i]!;
    path += vertical
      ? `C${a.x} ${(a.y + b.y) / 2} ${b.x} ${(a.y + b.y) / 2} ${b.x} ${b.y}`
      : `C${(a.x + b.x) / 2} ${a.y} ${(a.x + b.x) / 2} ${b.y} ${b.x} ${b.y}`;
  }
  return path;
}
