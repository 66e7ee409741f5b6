import { useMemo } from "react";
import { Background, BackgroundVariant, BaseEdge, Controls, type Edge, EdgeLabelRenderer, type EdgeProps, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { Graph as Layers, layout as dagre } from "@dagrejs/dagre";
import { useAppearance } from "@/app/theme";
import type { Drawn } from "@/charts/FlameGraph";
import { short } from "@/charts/paintFlame";
import { type CallGraph, callGraph } from "@/lib/callgraph";
import { colorOf } from "@/lib/color";
import { type Flame, sides } from "@/lib/flame";
import { plural } from "@/lib/format";
import { type Placed, smoothPath } from "@/lib/layout";
import { changeWords, percent } from "@/lib/profilescale";
import css from "./Graph.module.css";

interface FunctionData extends Record<string, unknown> {
  name: string;
  lines: string[];
  /** Size of the text, by what the function takes by itself. */
  size: number;
  tint: string;
  strength: number;
  tone: "bad" | "good" | undefined;
  dimmed: boolean;
}

interface CallData extends Record<string, unknown> {
  via: Placed[];
  width: number;
  text: string;
  residual: boolean;
  tone: string;
}

const nodeTypes = { fn: FunctionNode };
const edgeTypes = { call: CallEdge };

/** pprof's graph of the selection: boxes as large as what a function takes by itself, lines as wide as what passes. */
export default function Graph({ flame, ...drawn }: Drawn & { flame: Flame }) {
  const appearance = useAppearance();
  const graph = useMemo(() => callGraph(flame), [flame]);
  const { nodes, edges } = useMemo(() => draw(flame, graph, drawn), [flame, graph, drawn.colour, drawn.found, drawn.words, drawn.compare]);
  return (
    <div className={css.graph} data-testid="profile-graph">
      <ReactFlow
        key={nodes.map((n) => n.id).join()}
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        colorMode={appearance === "dark" ? "dark" : "light"}
        onInit={(flow) => show(flow, nodes, graph)}
        onNodeClick={(_, n) => drawn.onFunction?.(n.data.name)}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        minZoom={0.08}
        maxZoom={2}
        proOptions={{ hideAttribution: true }}
        aria-label="Graph of calls: boxes are functions, lines lead from callers to what they call. The table below has the same numbers."
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1} color="var(--line)" />
        <Controls showInteractive={false} className={css.controls} />
      </ReactFlow>
      <p className={css.note}>
        {plural(graph.nodes.length, "function")}
        {graph.droppedNodes > 0 && `, ${graph.droppedNodes} small ones left out`}. Dashed: calls in between are left out.
      </p>
    </div>
  );
}

const LEAST_ZOOM = 0.72; // below, names cannot be read

/** All of it where that can be read; else what takes most, in the middle. */
function show(flow: ReactFlowInstance<Node<FunctionData>, Edge<CallData>>, nodes: readonly Node<FunctionData>[], g: CallGraph) {
  void flow.fitView({ padding: 0.04, maxZoom: 1.1 }).then(() => {
    if (flow.getZoom() >= LEAST_ZOOM) return;
    const most = g.nodes.reduce((best, n, i) => (n.flat[0] > g.nodes[best]!.flat[0] ? i : best), 0);
    const n = nodes[most];
    if (n) void flow.setCenter(n.position.x + (n.width ?? 0) / 2, n.position.y, { zoom: LEAST_ZOOM });
  });
}

const LINE = 14;

