// Links between pages that carry a filter. Traces and logs share one search
// language: terms joined by a space, values quoted when they need it.

/** `key:value`, quoted when the value would not read as one word. */
export function term(key: string, value: string): string {
  return /^[\w.\-/]+$/.test(value) ? `${key}:${value}` : `${key}:"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** Joins terms, leaving out the absent ones. */
export function query(...terms: (string | undefined | false)[]): string {
  return terms.filter(Boolean).join(" ");
}

/** Search parameters for a page, with a window of `steps` chart steps around a moment. */
export function around(atMs: number, stepMs: number, steps = 3): { from: string; to: string } {
  const half = Math.max(stepMs * steps, 30_000);
  return { from: String(Math.round(atMs - half)), to: String(Math.round(atMs + half)) };
}

/** For TanStack's Link and navigate: the traces page with a search. */
export function tracesSearch(q: string, range?: { from: string; to: string }): { to: "/traces"; search: object } {
  return { to: "/traces", search: { q: q || undefined, ...range } };
}

export function logsSearch(q: string, range?: { from: string; to: string }): { to: "/logs"; search: object } {
  return { to: "/logs", search: { q: q || undefined, ...range } };
}
