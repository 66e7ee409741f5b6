// The part of the URL that every page shares: what a colleague needs to see the
// same thing. All values are plain strings in the query; pages add their own.
import { DEFAULT_RANGE } from "@/lib/time";

export interface GlobalSearch {
  from?: string;
  to?: string;
  /** deployment.environment.name; absent means all. */
  env?: string;
  /** "0" while paused; absent means live. */
  live?: "0";
  /** "utc", absent means the browser's zone. */
  tz?: "utc";
}

export const GLOBAL_KEYS = ["from", "to", "env", "live", "tz"] as const satisfies readonly (keyof GlobalSearch)[];

/** Reads one text parameter; everything in the query arrives as a string. */
export function text(search: Record<string, unknown>, key: string): string | undefined {
  const v = search[key];
  return typeof v === "string" && v !== "" ? v : undefined;
}

/** Reads one of a few words; anything else is absent. */
export function oneOf<T extends string>(search: Record<string, unknown>, key: string, words: readonly T[]): T | undefined {
  const v = search[key];
  return words.find((w) => w === v);
}

export function validateGlobal(search: Record<string, unknown>): GlobalSearch {
  const out: GlobalSearch = {};
  const from = text(search, "from");
  const to = text(search, "to");
  if (from && (from !== DEFAULT_RANGE.from || (to && to !== DEFAULT_RANGE.to))) {
    out.from = from;
    out.to = to ?? "now";
  }
  const env = text(search, "env");
  if (env) out.env = env;
  if (search.live === "0") out.live = "0";
  if (search.tz === "utc") out.tz = "utc";
  return out;
}

/** Query string → plain strings. The last of a repeated key wins. */
export function parseSearch(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

/** Strings, numbers and booleans → query string; absent and empty values are left out. */
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    params.set(key, String(value));
  }
  // These read better as themselves and are safe in a query.
  const q = params.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3E", ">");
  return q ? `?${q}` : "";
}
