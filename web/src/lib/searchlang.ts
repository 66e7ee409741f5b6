// The search language as text: tokens for highlighting, what is being completed
// under the caret, and adding or taking away terms. The server parses for real;
// this only has to agree on where words, keys, operators and quotes lie.

export type TokenKind = "key" | "op" | "value" | "string" | "word" | "or" | "not" | "paren" | "space";

export interface Token {
  kind: TokenKind;
  from: number;
  to: number;
  text: string;
}

const KEY = /[A-Za-z_@][\w.@\-/]*/y;
const OP = /:?(?:>=|<=|!=)|:?[=<>]|!:|:/y;
const BARE = /[^\s()"]+/y;

function match(re: RegExp, text: string, at: number): string | null {
  re.lastIndex = at;
  return re.exec(text)?.[0] ?? null;
}

/** The end of the quoted string that starts at `from`, past its closing quote; the text's end when it is not closed. */
function quoteEnd(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** Covers the text without a gap: the tokens' texts joined are the text. */
export function tokenize(text: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  const push = (kind: TokenKind, to: number) => {
    out.push({ kind, from: at, to, text: text.slice(at, to) });
    at = to;
  };
  while (at < text.length) {
    const c = text[at]!;
    if (/\s/.test(c)) {
      let to = at + 1;
      while (to < text.length && /\s/.test(text[to]!)) to++;
      push("space", to);
    } else if (c === "(" || c === ")") push("paren", at + 1);
    else if (c === "-" && at + 1 < text.length && /[\w"(@]/.test(text[at + 1]!) && (at === 0 || /[\s(]/.test(text[at - 1]!))) push("not", at + 1);
    else if (c === '"') push("string", quoteEnd(text, at));
    else termAt(text, at, push);
  }
  return out;
}

function termAt(text: string, at: number, push: (kind: TokenKind, to: number) => void) {
  const key = match(KEY, text, at);
  const op = key === null ? null : match(OP, text, at + key.length);
  if (key !== null && op !== null) {
    push("key", at + key.length);
    push("op", at + key.length + op.length);
    const from = at + key.length + op.length;
    if (text[from] === '"') push("string", quoteEnd(text, from));
    else {
      const value = match(BARE, text, from);
      if (value) push("value", from + value.length);
    }
    return;
  }
  const bare = match(BARE, text, at) ?? text[at]!;
  push(bare === "OR" || bare === "AND" || bare === "NOT" ? "or" : "word", at + bare.length);
}

export interface Completion {
  kind: "key" | "value";
  /** The key whose value is being written. */
  key?: string;
  op?: string;
  /** What is written so far, without quotes. */
  prefix: string;
  /** What a choice replaces. */
  from: number;
  to: number;
}

/** What could be completed with the caret at `caret`. A key is offered in an empty place too; free text in quotes completes nothing. */
export function completionAt(text: string, caret: number): Completion | null {
  const tokens = tokenize(text);
  const i = tokens.findIndex((t) => caret > t.from && caret <= t.to);
  const t = tokens[i];
  if (!t || t.kind === "space" || t.kind === "paren" || t.kind === "not") return { kind: "key", prefix: "", from: caret, to: caret };
  if (t.kind === "op") {
    const value = tokens[i + 1];
    const touching = value && (value.kind === "value" || value.kind === "string");
    return { kind: "value", key: tokens[i - 1]!.text, op: t.text, prefix: "", from: caret, to: touching ? value.to : caret };
  }
  if (t.kind === "value" || (t.kind === "string" && tokens[i - 1]?.kind === "op")) {
    const written = text.slice(t.from, caret);
    return { kind: "value", key: tokens[i - 2]!.text, op: tokens[i - 1]!.text, prefix: unquote(written), from: t.from, to: t.to };
  }
  if (t.kind === "string" || t.kind === "or") return null;
  return { kind: "key", prefix: text.slice(t.from, caret), from: t.from, to: t.to };
}

/** Lenient: the closing quote may not be there yet. */
export function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1).replace(/(?<!\\)"$/, "").replace(/\\(["\\])/g, "$1");
}

/** One condition as written, with its place in the text. */
export interface Term {
  text: string;
  from: number;
  to: number;
  negated: boolean;
  key?: string;
  value?: string;
}

