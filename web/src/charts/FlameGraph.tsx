import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useAppearance } from "@/app/theme";
import { changeWords, percent } from "@/lib/profilescale";
import { type Flame, neighbour, nodeAt, project, sides } from "@/lib/flame";
import { depthOf, type FlameColour, type FlameView, paint, Palette, ROW, rowCount, rowOf, type Rows } from "./paintFlame";
import css from "./FlameGraph.module.css";

/** How trees of one selection are drawn and spoken of. */
export interface Drawn {
  colour: FlameColour;
  /** Frames that a search found. */
  found: Uint8Array | null;
  /** A value of the tree in words. */
  words: (v: number) => string;
  /** A value of a compared tree, weighed (see Flame.weights), in words. */
  compare?: (v: number) => string;
  /** A click that is no zoom: the function to look at. */
  onFunction?: (name: string) => void;
}

interface Props extends Drawn {
  flame: Flame;
  label: string;
  /** Half of a sandwich: the function itself is the first row below, or the last one above. */
  half?: "callers" | "callees";
}

const WHOLE: Rows = { upward: false, rootless: false };
const HALVES: Record<"callers" | "callees", Rows> = { callers: { upward: true, rootless: true }, callees: { upward: false, rootless: true } };

const LEAST_ROWS = 3;
const MOST_HEIGHT = 900;

