// The grid of a dashboard: 24 columns, rows of a fixed height. Panels never overlap: one that is moved or grows pushes
// what is below it down, and everything then rises as far as it can. Pure; the page paints what comes out.
import type { Panel } from "@/api/dashboards";

export const COLUMNS = 24;
/** Pixels of one row with the gap below it. */
export const ROW_PX = 38;
export const GAP_PX = 8;

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export const boxOf = (p: Box): Box => ({ x: p.x, y: p.y, w: p.w, h: p.h });

export function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Keeps a box on the grid. */
export function bounded(b: Box): Box {
  const w = Math.min(COLUMNS, Math.max(1, Math.round(b.w)));
  return { w, h: Math.min(100, Math.max(1, Math.round(b.h))), x: Math.min(COLUMNS - w, Math.max(0, Math.round(b.x))), y: Math.max(0, Math.round(b.y)) };
}

const inOrder = <T extends Box>(boxes: readonly T[]): T[] => [...boxes].sort((a, b) => a.y - b.y || a.x - b.x);

/** Every box as far up as those before it allow. The one held keeps its row unless there is nothing above. */
export function compact<T extends Box & { id: string }>(boxes: readonly T[]): T[] {
  const placed: T[] = [];
  for (const box of inOrder(boxes)) {
    let y = box.y;
    while (y > 0 && !placed.some((p) => overlap(p, { ...box, y: y - 1 }))) y--;
    while (placed.some((p) => overlap(p, { ...box, y }))) y++;
    placed.push(y === box.y ? box : { ...box, y });
  }
  const byId = new Map(placed.map((p) => [p.id, p]));
  return boxes.map((b) => byId.get(b.id)!);
}

/** Gives one box another place or size; others make room below it. */
export function place<T extends Box & { id: string }>(boxes: readonly T[], id: string, to: Box): T[] {
  const box = bounded(to);
  const moved = boxes.find((b) => b.id === id);
  if (!moved) return [...boxes];
  const held: T = { ...moved, ...box };
  const settled: T[] = [held];
  for (const b of inOrder(boxes.filter((b) => b.id !== id))) {
    let y = b.y;
    // The whole column of what is in the way is skipped at once.
    for (let hit = blocker(settled, b, y); hit; hit = blocker(settled, b, y)) y = hit.y + hit.h;
    settled.push(y === b.y ? b : { ...b, y });
  }
  const byId = new Map(settled.map((s) => [s.id, s]));
  return compact(boxes.map((b) => byId.get(b.id)!));
}

const blocker = <T extends Box>(settled: readonly T[], b: Box, y: number) => settled.find((s) => overlap(s, { ...b, y }));

/** Where a new box of a size goes: the first gap from the top. */
export function freePlace(boxes: readonly Box[], w: number, h: number): Box {
  for (let y = 0; ; y++) {
    for (let x = 0; x + w <= COLUMNS; x++) {
      const box = { x, y, w, h };
      if (!boxes.some((b) => overlap(b, box))) return box;
    }
  }
}

export const heightOf = (boxes: readonly Box[]): number => boxes.reduce((most, b) => Math.max(most, b.y + b.h), 0);

/** What a panel that cannot get narrower is at least. */
export const LEAST = { w: 2, h: 2 } as const;

/** The panels that a collapsed row hides: those between it and the next row. */
export function hiddenByRows(panels: readonly Panel[]): Set<string> {
  const hidden = new Set<string>();
  let collapsed = false;
  for (const p of inOrder(panels)) {
    if (p.type === "row") collapsed = p.collapsed;
    else if (collapsed) hidden.add(p.id);
  }
  return hidden;
}

/** What is drawn: without what collapsed rows hide, everything risen into the room they leave. */
export function visible<T extends Panel>(panels: readonly T[]): T[] {
  const hidden = hiddenByRows(panels);
  return compact(panels.filter((p) => !hidden.has(p.id)));
}
