// What the search line offers under the caret: keys and values the store has
// seen, and recent searches while the line is empty.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get } from "@/api/client";
import type { FieldsAnswer, FieldValuesAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { format } from "@/lib/format";
import { recentSearches } from "@/lib/recent";
import type { Completion } from "@/lib/searchlang";

export type Signal = "traces" | "logs" | "metrics";

export interface Suggestion {
  kind: "key" | "value" | "recent";
  /** What is shown. */
  label: string;
  /** What is put in the place of what is being written. */
  insert: string;
  detail: string;
}

const MOST = 50;
const KEY_LIFE_MS = 60_000;

const quoted = (v: string) => (/^[\w.\-/]+$/.test(v) ? v : `"${v.replace(/["\\]/g, "\\$&")}"`);

/** How a key is joined to its value: "duration>" reads better than "duration:", which would mean equality. */
function joint(operators: readonly string[]): string {
  return operators.some((o) => o.includes(">")) && !operators.some((o) => o === ":" || o === "=") ? ">" : ":";
}

// These take any number, so that no list of seen values could be complete.
const EXAMPLES: Record<string, readonly string[]> = {
  duration: ["100ms", "500ms", "1s", "5s"],
  root: ["true", "false"],
};

export function useSuggestions(signal: Signal, c: Completion | null, text: string): Suggestion[] {
  const { range } = useScope();
  const wantsKey = c?.kind === "key";
  const wantsValue = c?.kind === "value" && c.key !== "has" && !EXAMPLES[c.key ?? ""];
  const keyPrefix = c?.kind === "key" || c?.key === "has" ? c.prefix : "";
  const keys = useQuery({
    queryKey: ["/fields", signal, keyPrefix],
    queryFn: ({ signal: abort }) => get<FieldsAnswer>("/fields", { signal, q: keyPrefix }, abort),
    enabled: wantsKey || c?.key === "has",
    staleTime: KEY_LIFE_MS,
    placeholderData: keepPreviousData,
  });
  const values = useQuery({
    queryKey: ["/fields/values", signal, c?.key, c?.prefix, range.from, range.to],
    queryFn: ({ signal: abort }) => get<FieldValuesAnswer>("/fields/values", { signal, key: c!.key!, q: c!.prefix, from: range.from, to: range.to }, abort),
    enabled: wantsValue,
    staleTime: KEY_LIFE_MS,
    placeholderData: (old, query) => (query?.queryKey[2] === c?.key ? old : undefined),
  });
  if (!c) return [];
  if (c.kind === "value" && EXAMPLES[c.key!]) return EXAMPLES[c.key!]!.filter((v) => v.startsWith(c.prefix)).map((v) => ({ kind: "value", label: v, insert: v, detail: "" }));
  if (wantsValue) return (values.data?.values ?? []).filter((v) => matches(v.value, c.prefix)).slice(0, MOST).map((v) => ({ kind: "value", label: v.value, insert: quoted(v.value), detail: v.count ? format(v.count) : "" }));
  const recent: Suggestion[] = text.trim() ? [] : recentSearches(signal).slice(0, 5).map((q) => ({ kind: "recent", label: q, insert: q, detail: "recent" }));
  const fields = (keys.data?.fields ?? []).filter((f) => matches(f.key, keyPrefix));
  return [
    ...recent,
    ...fields.slice(0, MOST).map((f): Suggestion => ({ kind: c.kind, label: f.key, insert: c.kind === "value" ? f.key : f.key + joint(f.operators), detail: f.kind === "builtin" ? f.description : f.kind })),
  ];
}

// The server answers by prefix; an older answer stays while the next one comes and is narrowed here.
const matches = (value: string, prefix: string) => value.toLowerCase().includes(prefix.toLowerCase().replaceAll("*", ""));