/** A call tree: width is what a call takes, with what it calls. Click or Enter zooms, Escape goes back. */
export function FlameGraph({ flame, label, colour, found, words, compare, onFunction, half }: Props) {
  const say: Saying = useMemo(() => ({ words, compare: compare ?? words }), [words, compare]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const help = useId();
  const appearance = useAppearance();
  const [zoom, setZoom] = useState(0);
  const [focus, setFocus] = useState(-1);
  const [width, setWidth] = useState(600);
  const hover = useRef(-1);
  const past = useRef<number[]>([]);

  // A new tree: what was zoomed into is looked for again by its path, so that live data does not throw one out.
  const path = useRef<number[]>([]);
  const [shown, setShown] = useState(flame);
  if (shown !== flame) {
    setShown(flame);
    setZoom(samePath(shown, flame, path.current));
    setFocus(-1);
    past.current = [];
  }

  const order = half ? HALVES[half] : WHOLE;
  const rows = rowCount(flame, order);
  const height = Math.min(MOST_HEIGHT, Math.max(LEAST_ROWS, rows) * ROW + 2);
  const palette = useMemo(() => new Palette(), [appearance]);

  const draw = useCallback(() => {
    const el = canvas.current;
    const box = scroller.current;
    if (!el || !box) return;
    const ratio = devicePixelRatio || 1;
    const visible = box.clientHeight;
    if (el.width !== Math.round(width * ratio) || el.height !== Math.round(visible * ratio)) {
      el.width = Math.round(width * ratio);
      el.height = Math.round(visible * ratio);
    }
    const ctx = el.getContext("2d")!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, visible);
    const top = Math.floor(box.scrollTop / ROW);
    ctx.translate(0, -(box.scrollTop - top * ROW));
    const view: FlameView = { zoom, width, top, bottom: top + Math.ceil(visible / ROW) + 1, rows: order, colour, found, hover: hover.current, focus };
    paint(ctx, flame, view, palette);
  }, [flame, zoom, width, order, colour, found, focus, palette]);

  const pending = useRef(0);
  const schedule = useCallback(() => {
    cancelAnimationFrame(pending.current);
    pending.current = requestAnimationFrame(draw);
  }, [draw]);

  useLayoutEffect(draw, [draw, height]);
  // For measuring how soon a tree is seen: the frame that shows it has been given to the screen.
  useEffect(() => {
    const frame = requestAnimationFrame(() => setTimeout(() => {
      performance.clearMarks("flame painted");
      performance.mark("flame painted", { detail: flame.frame.length });
    }));
    return () => cancelAnimationFrame(frame);
  }, [flame]);
  useLayoutEffect(() => {
    // Callers begin at the bottom.
    if (order.upward) scroller.current!.scrollTop = scroller.current!.scrollHeight;
  }, [order, flame, height]);
  useEffect(() => () => cancelAnimationFrame(pending.current), []);
  useLayoutEffect(() => {
    const box = scroller.current!;
    const watch = new ResizeObserver(() => setWidth(box.clientWidth));
    watch.observe(box);
    setWidth(box.clientWidth);
    return () => watch.disconnect();
  }, []);

  const zoomTo = (node: number) => {
    if (node === zoom) return;
    past.current.push(zoom);
    path.current = framesTo(flame, node);
    setZoom(node);
  };
  const back = () => {
    const last = past.current.pop() ?? 0;
    path.current = framesTo(flame, last);
    setZoom(last);
  };

  const at = (e: { clientX: number; clientY: number }) => {
    const box = scroller.current!.getBoundingClientRect();
    const y = e.clientY - box.top + scroller.current!.scrollTop;
    const depth = depthOf(flame, order, Math.floor(y / ROW));
    return depth < (order.rootless ? 1 : 0) ? -1 : nodeAt(flame, zoom, depth, (e.clientX - box.left) / width);
  };
  const move = (e: PointerEvent) => {
    const node = at(e);
    if (node !== hover.current) {
      hover.current = node;
      schedule();
    }
    showTip(tip.current!, scroller.current!, flame, node, e, say);
  };
  const leave = () => {
    hover.current = -1;
    tip.current!.hidden = true;
    schedule();
  };
  const key = (e: KeyboardEvent) => {
    const step = ({ ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" } as const)[e.key];
    if (step) {
      e.preventDefault();
      const turned = order.upward ? ({ up: "down", down: "up", left: "left", right: "right" } as const)[step] : step;
      const next = Math.max(order.rootless ? 1 : 0, focus < 0 ? zoom : neighbour(flame, focus, turned));
      setFocus(next);
      const top = rowOf(flame, order, flame.depth[next]!) * ROW;
      const box = scroller.current!;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    } else if (e.key === "Enter" && focus >= 0) {
      e.preventDefault();
      zoomTo(focus);
    } else if (e.key === " " && focus > 0) {
      e.preventDefault();
      onFunction?.(nameOf(flame, focus));
    } else if (e.key === "Escape") {
      if (zoom === 0 && past.current.length === 0) return;
      e.stopPropagation();
      back();
    } else if (e.key === "Home") {
      e.preventDefault();
      zoomTo(0);
    }
  };

  const spoken = useMemo(() => (focus < 0 ? "" : describe(flame, focus, say)), [flame, focus, say]);
  return (
    <div className={css.flame}>
      <div className={css.crumb} data-testid="flame-share">
        {zoom > 0 ? (
          <>
            <button type="button" className={css.back} onClick={() => zoomTo(0)}>
              All
            </button>
            <span aria-hidden>›</span>
            <span className={css.zoomed}>{nameOf(flame, zoom)}</span>
            <span className={css.value}>{describeShare(flame, zoom, say)}</span>
          </>
        ) : (
          <span className={css.value}>{describeShare(flame, 0, say)}</span>
        )}
      </div>
      <div
        ref={scroller}
        className={css.scroll}
        style={{ height }}
        role="application"
        aria-label={label}
        aria-describedby={help}
        tabIndex={0}
        onScroll={schedule}
        onPointerMove={move}
        onPointerLeave={leave}
        onKeyDown={key}
        onClick={(e) => {
          const node = at(e);
          if (node < 0) return;
          if (e.altKey || e.metaKey) onFunction?.(nameOf(flame, node));
          else zoomTo(node);
        }}
        onContextMenu={(e) => {
          const node = at(e);
          if (node <= 0 || !onFunction) return;
          e.preventDefault();
          onFunction(nameOf(flame, node));
        }}
        onDoubleClick={() => zoomTo(0)}
      >
        <div className={css.sticky}>
          <canvas ref={canvas} className={css.canvas} style={{ width, height }} />
        </div>
        <div style={{ height: Math.max(0, rows * ROW - height) }} />
      </div>
      <div ref={tip} className={css.tip} hidden />
      <p id={help} className="visually-hidden">
        Arrow keys move between calls, Enter zooms in, Space shows callers and callees, Escape goes back. The table below has the same numbers.
      </p>
      <div aria-live="polite" className="visually-hidden" data-testid="flame-spoken">
        {spoken}
      </div>
    </div>
  );
}

export function nameOf(f: Flame, node: number): string {
  const frame = f.frame[node]!;
  return frame < 0 ? "all" : f.frames[frame]!.function;
}

interface Saying {
  words: (v: number) => string;
  compare: (v: number) => string;
}

function describeShare(f: Flame, node: number, say: Saying): string {
  if (!f.baseTotal) return `${say.words(f.total[node]!)}, ${percent(f.total[node]! / (f.total[0] || 1))}`;
  const [now, was] = compared(f, node);
  return `${say.compare(now)}, before ${say.compare(was)} (${changeWords(now, was, say.compare)})`;
}

function compared(f: Flame, node: number): [number, number] {
  const [a, b] = sides(f);
  return [f.total[node]! * a, (f.baseTotal?.[node] ?? 0) * b];
}

function describe(f: Flame, node: number, say: Saying): string {
  return `${nameOf(f, node)}: ${describeShare(f, node, say)}, by itself ${say.words(f.self[node]!)}`;
}

function framesTo(f: Flame, node: number): number[] {
  const out: number[] = [];
  for (let at = node; at > 0; at = f.parent[at]!) out.unshift(f.frame[at]!);
  return out;
}

/** The node of another tree that is reached by the same calls; 0 if there is none. */
function samePath(old: Flame, next: Flame, frames: readonly number[]): number {
  let at = 0;
  for (const fr of frames) {
    const name = old.frames[fr]?.function;
    let found = -1;
    for (let c = at + 1; c < next.end[at]!; c = next.end[c]!) if (next.frames[next.frame[c]!]!.function === name) found = c;
    if (found < 0) return 0;
    at = found;
  }
  return at;
}

function showTip(el: HTMLDivElement, box: HTMLDivElement, f: Flame, node: number, e: { clientX: number; clientY: number }, say: Saying) {
  if (node < 0 || !project(f, node, 0)) {
    el.hidden = true;
    return;
  }
  const frame = f.frames[f.frame[node]!];
  const whole = f.total[0] || 1;
  const lines: string[] = [`${say.words(f.total[node]!)} · ${percent(f.total[node]! / whole)} with what it calls`, `${say.words(f.self[node]!)} · ${percent(f.self[node]! / whole)} by itself`];
  if (f.baseTotal) {
    const [now, was] = compared(f, node);
    lines.unshift(`now ${say.compare(now)}, before ${say.compare(was)}: ${changeWords(now, was, say.compare)}`);
  }
  if (frame?.file) lines.push(`${frame.file}${frame.line ? `:${frame.line}` : ""}`);
  el.replaceChildren(line("strong", nameOf(f, node)), ...lines.map((l) => line("div", l)));
  el.hidden = false;
  const outer = box.parentElement!.getBoundingClientRect();
  const x = e.clientX - outer.left;
  el.style.left = `${Math.max(4, Math.min(x + 14, outer.width - el.offsetWidth - 4))}px`;
  el.style.top = `${e.clientY - outer.top + 18}px`;
}

function line(tag: string, text: string): HTMLElement {
  const el = document.createElement(tag);
  el.textContent = text;
  return el;
}
