import { ensureSyntaxTree } from "@codemirror/language";
import type { Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { Parser } from "@prometheus-io/codemirror-promql/dist/esm/parser";
import { mask } from "./mask";

const PARSE_MS = 500;
const language = new PromQLExtension().activateLinter(false).activateCompletion(false).asExtension();

/** What of an expression cannot be read, with variables taken for what they stand for. */
export function faults(text: string): Diagnostic[] {
  if (text.trim() === "") return [];
  const masked = EditorState.create({ doc: mask(text), extensions: [language] });
  ensureSyntaxTree(masked, text.length, PARSE_MS);
  const parser = new Parser(masked.update({}).state); // which takes the whole tree over
  parser.analyze();
  return parser.getDiagnostics();
}
