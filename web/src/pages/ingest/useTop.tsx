import { type ReactNode, useMemo, useState } from "react";
import { type Direction, sortBy } from "@/lib/sort";
import type { Column } from "@/ui/Table";
import css from "./Page.module.css";

const SHOWN = 10;

/** The first rows of a table in the order that it has, so that the page stays one to look over; the rest on demand. */
export function useTop<T>(rows: readonly T[], columns: readonly Column<T>[], order: { sort: string; dir: Direction }): { rows: readonly T[]; more: ReactNode } {
  const [all, setAll] = useState(false);
  const shown = useMemo(() => {
    if (all || rows.length <= SHOWN) return rows;
    const by = columns.find((c) => c.id === order.sort)?.sort;
    return (by ? sortBy(rows, by, order.dir) : rows).slice(0, SHOWN);
  }, [all, rows, columns, order.sort, order.dir]);
  const more = rows.length > SHOWN && (
    <button type="button" className={css.more} aria-expanded={all} onClick={() => setAll(!all)}>
      {all ? `Show the first ${SHOWN}` : `Show all ${rows.length}`}
    </button>
  );
  return { rows: shown, more };
}