function draw(f: Flame, g: CallGraph, drawn: Omit<Drawn, "onFunction">): { nodes: Node<FunctionData>[]; edges: Edge<CallData>[] } {
  const w = sides(f);
  const whole = Math.max(f.total[0]! * w[0], (f.baseTotal?.[0] ?? 0) * w[1]) || 1;
  const most = Math.max(...g.nodes.map((n) => n.flat[0]), 1e-9);
  const compare = drawn.compare ?? drawn.words;
  const toneOf = (v: readonly [number, number]): "bad" | "good" | undefined => {
    if (drawn.colour !== "change") return undefined;
    const d = v[0] * w[0] - v[1] * w[1];
    return Math.abs(d) < 0.005 * whole ? undefined : d > 0 ? "bad" : "good";
  };
  const data = g.nodes.map((n): FunctionData & { width: number; height: number } => {
    const frame = f.frames[n.frame]!;
    const size = 11 + 9 * Math.sqrt(n.flat[0] / most);
    const share = (v: number) => percent(f.total[0] ? v / f.total[0] : 0);
    const lines = [`${drawn.words(n.flat[0])} (${share(n.flat[0])})`];
    if (n.flat[0] !== n.cum[0]) lines.push(`of ${drawn.words(n.cum[0])} (${share(n.cum[0])})`);
    if (f.baseTotal) lines.push(changeWords(n.cum[0] * w[0], n.cum[1] * w[1], compare));
    const text = short(frame.function);
    const tone = toneOf(n.cum);
    const strength = drawn.colour === "change" ? (tone ? Math.min(1, 0.25 + Math.abs(n.cum[0] * w[0] - n.cum[1] * w[1]) / whole) : 0) : 0.18 + 0.5 * (n.flat[0] / most);
    const width = Math.ceil(Math.min(340, Math.max(text.length * size * 0.56, ...lines.map((l) => l.length * 6.1)) + 22));
    return { name: frame.function, lines, size, tint: tone ? `var(--${tone === "bad" ? "bad" : "accent"})` : colorOf(frame.package || frame.function), strength, tone, dimmed: !!drawn.found && !drawn.found[n.frame], width, height: Math.ceil(size * 1.3 + LINE * lines.length + 14) };
  });
  const layers = new Layers();
  layers.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 46, marginx: 12, marginy: 12 });
  layers.setDefaultEdgeLabel(() => ({}));
  data.forEach((d, i) => layers.setNode(String(i), { width: d.width, height: d.height }));
  for (const e of g.edges) if (e.from !== e.to) layers.setEdge(String(e.from), String(e.to));
  dagre(layers);
  const nodes = data.map((d, i): Node<FunctionData> => {
    const at = layers.node(String(i));
    return { id: String(i), type: "fn", position: { x: (at.x ?? 0) - d.width / 2, y: (at.y ?? 0) - d.height / 2 }, width: d.width, height: d.height, data: d, ariaLabel: `${d.name}: ${d.lines.join(" ")}` };
  });
  const edges = g.edges
    .filter((e) => e.from !== e.to)
    .map((e): Edge<CallData> => {
      const size = Math.max(e.value[0] * w[0], e.value[1] * w[1]) / whole;
      const tone = toneOf(e.value);
      const color = tone ? `var(--${tone === "bad" ? "bad" : "accent"})` : "var(--line-strong)";
      const points = (layers.edge(String(e.from), String(e.to)) as { points?: Placed[] }).points ?? [];
      return {
        id: `${e.from}>${e.to}`,
        source: String(e.from),
        target: String(e.to),
        type: "call",
        data: { via: points.slice(1, -1), width: 1 + 7 * size, text: drawn.words(e.value[0] || e.value[1]), residual: e.residual, tone: color },
        markerEnd: { type: MarkerType.ArrowClosed, color: tone ? color : "var(--faint)", width: 13, height: 13, markerUnits: "userSpaceOnUse" },
      };
    });
  return { nodes, edges };
}

function FunctionNode({ data }: NodeProps<Node<FunctionData>>) {
  return (
    <div className={css.node} data-dimmed={data.dimmed || undefined} title={data.name}>
      <span className={css.tint} style={{ background: data.tint, opacity: 0.5 * data.strength }} aria-hidden />
      <Handle type="target" position={Position.Top} isConnectable={false} className={css.handle} />
      <b style={{ fontSize: data.size }}>{short(data.name)}</b>
      {data.lines.map((l) => (
        <span key={l}>{l}</span>
      ))}
      <Handle type="source" position={Position.Bottom} isConnectable={false} className={css.handle} />
    </div>
  );
}

function CallEdge({ sourceX, sourceY, targetX, targetY, data, markerEnd }: EdgeProps<Edge<CallData>>) {
  if (!data) return null;
  const path = smoothPath({ x: sourceX, y: sourceY }, data.via.length > 1 ? data.via : [], { x: targetX, y: targetY }, true);
  const middle = data.via[Math.floor(data.via.length / 2)] ?? { x: (sourceX + targetX) / 2, y: (sourceY + targetY) / 2 };
  return (
    <>
      <BaseEdge path={path} markerEnd={markerEnd} style={{ stroke: data.tone, strokeWidth: data.width, strokeDasharray: data.residual ? "5 4" : undefined }} />
      {data.width > 1.15 && (
        <EdgeLabelRenderer>
          <span className={css.edge} style={{ transform: `translate(-50%, -50%) translate(${middle.x}px, ${middle.y}px)` }}>
            {data.text}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
}
