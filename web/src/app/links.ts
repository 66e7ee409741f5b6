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

/** Spread into Link or given to navigate; its route lives in another folder, so the types are left open. */
export interface PageTarget {
  to: never;
  search: never;
}

/** For TanStack's Link and navigate: the traces page with a search. */
export function tracesSearch(q: string, range?: { from: string; to: string }): PageTarget {
  return { to: "/traces", search: { q: q || undefined, ...range } } as unknown as PageTarget;
}

export function logsSearch(q: string, range?: { from: string; to: string }): PageTarget {
  return { to: "/logs", search: { q: q || undefined, ...range } } as unknown as PageTarget;
}

/** A duration as the search language reads it: 1234567 → "1.23ms". */
export function durationText(ns: number): string {
  const [size, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : ns >= 1e3 ? [1e3, "us"] : [1, "ns"];
  return `${Number((ns / size).toPrecision(3))}${unit}`;
}

/** A path with its query, as the API gives it ("/traces/ab?span=cd"), for Link and navigate; null for anything that is not one of ours. */
export function pageOf(link: string): PageTarget | null {
  if (!/^\/(?![/\\])/.test(link)) return null;
  const url = new URL(link, "http://page");
  return { to: url.pathname, search: Object.fromEntries(url.searchParams) } as unknown as PageTarget;
}
