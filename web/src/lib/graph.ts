// The service map as a graph: which nodes are near another, how thick an edge is.
import type { EdgeRow } from "@/api/types";

/** Nodes within `depth` calls of `focus`, in either direction. */
export function near(edges: readonly EdgeRow[], focus: string, depth: number): Set<string> {
  const seen = new Set([focus]);
  let frontier = [focus];
  for (let d = 0; d < depth; d++) {
    const next: string[] = [];
    for (const e of edges) {
      for (const [a, b] of [[e.source, e.target], [e.target, e.source]] as const) {
        if (frontier.includes(a) && !seen.has(b)) {
          seen.add(b);
          next.push(b);
        }
      }
    }
    frontier = next;
  }
  return seen;
}

/** Pixels: 1 for the quietest edge, 6 for the busiest, by the logarithm between. */
export function edgeWidth(rate: number, maxRate: number): number {
  if (rate <= 0 || maxRate <= 0) return 1;
  return 1 + 5 * (Math.log1p(rate) / Math.log1p(maxRate));
}
