/** Running totals from the first column up, for stacked charts. A gap counts as nothing. */
export function stack(columns: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const totals: number[] = new Array(columns[0]?.length ?? 0).fill(0);
  return columns.map((column) => column.map((v, i) => (totals[i] = totals[i]! + (v ?? 0))));
}
