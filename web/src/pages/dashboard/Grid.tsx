import { type CSSProperties, type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { Grip } from "lucide-react";
import type { Panel } from "@/api/dashboards";
import { type Box, boxOf, COLUMNS, GAP_PX, heightOf, LEAST, place, ROW_PX } from "@/lib/dash/grid";
import css from "./Grid.module.css";

interface Props<T extends Panel> {
  panels: readonly T[];
  editing: boolean;
  /** Another layout, and what was moved. */
  onLayout: (panels: T[], id: string) => void;
  render: (panel: T, seen: boolean, handle: ReactNode) => ReactNode;
}

type Drag = { id: string; kind: "move" | "size"; startX: number; startY: number; from: Box; to: Box; dx: number; dy: number; columnPx: number };

/** Panels in their places. Drag one by its head or its corner; or focus its handle and use the arrow keys. */
export function Grid<T extends Panel>({ panels, editing, onLayout, render }: Props<T>) {
  const host = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const [said, setSaid] = useState("");
  const shown = drag ? place(panels, drag.id, drag.to) : panels;

  const begin = (p: T, kind: Drag["kind"]) => (e: PointerEvent<HTMLElement>) => {
    if (!editing || e.button !== 0 || (kind === "move" && (e.target as HTMLElement).closest("button:not([data-handle]),a,input"))) return;
    e.preventDefault();
    e.currentTarget.setPointerCapture(e.pointerId);
    const columnPx = (host.current!.clientWidth + GAP_PX) / COLUMNS;
    setDrag({ id: p.id, kind, startX: e.clientX, startY: e.clientY + scrollY, from: boxOf(p), to: boxOf(p), dx: 0, dy: 0, columnPx });
  };
  const move = (e: PointerEvent) => {
    if (!drag) return;
    const dx = e.clientX - drag.startX;
    const dy = e.clientY + scrollY - drag.startY;
    setDrag({ ...drag, dx, dy, to: moved(drag, Math.round(dx / drag.columnPx), Math.round(dy / ROW_PX)) });
  };
  const end = () => {
    if (drag && !same(drag.from, drag.to)) onLayout(place(panels, drag.id, drag.to), drag.id);
    setDrag(null);
  };
  const onKey = (p: T) => (e: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!step || !editing) return;
    e.preventDefault();
    const kind = e.shiftKey ? "size" : "move";
    const to = moved({ kind, from: boxOf(p) }, step[0]!, step[1]!);
    const next = place(panels, p.id, to);
    // Upwards a panel rises past the one above it: a single row would fall back.
    const at = next.find((n) => n.id === p.id)!;
    const final = kind === "move" && e.key === "ArrowUp" && at.y === p.y && p.y > 0 ? place(panels, p.id, { ...to, y: Math.min(...above(panels, p)) }) : next;
    onLayout(final, p.id);
    const now = final.find((n) => n.id === p.id)!;
    setSaid(`${p.title || "Panel"}: column ${now.x + 1}, row ${now.y + 1}, ${now.w} wide, ${now.h} tall`);
  };

  return (
    <>
      <div ref={host} className={css.grid} data-editing={editing || undefined} data-dragging={drag ? "" : undefined} style={{ "--rows": heightOf(shown) } as CSSProperties} onPointerMove={drag ? move : undefined} onPointerUp={drag ? end : undefined} onPointerCancel={() => setDrag(null)}>
        {shown.map((p) => {
          const held = drag?.id === p.id ? drag : null;
          const original = panels.find((o) => o.id === p.id) ?? p;
          return (
            <Cell key={p.id} panel={p} held={held} editing={editing} onHead={begin(original, "move")} onCorner={begin(original, "size")}>
              {(seen) =>
                render(
                  p,
                  seen,
                  editing && (
                    <button type="button" data-handle className={css.handle} aria-label={`Move ${p.title || "panel"}: arrow keys move, with Shift they resize`} onKeyDown={onKey(original)}>
                      <Grip size={13} aria-hidden />
                    </button>
                  ),
                )
              }
            </Cell>
          );
        })}
        {drag && <div className={css.ghost} style={place_(shown.find((p) => p.id === drag.id)!)} aria-hidden />}
      </div>
      <p className="visually-hidden" role="status">
        {said}
      </p>
    </>
  );
}

function moved({ kind, from }: Pick<Drag, "kind" | "from">, dx: number, dy: number): Box {
  if (kind === "move") return { ...from, x: Math.min(COLUMNS - from.w, Math.max(0, from.x + dx)), y: Math.max(0, from.y + dy) };
  return { ...from, w: Math.min(COLUMNS - from.x, Math.max(LEAST.w, from.w + dx)), h: Math.max(LEAST.h, from.h + dy) };
}

const same = (a: Box, b: Box) => a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;

/** The rows at which panels right above one begin. */
function above(panels: readonly Panel[], p: Panel): number[] {
  const rows = panels.filter((o) => o.y + o.h <= p.y && o.x < p.x + p.w && p.x < o.x + o.w);
  const nearest = Math.max(...rows.map((o) => o.y + o.h), 0);
  return [p.y - 1, ...rows.filter((o) => o.y + o.h === nearest).map((o) => o.y)];
}

const place_ = (b: Box): CSSProperties => ({ "--x": b.x, "--y": b.y, "--w": b.w, "--h": b.h }) as CSSProperties;

interface CellProps {
  panel: Panel;
  held: Drag | null;
  editing: boolean;
  onHead: (e: PointerEvent<HTMLElement>) => void;
  onCorner: (e: PointerEvent<HTMLElement>) => void;
  children: (seen: boolean) => ReactNode;
}

function Cell({ panel, held, editing, onHead, onCorner, children }: CellProps) {
  const ref = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  // What is far below the fold asks for nothing; what was seen stays subscribed while it is near.
  useEffect(() => {
    const watch = new IntersectionObserver(([e]) => setSeen(e!.isIntersecting), { rootMargin: "300px" });
    watch.observe(ref.current!);
    return () => watch.disconnect();
  }, []);
  const box = held ? held.from : panel;
  const style = { ...place_(box), ...(held && held.kind === "move" ? { transform: `translate(${held.dx}px, ${held.dy}px)` } : held ? { width: `calc(${held.from.w} * var(--column) - var(--gap) + ${held.dx}px)`, height: `calc(${held.from.h} * var(--row-px) - var(--gap) + ${held.dy}px)` } : {}) };
  return (
    <div ref={ref} className={css.cell} data-held={held ? "" : undefined} style={style} onPointerDown={(e) => editing && (e.target as HTMLElement).closest("[data-head]") && onHead(e)}>
      {children(seen)}
      {editing && panel.type !== "row" && <div className={css.corner} onPointerDown={onCorner} aria-hidden />}
    </div>
  );
}
