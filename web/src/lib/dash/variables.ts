// Variables of a dashboard: what is chosen, and how it is written into queries, texts and links. As Grafana does it,
// so that imported queries mean the same: $name, ${name}, ${name:format}.
import type { Panel, Variable } from "@/api/dashboards";

export const ALL = "$__all";

/** Chosen values by variable; ALL stands for every option. */
export type Choices = Readonly<Record<string, readonly string[]>>;

export type Format = "regex" | "pipe" | "csv" | "raw" | "text" | "queryparam";

const escapeRegex = (s: string) => s.replace(/[\\^$*+?.()|[\]{}/]/g, "\\$&");
/** Inside a PromQL string a backslash is written twice. */
const escapeForPromQL = (s: string) => escapeRegex(s).replace(/\\/g, "\\\\");

export interface Resolved {
  variable: Variable;
  /** What can be chosen. */
  options: readonly string[];
  /** What is chosen, ALL included. */
  chosen: readonly string[];
}

/** The values chosen, ALL spelled out. */
export function valuesOf(r: Resolved): readonly string[] {
  return r.chosen.includes(ALL) ? r.options : r.chosen;
}

/** How a choice is written, for queries by default as a regular expression that =~ takes. */
export function written(r: Resolved, format: Format): string {
  if (r.chosen.includes(ALL)) {
    if (format === "text") return "All";
    if (r.variable.all_value) return r.variable.all_value;
    if (format === "regex" && r.options.length === 0) return ".*";
  }
  const values = valuesOf(r);
  const many = values.length > 1;
  switch (format) {
    case "regex":
      if (!r.variable.multi && !r.variable.include_all) return values[0] ?? "";
      return many ? `(${values.map(escapeForPromQL).join("|")})` : values.map(escapeForPromQL).join("");
    case "pipe":
      return values.join("|");
    case "csv":
    case "raw":
      return values.join(",");
    case "queryparam":
      return values.map((v) => `var-${r.variable.name}=${encodeURIComponent(v)}`).join("&");
    case "text":
      return values.join(" + ");
  }
}

const FORMATS: readonly string[] = ["regex", "pipe", "csv", "raw", "text", "queryparam"];
const REFERENCE = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}/g;

/** Replaces $name by what is chosen. Names that are no variable stay: $__rate_interval is the server's. */
export function interpolate(text: string, by: ReadonlyMap<string, Resolved>, format: Format): string {
  if (!text.includes("$")) return text;
  return text.replace(REFERENCE, (whole, plain: string | undefined, braced: string | undefined, wanted: string | undefined) => {
    const r = by.get(plain ?? braced ?? "");
    if (!r) return whole;
    return written(r, wanted && FORMATS.includes(wanted) ? (wanted as Format) : format);
  });
}

/** The names that a text refers to. */
export function references(text: string): Set<string> {
  return new Set([...text.matchAll(REFERENCE)].map((m) => m[1] ?? m[2] ?? ""));
}

export interface VariableQuestion {
  kind: "label_values" | "label_names" | "metrics" | "query_result";
  metric: string;
  label: string;
}

/** Reads label_values(metric{…}, label), label_values(label), label_names(), metrics(pattern), query_result(expr). */
export function parseQuestion(query: string): VariableQuestion | null {
  const m = /^\s*(label_values|label_names|metrics|query_result)\s*\(([\s\S]*)\)\s*$/.exec(query);
  if (!m) return null;
  const kind = m[1] as VariableQuestion["kind"];
  const inner = m[2]!.trim();
  if (kind === "label_values") {
    const split = /^([\s\S]*),\s*([\w.]+|"[^"]+")\s*$/.exec(inner);
    const label = (split ? split[2]! : inner).replace(/^"|"$/g, "");
    return label ? { kind, metric: split ? split[1]!.trim() : "", label } : null;
  }
  return { kind, metric: inner, label: "" };
}

/** Narrows values by a regular expression; its first group, or the one named value, is what counts. Unreadable ones narrow nothing. */
export function narrowed(values: readonly string[], regex: string): string[] {
  if (!regex) return [...values];
  let re: RegExp;
  try {
    re = new RegExp(regex);
  } catch {
    return [...values];
  }
  const out = new Set<string>();
  for (const v of values) {
    const m = re.exec(v);
    if (m) out.add(m.groups?.value ?? m[1] ?? m[0]);
  }
  return [...out];
}

/** What is chosen: as the address says, else as the dashboard was saved, as far as it exists. */
export function choose(v: Variable, options: readonly string[] | undefined, asked: readonly string[] | undefined): readonly string[] {
  if (v.kind === "constant") return v.current.slice(0, 1);
  if (v.kind === "text") return (asked ?? v.current).slice(0, 1);
  const wanted = asked && asked.length > 0 ? asked : v.current;
  if (!options) return wanted;
  const known = wanted.filter((w) => (w === ALL ? v.include_all : options.includes(w)));
  if (asked && asked.length > 0 && known.length === 0) return wanted; // a link may name what has gone
  if (known.length > 0) return v.multi ? known : known.slice(0, 1);
  if (v.include_all) return [ALL];
  return options.slice(0, 1);
}

/** After picking or unpicking one option of several: All stands alone, and nothing chosen is All where there is one. */
export function toggled(v: Variable, chosen: readonly string[], option: string): readonly string[] {
  if (!v.multi || option === ALL) return [option];
  const others = chosen.filter((c) => c !== ALL && c !== option);
  const next = chosen.includes(option) ? others : [...others, option];
  return next.length > 0 ? next : v.include_all ? [ALL] : chosen;
}

/** A panel that is repeated by a variable, once for each value chosen; side by side where the row has room. */
export function repeated(panels: readonly Panel[], by: ReadonlyMap<string, Resolved>): (Panel & { scoped?: Choices })[] {
  const out: (Panel & { scoped?: Choices })[] = [];
  // What repetitions add above pushes everything below them down.
  let pushed = 0;
  for (const p of [...panels].sort((a, b) => a.y - b.y || a.x - b.x)) {
    const r = p.repeat ? by.get(p.repeat) : undefined;
    const values = r ? valuesOf(r) : [];
    if (!r || values.length === 0 || p.type === "row") {
      out.push(pushed ? { ...p, y: p.y + pushed } : p);
      continue;
    }
    const across = Math.max(1, Math.floor(24 / p.w));
    values.slice(0, MOST_REPEATS).forEach((value, i) => {
      const x = values.length > 1 ? (i % across) * p.w : p.x;
      out.push({ ...p, id: i === 0 ? p.id : `${p.id}-${i}`, x, y: p.y + pushed + Math.floor(i / across) * p.h, scoped: { [p.repeat]: [value] } });
    });
    pushed += (Math.ceil(Math.min(values.length, MOST_REPEATS) / across) - 1) * p.h;
  }
  return out;
}

const MOST_REPEATS = 40;
