import { useState } from "react";
import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import type { EdgeRow } from "@/api/types";
import { type Placed, smoothPath } from "@/lib/layout";
import { RedCard } from "./RedCard";
import css from "./Page.module.css";

export interface CallEdgeData extends Record<string, unknown> {
  row: EdgeRow;
  title: string;
  via: Placed[];
  vertical: boolean;
  width: number;
  color: string;
}

/** A call: as wide as its rate; its numbers on hover. */
export function CallEdge({ sourceX, sourceY, targetX, targetY, data, markerEnd }: EdgeProps<Edge<CallEdgeData>>) {
  const [over, setOver] = useState(false);
  if (!data) return null;
  const path = smoothPath({ x: sourceX, y: sourceY }, data.via.length > 1 ? data.via : [], { x: targetX, y: targetY }, data.vertical);
  const x = (sourceX + targetX) / 2;
  const y = (sourceY + targetY) / 2;
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
