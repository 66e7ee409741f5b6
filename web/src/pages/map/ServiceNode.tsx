import { useState } from "react";
import { Handle, type Node, type NodeProps, NodeToolbar, Position } from "@xyflow/react";
import { Crosshair } from "lucide-react";
import type { MapNode } from "@/api/types";
import { format } from "@/lib/format";
import { stateOf } from "@/lib/state";
import { NodeIcon } from "@/ui/NodeIcon";
import { ServiceDot } from "@/ui/Service";
import { RedCard } from "./RedCard";
import css from "./Page.module.css";

export interface ServiceNodeData extends Record<string, unknown> {
  node: MapNode;
  dimmed: boolean;
  focused: boolean;
  onFocus: (id: string) => void;
  vertical: boolean;
  /** Name only, in larger type. */
  dense: boolean;
}

/** A box: name, rate and latency; coloured at its edge only when unusual. */
export function ServiceNode({ data }: NodeProps<Node<ServiceNodeData>>) {
  const { node, dimmed, focused, onFocus, vertical, dense } = data;
  const [over, setOver] = useState(false);
  const tone = stateOf(node, null).tone;
  return (
    <div className={css.node} data-dense={dense || undefined} data-kind={node.kind} data-tone={tone} data-dimmed={dimmed || undefined} data-focused={focused || undefined} onMouseEnter={() => setOver(true)} onMouseLeave={() => setOver(false)}>
      <Handle type="target" position={vertical ? Position.Top : Position.Left} className={css.handle} isConnectable={false} />
      <div className={css.nodeName}>
        {node.kind === "service" ? <ServiceDot name={node.name} /> : <NodeIcon kind={node.kind} size={13} />}
        <span className={css.nodeText} title={node.name}>
          {node.name}
        </span>
        <button
          type="button"
          className={css.focus}
          aria-label={`Focus on ${node.name}`}
          onClick={(e) => {
            e.stopPropagation();
            onFocus(node.id);
          }}
        >
          <Crosshair size={12} />
        </button>
      </div>
      {!dense && (
        <div className={css.nodeNumbers}>
          <span>{format(node.rate, "rate")}</span>
          <span>{format(node.p95_ns, "ns")}</span>
          <span data-tone={node.error_ratio >= 0.05 ? "bad" : node.error_ratio >= 0.01 ? "warn" : undefined}>{node.error_ratio > 0 ? format(node.error_ratio, "ratio") : ""}</span>
        </div>
      )}
      <Handle type="source" position={vertical ? Position.Bottom : Position.Right} className={css.handle} isConnectable={false} />
      <NodeToolbar isVisible={over} position={Position.Bottom} offset={6}>
        <div className={css.cardStatic}>
          <RedCard title={node.system ? `${node.name} · ${node.system}` : node.name} red={node} />
        </div>
      </NodeToolbar>
    </div>
  );
}
