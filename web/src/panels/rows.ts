// What a panel has drawn, for those around it: to have it as a file.
import { createContext, useContext, useEffect } from "react";
import type { Range } from "@/api/types";
import { csv } from "@/lib/csv";

export interface Drawn {
  range: Range;
  lines: readonly { label: string; values: readonly (number | null)[] }[];
}

export const DrawnContext = createContext<{ current: Drawn | null } | null>(null);

/** Tells the frame what is drawn now. */
export function useDrawn(range: Range | undefined, lines: Drawn["lines"]): void {
  const sink = useContext(DrawnContext);
  useEffect(() => {
    if (!sink) return;
    sink.current = range && lines.length > 0 ? { range, lines } : null;
    return () => void (sink.current = null);
  }, [sink, range, lines]);
}

/** A row for each moment, a column for each line; of a moment alone a row for each line. */
export function drawnCsv({ range, lines }: Drawn): string {
  const points = Math.max(0, ...lines.map((l) => l.values.length));
  if (points <= 1) return csv(["series", "value"], lines.map((l) => [l.label, l.values[0] ?? null]));
  const time = (i: number) => new Date(range.from_ms + i * range.step_ms).toISOString();
  const all = Array.from({ length: points }, (_, i) => [time(i), ...lines.map((l) => l.values[i] ?? null)]);
  return csv(["time", ...lines.map((l) => l.label)], all.filter((row) => row.slice(1).some((v) => v !== null)));
}