export function termsOf(text: string): Term[] {
  const tokens = tokenize(text);
  const out: Term[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const t = tokens[i]!;
    if (t.kind !== "key" && t.kind !== "word" && t.kind !== "string") continue;
    const negated = tokens[i - 1]?.kind === "not";
    const from = negated ? tokens[i - 1]!.from : t.from;
    if (t.kind !== "key") {
      out.push({ text: text.slice(from, t.to), from, to: t.to, negated });
      continue;
    }
    const value = tokens[i + 2];
    const has = value && (value.kind === "value" || value.kind === "string") && value.from === tokens[i + 1]!.to;
    const to = has ? value.to : tokens[i + 1]!.to;
    const plain = tokens[i + 1]!.text === ":" || tokens[i + 1]!.text === "=";
    out.push({ text: text.slice(from, to), from, to, negated, ...(plain ? { key: t.text, value: has ? unquote(value.text) : "" } : {}) });
    i += has ? 2 : 1;
  }
  return out;
}

const find = (q: string, term: string): Term | undefined => {
  const wanted = termsOf(term)[0];
  return termsOf(q).find((t) => t.text === term || (wanted?.key !== undefined && t.negated === wanted.negated && t.key === wanted.key && t.value === wanted.value));
};

/** The values a search asks of a key: those of its terms that are not negated. */
export const valuesOf = (q: string, key: string): string[] => termsOf(q).flatMap((t) => (t.key === key && t.value && !t.negated ? [t.value] : []));

export const hasTerm = (q: string, term: string): boolean => find(q, term) !== undefined;

/** Narrows further. An alternative at the top is put in brackets, or the new term would belong to its last part alone. */
export function addTerm(q: string, term: string): string {
  const text = q.trim();
  if (!text) return term;
  if (hasTerm(text, term)) return text;
  return `${topLevelOr(text) ? `(${text})` : text} ${term}`;
}

function topLevelOr(text: string): boolean {
  let depth = 0;
  for (const t of tokenize(text)) {
    if (t.kind === "paren") depth += t.text === "(" ? 1 : -1;
    if (t.kind === "or" && t.text === "OR" && depth <= 0) return true;
  }
  return false;
}

export function removeTerm(q: string, term: string): string {
  const t = find(q, term);
  return t ? tidy(q.slice(0, t.from) + q.slice(t.to)) : q.trim();
}

// What a taken term leaves behind: double spaces, empty brackets, a dangling OR.
function tidy(q: string): string {
  let text = q;
  for (let before = ""; before !== text; ) {
    before = text;
    const tokens = tokenize(text).filter((t) => t.kind !== "space");
    const bad = tokens.findIndex((t, i) => {
      const prev = tokens[i - 1];
      const next = tokens[i + 1];
      if (t.kind === "or" && t.text === "NOT") return !next || next.kind === "or" || next.text === ")";
      if (t.kind === "or") return !prev || !next || prev.kind === "or" || prev.text === "(" || next.text === ")";
      return t.text === "(" && t.kind === "paren" && next?.text === ")" && next.kind === "paren";
    });
    if (bad < 0) break;
    const t = tokens[bad]!;
    const to = t.kind === "paren" ? tokens[bad + 1]!.to : t.to;
    text = text.slice(0, t.from) + text.slice(to);
  }
  return tokenize(text).map((t) => (t.kind === "space" ? " " : t.text)).join("").trim();
}

export const negate = (term: string): string => (term.startsWith("-") ? term.slice(1) : `-${term}`);

/** Adds the term, or takes it away when it is there; its opposite goes in any case. */
export function toggleTerm(q: string, term: string): string {
  if (hasTerm(q, term)) return removeTerm(q, term);
  return addTerm(removeTerm(q, negate(term)), term);
}

/** The query narrowed to an environment, and by how much positions in it moved. */
export function withEnv(q: string, env: string | undefined): { q: string; shift: number } {
  if (!env) return { q, shift: 0 };
  const term = /^[\w.\-/]+$/.test(env) ? `env:${env}` : `env:"${env.replace(/["\\]/g, "\\$&")}"`;
  const text = addTerm(q, term);
  return { q: text, shift: q.trim() && text.startsWith("(") && !q.trim().startsWith("(") ? 1 : 0 };
}

/** Where an answer says the query went wrong ("at 12: …", in bytes), as an index into the text. Null when it names no place. */
export function errorPosition(detail: string | undefined, text: string): number | null {
  const m = /\bat (?:byte |position |offset )?(\d+)\b/i.exec(detail ?? "");
  return m ? new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, Number(m[1]))).length : null;
}

/** The reason without its place, which the underline shows. */
export const errorReason = (detail: string): string => detail.replace(/^.*?\bat (?:byte |position |offset )?\d+:\s*/i, "");

/** The piece to underline: the token at the position, or the last one when it is past the end. */
export function errorSpan(text: string, position: number): { from: number; to: number } | null {
  const tokens = tokenize(text).filter((t) => t.kind !== "space");
  const t = tokens.find((x) => position < x.to) ?? tokens.at(-1);
  return t ? { from: Math.min(Math.max(position, t.from), t.to - 1), to: t.to } : null;
}
