// The last searches of this browser, newest first, one list a signal. A reader's
// convenience, not part of what a link shows.
const MOST = 12;
const key = (signal: string) => `tidemark.recent.${signal}`;

export function recentSearches(signal: string): string[] {
  try {
    const v: unknown = JSON.parse(localStorage.getItem(key(signal)) ?? "[]");
    return Array.isArray(v) ? v.filter((x): x is string => typeof x === "string") : [];
  } catch {
    return [];
  }
}

/** The list with a search brought to its front. A search that only grew replaces what it grew from. */
export function withRecent(list: readonly string[], q: string): string[] {
  if (!q) return [...list];
  const rest = list.filter((old) => old !== q && !(list[0] === old && q.startsWith(old)));
  return [q, ...rest].slice(0, MOST);
}

export function remember(signal: string, q: string): void {
  try {
    localStorage.setItem(key(signal), JSON.stringify(withRecent(recentSearches(signal), q.trim())));
  } catch {
    // Private windows may refuse storage: there is then no list of recent searches.
  }
}
