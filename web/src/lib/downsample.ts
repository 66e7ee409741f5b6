/**
 * Reduces columns to at most `max` buckets, keeping each bucket's extreme (the
 * value farthest from zero) so that a spike is never averaged away. A bucket of
 * nothing but gaps stays a gap.
 */
export function downsample(
  times: readonly number[],
  columns: readonly (readonly (number | null)[])[],
  max: number,
): { times: number[]; columns: (number | null)[][] } {
  if (times.length <= max) return { times: [...times], columns: columns.map((c) => [...c]) };
  const per = Math.ceil(times.length / max);
  const outTimes: number[] = [];
  const out: (number | null)[][] = columns.map(() => []);
  for (let start = 0; start < times.length; start += per) {
    const end = Math.min(times.length, start + per);
    outTimes.push(times[start]!);
    columns.forEach((column, c) => out[c]!.push(extreme(column, start, end)));
  }
  return { times: outTimes, columns: out };
}

function extreme(column: readonly (number | null)[], start: number, end: number): number | null {
  let best: number | null = null;
  for (let i = start; i < end; i++) {
    const v = column[i];
    if (v != null && (best === null || Math.abs(v) > Math.abs(best))) best = v;
  }
  return best;
}

/** Running totals from the first column up, for stacked charts. A gap counts as nothing. */
export function stack(columns: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const totals: number[] = new Array(columns[0]?.length ?? 0).fill(0);
  return columns.map((column) => column.map((v, i) => (totals[i] = totals[i]! + (v ?? 0))));
}
