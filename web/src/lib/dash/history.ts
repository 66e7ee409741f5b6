// Undo and redo of a document under edit. Steps that follow each other within a moment and touch the same thing (a
// drag, typing in one field) are one.
export interface History<T> {
  past: readonly T[];
  now: T;
  future: readonly T[];
  /** What the newest step touched, and when. */
  touched: string;
  at: number;
}

const MOST = 100;
const SAME_MS = 800;

export const historyOf = <T>(now: T): History<T> => ({ past: [], now, future: [], touched: "", at: 0 });

export function changed<T>(h: History<T>, now: T, touched: string, at: number): History<T> {
  if (now === h.now) return h;
  const joins = touched !== "" && touched === h.touched && at - h.at < SAME_MS && h.past.length > 0;
  return { past: joins ? h.past : [...h.past.slice(-MOST + 1), h.now], now, future: [], touched, at };
}

export function undone<T>(h: History<T>): History<T> {
  const before = h.past.at(-1);
  return before === undefined ? h : { past: h.past.slice(0, -1), now: before, future: [h.now, ...h.future], touched: "", at: 0 };
}

export function redone<T>(h: History<T>): History<T> {
  const [next, ...rest] = h.future;
  return next === undefined ? h : { past: [...h.past, h.now], now: next, future: rest, touched: "", at: 0 };
}
