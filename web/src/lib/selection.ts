// A rectangle on the latency heatmap as one URL parameter: "from_to_min_max",
// milliseconds and nanoseconds.
export interface Selection {
  fromMs: number;
  toMs: number;
  minNs: number;
  maxNs: number;
}

export function encodeSelection(s: Selection): string {
  return [s.fromMs, s.toMs, s.minNs, s.maxNs].map(Math.round).join("_");
}

/** Null when the text is no rectangle with some area. */
export function decodeSelection(text: string | undefined): Selection | null {
  const m = /^(\d{1,16})_(\d{1,16})_(\d{1,18})_(\d{1,18})$/.exec(text ?? "");
  if (!m) return null;
  const [fromMs, toMs, minNs, maxNs] = m.slice(1).map(Number) as [number, number, number, number];
  return fromMs < toMs && minNs < maxNs ? { fromMs, toMs, minNs, maxNs } : null;
}
