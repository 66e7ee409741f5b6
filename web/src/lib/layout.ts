// Places the map's nodes in layers by call direction: left to right, or top to
// bottom where the screen is taller than wide.
import { Graph, layout as dagre } from "@dagrejs/dagre";

export interface Placed {
  x: number;
  y: number;
}

export const NODE_WIDTH = 178;
export const NODE_HEIGHT = 52;

export function place(ids: readonly string[], edges: readonly { source: string; target: string }[], vertical = false): Map<string, Placed> {
  const g = new Graph();
  const dense = ids.length > 60;
  g.setGraph({ rankdir: vertical ? "TB" : "LR", nodesep: dense ? 12 : 22, ranksep: vertical ? 48 : 84, marginx: 16, marginy: 16 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const id of ids) g.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const e of edges) if (e.source !== e.target && g.hasNode(e.source) && g.hasNode(e.target)) g.setEdge(e.source, e.target);
  dagre(g);
  return new Map(ids.map((id) => {
    const n = g.node(id);
    return [id, { x: (n.x ?? 0) - NODE_WIDTH / 2, y: (n.y ?? 0) - NODE_HEIGHT / 2 }];
  }));
}
