import { ensureSyntaxTree } from "@codemirror/language";
import type { Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { Parser } from "@prometheus-io/codemirror-promql/dist/esm/parser";
import { parseFault } from "@/api/prom";
import { knownMetrics, MOST_KNOWN } from "./client";
import { mask } from "./mask";
import { closest, placeOf } from "./place";

const PARSE_MS = 500;
const language = new PromQLExtension().activateLinter(false).activateCompletion(false).asExtension();

/**
 * What of an expression cannot be read, with variables taken for what they stand for. The mode of the editor answers at
 * once but lets pass what is missing at the end; then the server's parser has the word. What can be read may still ask
 * for a metric that nobody sends.
 */
export async function faults(text: string): Promise<Diagnostic[]> {
  if (text.trim() === "") return [];
  const plain = mask(text);
  const masked = EditorState.create({ doc: plain, extensions: [language] });
  const tree = ensureSyntaxTree(masked, text.length, PARSE_MS);
  const parser = new Parser(masked.update({}).state); // which takes the whole tree over
  parser.analyze();
  const found = parser.getDiagnostics().filter((d) => d.to > d.from).map((d) => ({ ...d, message: inWords(d.message) }));
  if (found.length > 0) return found;
  const refused = await parseFault(plain).catch(() => null); // without an answer nothing is said
  if (refused) return [{ severity: "error", ...placeOf(refused, text) }];
  return tree ? unknown(text, plain, namesOf(tree, plain)) : [];
}

/** The types of PromQL as its manual names them. */
const inWords = (message: string) => message.replace(/\bvector\b/g, "instant vector").replace(/\bmatrix\b/g, "range vector");

type Tree = NonNullable<ReturnType<typeof ensureSyntaxTree>>;

/** The names of metrics in an expression and where they stand. */
function namesOf(tree: Tree, text: string): { name: string; from: number; to: number }[] {
  const out: { name: string; from: number; to: number }[] = [];
  tree.iterate({
    enter: (n) => {
      if (n.name === "Identifier" && n.node.parent?.name === "VectorSelector") out.push({ name: text.slice(n.from, n.to), from: n.from, to: n.to });
    },
  });
  return out;
}

async function unknown(text: string, plain: string, names: ReturnType<typeof namesOf>): Promise<Diagnostic[]> {
  // What stands for a variable may be any name.
  const own = names.filter((n) => text.slice(n.from, n.to) === plain.slice(n.from, n.to));
  const known = await knownMetrics().catch(() => []);
  if (known.length === 0 || known.length >= MOST_KNOWN) return [];
  const all = new Set(known.map((k) => k.name));
  return own
    .filter((n) => !all.has(n.name))
    .map((n) => {
      const meant = closest(n.name, [...all]);
      return { severity: "info" as const, from: n.from, to: n.to, message: `No metric named ${n.name} is known${meant ? `: ${meant}?` : ""}` };
    });
}
