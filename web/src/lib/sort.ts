export type Direction = "asc" | "desc";

/** A sorted copy. Missing values come last in both directions; equal ones keep their order. */
export function sortBy<T>(rows: readonly T[], value: (row: T) => number | string | null | undefined, dir: Direction): T[] {
  const sign = dir === "asc" ? 1 : -1;
  return rows
    .map((row, i) => ({ row, i, v: value(row) }))
    .sort((a, b) => {
      if (a.v == null || b.v == null) return a.v == null && b.v == null ? a.i - b.i : a.v == null ? 1 : -1;
      if (typeof a.v === "number" && typeof b.v === "number") return sign * (a.v - b.v) || a.i - b.i;
      return sign * String(a.v).localeCompare(String(b.v), "en", { numeric: true }) || a.i - b.i;
    })
    .map((x) => x.row);
}

/** Groups in order of first appearance. */
export function groupBy<T>(rows: readonly T[], key: (row: T) => string): { key: string; rows: T[] }[] {
  const out = new Map<string, T[]>();
  for (const row of rows) {
    const k = key(row);
    const list = out.get(k);
    if (list) list.push(row);
    else out.set(k, [row]);
  }
  return [...out].map(([k, list]) => ({ key: k, rows: list }));
}
