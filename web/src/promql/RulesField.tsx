// An editor of rule files: YAML with PromQL in it, squiggles where the server says that it cannot be read.
import { useEffect } from "react";
import { autocompletion, closeBrackets, closeBracketsKeymap, type CompletionContext, completionKeymap, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintKeymap, setDiagnostics } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers, tooltips } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { aggregateOpTerms, functionIdentifierTerms } from "@prometheus-io/codemirror-promql/dist/esm/complete/promql.terms";
import type { RuleProblem } from "@/api/rulefiles";
import { offsets } from "@/lib/rulefiles";
import { knownMetrics } from "./client";
import { useEditor } from "./useEditor";
import css from "./PromField.module.css";

interface Props {
  label: string;
  value: string;
  onChange?: (value: string) => void;
  problems: readonly RuleProblem[];
  /** A line to show, and how often it was asked for. */
  goTo?: { line: number; times: number };
  readOnly?: boolean;
}

const FIELDS = ["groups", "name", "interval", "query_offset", "limit", "rules", "record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

// Enough of YAML to tell its parts: what is right is the server's to say.
const yaml = StreamLanguage.define<{ key: boolean }>({
  startState: () => ({ key: false }),
  token(stream, state) {
    if (stream.sol()) state.key = false;
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return "comment";
    if (stream.match(/^[\w.$-]+(?=\s*:(\s|$))/)) return "propertyName";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^']|'')*'?/)) return "string";
    if (stream.match(/^\d[\w.]*/)) return "number";
    if (stream.match(/^\w+(?=\s*\()/) || stream.match(/^(by|without|on|ignoring|group_left|group_right|and|or|unless|offset|bool)\b/)) return "keyword";
    if (stream.match(/^[[\]{}(),|>:*&]/)) return "punctuation";
    if (!stream.match(/^[\w:.-]+/)) stream.next();
    return null;
  },
});

const highlight = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--code-label)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.keyword, color: "var(--accent-text)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: tags.punctuation, color: "var(--muted)" },
]);

const tall = EditorView.theme({
  ".cm-scroller.cm-scroller": { maxHeight: "min(62vh, 640px)", minHeight: "260px" },
  ".cm-gutters": { background: "transparent", border: "none", color: "var(--faint)" },
  ".cm-activeLine, .cm-activeLineGutter": { background: "color-mix(in srgb, var(--hover) 60%, transparent)" },
});

const PROMQL = [...functionIdentifierTerms, ...aggregateOpTerms].map((t) => ({ label: t.label, type: "function", info: t.info }));

/** Fields where a line begins, names and functions of PromQL elsewhere. */
async function complete(c: CompletionContext): Promise<CompletionResult | null> {
  const word = c.matchBefore(/[\w:]*/);
  if (!word || (word.from === word.to && !c.explicit)) return null;
  const before = c.state.doc.lineAt(c.pos).text.slice(0, word.from - c.state.doc.lineAt(c.pos).from);
  if (/^[\s-]*$/.test(before)) return { from: word.from, options: FIELDS.map((label) => ({ label, type: "property", apply: `${label}: ` })), validFor: /^\w*$/ };
  const metrics = await knownMetrics().catch(() => []);
  return { from: word.from, options: [...PROMQL, ...metrics.map((m) => ({ label: m.name, detail: m.type, info: m.help || undefined }))], validFor: /^[\w:]*$/ };
}

/** What an editor of a file has. */
const file = (readOnly = false): Extension => [
  lineNumbers(),
  history(),
  bracketMatching(),
  readOnly ? [] : [closeBrackets(), highlightActiveLine(), autocompletion({ override: [complete], maxRenderedOptions: 60 })],
  indentUnit.of("  "),
  yaml,
  syntaxHighlighting(highlight),
  tooltips({ position: "fixed" }),
  tall,
  // Tab leaves the field, as everywhere; ⌘] and ⌘[ indent.
  keymap.of([{ key: "Mod-]", run: indentMore }, { key: "Mod-[", run: indentLess }, ...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
];

export default function RulesField({ label, value, onChange, problems, goTo, readOnly }: Props) {
  const { host, view } = useEditor({ label, value, onChange, readOnly, extensions: () => ({ own: file(readOnly) }) });

  useEffect(() => {
    const v = view.current;
    if (!v) return;
    const text = v.state.doc.toString();
    const found: Diagnostic[] = problems.map((p) => ({ ...offsets(text, p), severity: p.level, message: p.text }));
    v.dispatch(setDiagnostics(v.state, found.sort((a, b) => a.from - b.from)));
  }, [problems, view]);

  useEffect(() => {
    const v = view.current;
    if (!v || !goTo || goTo.line < 1) return;
    const at = v.state.doc.line(Math.min(goTo.line, v.state.doc.lines));
    v.dispatch({ selection: { anchor: at.from + (at.text.length - at.text.trimStart().length) }, scrollIntoView: true });
    v.focus();
  }, [goTo, view]);

  return <div ref={host} className={css.field} data-testid="rules-editor" data-prom-field />;
}
