import { useState } from "react";
import type { Direction } from "@/lib/sort";

/** Sort state for a table inside a page: local, unlike a page's main table, whose order is in the URL. */
export function useSort(initial: string, direction: Direction = "desc") {
  const [state, set] = useState({ sort: initial, dir: direction });
  return { ...state, onSort: (sort: string, dir: Direction) => set({ sort, dir }) };
}
