import { useState } from "react";
import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, getBezierPath } from "@xyflow/react";
import type { EdgeRow } from "@/api/types";
import { RedCard } from "./RedCard";
import css from "./Page.module.css";

export interface CallEdgeData extends Record<string, unknown> {
  row: EdgeRow;
  title: string;
  width: number;
  color: string;
}

/** A call: as wide as its rate; its numbers on hover. */
export function CallEdge({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data, markerEnd }: EdgeProps<Edge<CallEdgeData>>) {
  const [over, setOver] = useState(false);
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, curvature: 0.32 });
  if (!data) return null;
  return (
    <>
      <BaseEdge path={path} markerEnd={markerEnd} style={{ stroke: over ? "var(--text)" : data.color, strokeWidth: data.width }} />
      <path d={path} fill="none" stroke="transparent" strokeWidth={Math.max(14, data.width + 8)} onMouseEnter={() => setOver(true)} onMouseLeave={() => setOver(false)} />
      {over && (
        <EdgeLabelRenderer>
          <div className={css.card} style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            <RedCard title={data.title} red={data.row} />
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}
