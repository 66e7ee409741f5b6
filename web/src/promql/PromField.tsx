// An editor of PromQL: completion, help under the pointer, squiggles where it cannot be read. It lives in a shadow
// root, because there CodeMirror's styles are adopted sheets, which the content security policy allows.
import { useEffect, useRef, useState } from "react";
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, completionStatus, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintKeymap, setDiagnosticsEffect } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap, placeholder as placeholderOf, tooltips } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { functionIdentifierTerms, aggregateOpTerms } from "@prometheus-io/codemirror-promql/dist/esm/complete/promql.terms";
import { integer } from "@/lib/format";
import { completionClient, knownMetrics } from "./client";
import { faults } from "./check";
import { replace } from "./replace";
import { theme } from "./theme";
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
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onChange, onRun });
  latest.current = { onChange, onRun };
  const shown = useRef(value);
  const [said, setSaid] = useState<Diagnostic | null>(null);

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const run = (e: EditorView) => {
      if (!latest.current.onRun) return false;
      closeCompletion(e); // it would lie over the answer
      latest.current.onRun();
      return true;
    };
    const promql = new PromQLExtension().activateLinter(false).setComplete({ remote: completionClient });
    const v = new EditorView({
      parent: root,
      root,
      state: EditorState.create({
        doc: shown.current,
        extensions: [
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
          theme,
          EditorView.domEventHandlers({ beforeinput: replace }),
          Prec.highest(
            keymap.of([
              { key: "Enter", run: (e) => (completionStatus(e.state) === "active" ? acceptCompletion(e) : run(e)) },
              { key: "Shift-Enter", run: insertNewlineAndIndent },
              { key: "Mod-Enter", run },
              { key: "Mod-Space", run: startCompletion },
            ]),
          ),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
          EditorView.updateListener.of((u) => {
            for (const t of u.transactions) for (const e of t.effects) if (e.is(setDiagnosticsEffect)) setSaid(e.value[0] ?? null);
            if (!u.docChanged) return;
            shown.current = u.state.doc.toString();
            latest.current.onChange(shown.current);
          }),
        ],
      }),
    });
    view.current = v;
    // It comes late: whoever has begun elsewhere is not taken away from there.
    if (autoFocus && document.activeElement === document.body) v.focus();
    return () => {
      v.destroy();
      promql.destroy();
      view.current = null;
    };
    // One editor as long as it is on the page; what changes comes through the reference.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [label]);

  useEffect(() => {
    const v = view.current;
    if (!v || value === shown.current) return;
    shown.current = value;
    v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
  }, [value]);

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
