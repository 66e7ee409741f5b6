import { useQueries, useQueryClient } from "@tanstack/react-query";
import type { Variable } from "@/api/dashboards";
import { instant, labelNames, labelValues } from "@/api/prom";
import { useScope } from "@/app/range";
import { choose, interpolate, narrowed, parseQuestion, type Resolved } from "@/lib/dash/variables";
import type { Range } from "@/lib/time";

export interface Variables {
  by: ReadonlyMap<string, Resolved>;
  /** Names whose values are not known yet. */
  waiting: ReadonlySet<string>;
  /** What could not be asked, by name. */
  faults: ReadonlyMap<string, string>;
}

const MOST_OPTIONS = 1000;
const FRESH_MS = 60_000;

async function optionsOf(query: string, range: Range, signal?: AbortSignal): Promise<string[]> {
  const q = parseQuestion(query);
  if (!q) throw new Error("asks nothing: write label_values(metric, label), label_names(), metrics(pattern) or query_result(expression)");
  switch (q.kind) {
    case "label_values":
      return labelValues(q.label, q.metric, range, signal);
    case "label_names":
      return labelNames(q.metric, range, signal);
    case "metrics": {
      const pattern = new RegExp(q.metric || ".*");
      return (await labelValues("__name__", "", range, signal)).filter((n) => pattern.test(n));
    }
    case "query_result": {
      const { result } = await instant(q.metric, range, signal);
      return result.map(({ metric: { __name__: name = "", ...labels }, value }) => `${name}{${Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(", ")}} ${value?.[1] ?? ""}`.trim());
    }
  }
}

/**
 * What can be chosen and what is chosen. A variable may use those before it: each is asked for once what it depends on
 * is known, so the plan is made anew at every answer.
 */
export function useVariables(variables: readonly Variable[], asked: Readonly<Record<string, readonly string[]>>): Variables {
  const { range } = useScope();
  const client = useQueryClient();
  const by = new Map<string, Resolved>();
  const waiting = new Set<string>();
  const faults = new Map<string, string>();
  const questions: { name: string; key: readonly unknown[]; query: string }[] = [];
  for (const v of variables) {
    let options: readonly string[] | undefined = v.options;
    if (v.kind === "query") {
      const query = interpolate(v.query, by, "regex");
      const depends = [...waiting].some((name) => v.query.includes(name));
      const key = ["variable", query, range.from, range.to];
      if (!depends) questions.push({ name: v.name, key, query });
      const found = depends ? undefined : client.getQueryData<string[]>(key);
      options = found && narrowed(found, v.regex).slice(0, MOST_OPTIONS);
    }
    const chosen = choose(v, options, asked[v.name]);
    if (options === undefined && (chosen.length === 0 || (chosen[0] === "$__all" && v.all_value === ""))) waiting.add(v.name);
    by.set(v.name, { variable: v, options: options ?? [], chosen });
  }
  const results = useQueries({
    queries: questions.map((q) => ({ queryKey: q.key, queryFn: ({ signal }: { signal: AbortSignal }) => optionsOf(q.query, range, signal), staleTime: FRESH_MS, retry: 1 })),
  });
  results.forEach((r, i) => {
    const { name } = questions[i]!;
    if (r.error && !r.data) {
      faults.set(name, r.error instanceof Error ? r.error.message : "could not be asked");
      waiting.delete(name); // the panels say what is wrong with their queries better than waiting would
    }
  });
  return { by, waiting, faults };
}
