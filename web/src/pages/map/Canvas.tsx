import { useEffect, useMemo, useRef } from "react";
import { useNavigate } from "@tanstack/react-router";
import { Background, BackgroundVariant, Controls, type Edge, MarkerType, type Node, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import type { MapAnswer, MapNode } from "@/api/types";
import { edgeWidth } from "@/lib/graph";
import { isDense, type Layout, type NodeSize, nodeSize, place } from "@/lib/layout";
import { useAppearance } from "@/app/theme";
import { CallEdge, type CallEdgeData } from "./CallEdge";
import { ServiceNode, type ServiceNodeData } from "./ServiceNode";
import css from "./Page.module.css";

const nodeTypes = { service: ServiceNode };
const edgeTypes = { call: CallEdge };

interface Props {
  data: MapAnswer;
  find: string;
  focus: string | undefined;
  onFocus: (id: string) => void;
}

/** The drawn map. Positions depend on who calls whom only, so that live numbers never move a node. */
export function Canvas({ data, find, focus, onFocus }: Props) {
  const navigate = useNavigate();
  const appearance = useAppearance();
  const flow = useRef<ReactFlowInstance<Node<ServiceNodeData>, Edge<CallEdgeData>> | null>(null);
  const vertical = innerWidth < 700;
  const size = nodeSize(data.nodes.length);
  const topology = useMemo(() => topologyOf(data), [data]);
  const layout = useMemo(() => place(data.nodes.map((n) => n.id), data.edges, vertical), [topology, vertical]);
  const positions = layout.nodes;
  const nodes = useMemo(() => data.nodes.map((n) => toNode(n, positions.get(n.id) ?? { x: 0, y: 0 }, { find, focus, onFocus, vertical, size, dense: isDense(data.nodes.length) })), [data, positions, find, focus, onFocus, vertical]);
  const edges = useMemo(() => toEdges(data, layout, vertical), [data, layout, vertical]);

  // A new set of nodes is brought into view; new numbers leave the view alone.
  useEffect(() => void flow.current?.fitView(fit(vertical)), [topology]);
  useEffect(() => {
    const hit = find ? data.nodes.find((n) => n.name.toLowerCase().includes(find.toLowerCase())) : undefined;
    const at = hit && positions.get(hit.id);
    if (at) void flow.current?.setCenter(at.x + size.width / 2, at.y + size.height / 2, { zoom: 1 });
  }, [find]);

  return (
    <div className={css.canvas} data-testid="service-map">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        colorMode={appearance === "dark" ? "dark" : "light"}
        onInit={(instance) => {
          flow.current = instance;
          void instance.fitView(fit(vertical));
        }}
        onNodeClick={(_, n) => (n.data.node.kind === "service" ? void navigate({ to: "/services/$service", params: { service: n.data.node.name } }) : onFocus(n.id))}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        minZoom={0.15}
        maxZoom={2}
        onlyRenderVisibleElements={data.nodes.length > 60}
        proOptions={{ hideAttribution: true }}
        aria-label="Service map: boxes are services, databases and queues; lines are calls from left to right"
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1} color="var(--line)" />
        <Controls showInteractive={false} className={css.controls} />
      </ReactFlow>
    </div>
  );
}

// A phone shows a part of a large map that can be read rather than all of it as dust.
const fit = (vertical: boolean) => ({ padding: 0.05, maxZoom: 1.1, minZoom: vertical ? 0.55 : 0.2 });

function topologyOf(data: MapAnswer): string {
  return [...data.nodes.map((n) => n.id).sort(), ...data.edges.map((e) => `${e.source}>${e.target}`).sort()].join("|");
}

interface Look {
  find: string;
  focus: string | undefined;
  onFocus: (id: string) => void;
  vertical: boolean;
  size: NodeSize;
  dense: boolean;
}

function toNode(n: MapNode, position: { x: number; y: number }, { find, focus, onFocus, vertical, size, dense }: Look): Node<ServiceNodeData> {
  const dimmed = find !== "" && !n.name.toLowerCase().includes(find.toLowerCase());
  return {
    id: n.id,
    type: "service",
    position,
    ...size,
    data: { node: n, dimmed, focused: n.id === focus, onFocus, vertical, dense },
    ariaLabel: `${n.name}, ${n.kind}`,
  };
}

function toEdges({ edges: rows, nodes }: MapAnswer, layout: Layout, vertical: boolean): Edge<CallEdgeData>[] {
  const names = new Map(nodes.map((n) => [n.id, n.name]));
  const max = Math.max(0, ...rows.map((r) => r.rate));
  return rows.map((r) => {
    const tone = r.calls >= 20 && r.error_ratio >= 0.05 ? "bad" : r.calls >= 20 && r.error_ratio >= 0.01 ? "warn" : undefined;
    const color = tone ? `var(--${tone})` : "var(--line-strong)";
    return {
      id: `${r.source}>${r.target}`,
      source: r.source,
      target: r.target,
      type: "call",
      // The ends are the handles'; what lies between keeps clear of other boxes.
      data: { via: (layout.edges.get(`${r.source}>${r.target}`) ?? []).slice(1, -1), vertical, row: r, title: `${names.get(r.source) ?? r.source} → ${names.get(r.target) ?? r.target}`, width: edgeWidth(r.rate, max), color },
      markerEnd: { type: MarkerType.ArrowClosed, color: tone ? color : "var(--faint)", width: 14, height: 14, markerUnits: "userSpaceOnUse" },
    };
  });
}
