// An editor of PromQL: completion, help under the pointer, squiggles where it cannot be read.
import { useEffect, useRef, useState } from "react";
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, completionStatus, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintKeymap, setDiagnosticsEffect } from "@codemirror/lint";
import { type Extension, Prec } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap, placeholder as placeholderOf, tooltips } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { functionIdentifierTerms, aggregateOpTerms } from "@prometheus-io/codemirror-promql/dist/esm/complete/promql.terms";
import { integer } from "@/lib/format";
import { completionClient, knownMetrics } from "./client";
import { faults } from "./check";
import { useEditor } from "./useEditor";
import css from "./PromField.module.css";

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Enter; with Shift a new line. */
  onRun?: () => void;
  placeholder?: string;
  autoFocus?: boolean;
}

const highlight = HighlightStyle.define([
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.function(tags.variableName), tags.operatorKeyword], color: "var(--accent-text)" },
  { tag: [tags.modifier, tags.keyword], color: "var(--accent-text)" },
  { tag: tags.labelName, color: "var(--code-label)" },
  { tag: [tags.number, tags.integer], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: [tags.paren, tags.squareBracket, tags.brace, tags.operator], color: "var(--muted)" },
]);

export default function PromField({ label, value, onChange, onRun, placeholder, autoFocus }: Props) {
  const [said, setSaid] = useState<Diagnostic | null>(null);
  const run = useRef(onRun);
  run.current = onRun;
  const { host, view } = useEditor({
    label,
    value,
    onChange,
    extensions: () => {
      const promql = new PromQLExtension().activateLinter(false).setComplete({ remote: completionClient });
      return { own: [field(promql, placeholder, run), spoken(setSaid)], destroy: () => promql.destroy() };
    },
  });
  useEffect(() => {
    // It comes late: whoever has begun elsewhere is not taken away from there.
    if (autoFocus && document.activeElement === document.body) view.current?.focus();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return (
    <>
      <div ref={host} className={css.field} data-testid="promql" data-prom-field data-fault={said?.severity} />
      {/* Also here: a squiggle shows its words only to a pointer. */}
      <p className={css.said} role="status" data-severity={said?.severity} hidden={!said}>
        {said?.message}
      </p>
    </>
  );
}

/** What an editor of one expression has. */
function field(promql: PromQLExtension, placeholder: string | undefined, onRun: { readonly current: (() => void) | undefined }): Extension {
  const run = (e: EditorView) => {
    if (!onRun.current) return false;
    closeCompletion(e); // it would lie over the answer
    onRun.current();
    return true;
  };
  return [
    history(),
    bracketMatching(),
    closeBrackets(),
    EditorView.lineWrapping,
    placeholderOf(placeholder ?? "sum by (service_name) (rate(…[$__rate_interval]))"),
    syntaxHighlighting(highlight),
    autocompletion({ activateOnTyping: true, maxRenderedOptions: 60 }),
    promql.asExtension(),
    linter((e) => faults(e.state.doc.toString()), { delay: 350 }),
    hoverTooltip(help, { hoverTime: 300 }),
    tooltips({ position: "fixed", parent: undefined }),
    Prec.highest(
      keymap.of([
        { key: "Enter", run: (e) => (completionStatus(e.state) === "active" ? acceptCompletion(e) : run(e)) },
        { key: "Shift-Enter", run: insertNewlineAndIndent },
        { key: "Mod-Enter", run },
        { key: "Mod-Space", run: startCompletion },
      ]),
    ),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
  ];
}

/** Tells of the first fault that is marked. */
function spoken(say: (d: Diagnostic | null) => void): Extension {
  return EditorView.updateListener.of((u) => {
    for (const t of u.transactions) for (const e of t.effects) if (e.is(setDiagnosticsEffect)) say(e.value[0] ?? null);
  });
}

const FUNCTIONS = new Map([...functionIdentifierTerms, ...aggregateOpTerms].map((t) => [t.label, t] as const));

/** Under the pointer: what a function does, or what a metric measures. */
async function help(v: EditorView, pos: number) {
  const line = v.state.doc.lineAt(pos);
  const at = pos - line.from;
  const before = /[\w:]*$/.exec(line.text.slice(0, at))![0];
  const after = /^[\w:]*/.exec(line.text.slice(at))![0];
  const word = before + after;
  if (word === "" || /^\d/.test(word)) return null;
  const lines = describeFunction(word) ?? (await describeMetric(word));
  if (!lines) return null;
  return {
    pos: pos - before.length,
    end: pos + after.length,
    above: true,
    create: () => {
      const dom = document.createElement("div");
      dom.className = "tm-help";
      lines.forEach((text, i) => {
        const p = document.createElement(i === 0 ? "strong" : "p");
        p.textContent = text;
        dom.append(p);
      });
      return { dom };
    },
  };
}

function describeFunction(word: string): string[] | null {
  const f = FUNCTIONS.get(word);
  return f ? [`${word}(…)`, f.info ?? ""].filter(Boolean) : null;
}

async function describeMetric(word: string): Promise<string[] | null> {
  const m = (await knownMetrics().catch(() => [])).find((k) => k.name === word);
  return m ? [m.name, m.help, [m.type, m.unit && m.unit !== "1" ? m.unit : "", `${integer(m.series)} series`].filter(Boolean).join(" · ")].filter(Boolean) : null;
}
