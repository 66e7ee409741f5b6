import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Clock, CornerDownLeft, Search, X } from "lucide-react";
import { ApiError } from "@/api/client";
import { remember } from "@/lib/recent";
import { completionAt, errorPosition, errorReason, errorSpan, tokenize } from "@/lib/searchlang";
import { type Signal, type Suggestion, useSuggestions } from "./useSuggestions";
import css from "./SearchLine.module.css";

interface Props {
  signal: Signal;
  label: string;
  placeholder: string;
  /** The search in force, from the URL. */
  value: string;
  onCommit: (q: string) => void;
  /** What the search was last answered with; a complaint about the text is shown under it. */
  error?: unknown;
  /** Characters put before the text when it was sent, which the complaint's place counts too. */
  shift?: number;
}

/** The search line: highlighted while typing, completed from what the store has seen, run by Enter. */
export function SearchLine({ signal, label, placeholder, value, onCommit, error, shift = 0 }: Props) {
  const [text, setText] = useState(value);
  const [caret, setCaret] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const paint = useRef<HTMLDivElement>(null);
  const nextCaret = useRef<number | null>(null);
  const listId = useId();
  const errorId = useId();
  useEffect(() => setText((old) => (old.trim() === value ? old : value)), [value]);

  const completion = useMemo(() => (open ? completionAt(text, caret) : null), [open, text, caret]);
  const list = useSuggestions(signal, completion, text);
  const shown = open && list.length > 0;
  const problem = complaint(error, text.trim() === value ? value : null, shift);

  useLayoutEffect(() => {
    if (nextCaret.current === null) return;
    input.current!.setSelectionRange(nextCaret.current, nextCaret.current);
    nextCaret.current = null;
  }, [text]);
  const scroll = () => {
    if (paint.current && input.current) paint.current.scrollLeft = input.current.scrollLeft;
  };
  useLayoutEffect(scroll, [text, caret]);

  const commit = (q: string) => {
    const trimmed = q.trim();
    setOpen(false);
    setActive(-1);
    remember(signal, trimmed);
    if (trimmed !== value) onCommit(trimmed);
  };
  const choose = (s: Suggestion) => {
    if (s.kind === "recent") {
      setText(s.insert);
      return commit(s.insert);
    }
    const c = completion!;
    const space = s.kind === "value" && text[c.to] !== " " && text[c.to] !== ")" ? " " : "";
    const next = text.slice(0, c.from) + s.insert + space + text.slice(c.to);
    const at = c.from + s.insert.length + space.length;
    setText(next);
    setCaret(at);
    setActive(-1);
    nextCaret.current = at;
    input.current!.focus();
    if (s.kind === "value") commit(next);
  };
  const keys = lineKeys({ isOpen: open, shown, list, active, setActive, choose, commit: () => commit(text), open: () => setOpen(true), close: () => setOpen(false), leave: () => input.current!.blur() });

  return (
    <div className={css.wrap} onBlur={(e) => !e.currentTarget.contains(e.relatedTarget) && setOpen(false)}>
      <div className={css.field} data-bad={problem ? "" : undefined}>
        <Search size={15} aria-hidden className={css.icon} />
        <div className={css.stack}>
          <div ref={paint} className={css.paint} aria-hidden>
            {highlight(text, problem?.span ?? null)}
          </div>
          <input
            ref={input}
            data-page-search
            className={css.input}
            role="combobox"
            aria-label={label}
            aria-expanded={shown}
            aria-controls={shown ? listId : undefined}
            aria-autocomplete="list"
            aria-activedescendant={shown && active >= 0 ? `${listId}-${active}` : undefined}
            aria-invalid={problem ? true : undefined}
            aria-describedby={problem ? errorId : undefined}
            placeholder={placeholder}
            value={text}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="off"
            onChange={(e) => {
              setText(e.target.value);
              setCaret(e.target.selectionStart ?? e.target.value.length);
              setOpen(true);
              setActive(-1);
            }}
            onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)}
            onFocus={() => setCaret(input.current!.selectionStart ?? 0)}
            onClick={() => setOpen(true)}
            onScroll={scroll}
            onKeyDown={keys}
          />
        </div>
        {text.trim() !== value && (
          <button type="button" className={css.run} onClick={() => commit(text)}>
            <CornerDownLeft size={13} aria-hidden /> Run
          </button>
        )}
        {text && (
          <button
            type="button"
            className={css.clear}
            aria-label="Clear the search"
            onClick={() => {
              setText("");
              commit("");
              input.current!.focus();
            }}
          >
            <X size={14} />
          </button>
        )}
      </div>
      {problem && (
        <p id={errorId} className={css.problem} role="alert">
          {problem.reason}
        </p>
      )}
      {shown && <List id={listId} list={list} active={active} prefix={completion?.prefix ?? ""} onChoose={choose} />}
    </div>
  );
}

/** What to underline and say, when the answer complains about the very text in the line. */
function complaint(error: unknown, text: string | null, shift: number): { reason: string; span: { from: number; to: number } | null } | null {
  if (text === null || !(error instanceof ApiError) || error.status !== 400 || !error.detail) return null;
  const at = errorPosition(error.detail, shift ? "(" + text : text);
  return { reason: errorReason(error.detail), span: at === null ? null : errorSpan(text, Math.max(0, at - shift)) };
}

function highlight(text: string, bad: { from: number; to: number } | null): ReactNode[] {
  return tokenize(text).flatMap((t) => {
    const cuts = bad ? [t.from, bad.from, bad.to, t.to].filter((c) => c >= t.from && c <= t.to) : [t.from, t.to];
    return cuts.slice(1).map((to, i) => {
      const from = cuts[i]!;
      if (from === to) return null;
      const wrong = bad !== null && from >= bad.from && to <= bad.to;
      return (
        <span key={from} data-kind={t.kind} data-wrong={wrong || undefined}>
          {text.slice(from, to)}
        </span>
      );
    });
  });
}

interface KeyActions {
  isOpen: boolean;
  shown: boolean;
  list: readonly Suggestion[];
  active: number;
  setActive: (i: number) => void;
  choose: (s: Suggestion) => void;
  commit: () => void;
  open: () => void;
  close: () => void;
  leave: () => void;
}

function lineKeys(a: KeyActions) {
  const move = (by: number) => a.setActive(((a.active + by + 1 + a.list.length + 1) % (a.list.length + 1)) - 1);
  return (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.nativeEvent.isComposing) return;
    const chosen = a.list[a.active];
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      if (a.shown) move(e.key === "ArrowDown" ? 1 : -1);
      else a.open();
    } else if (e.key === "Enter") {
      e.preventDefault();
      if (a.shown && chosen) a.choose(chosen);
      else a.commit();
    } else if (e.key === "Tab" && !e.shiftKey && a.shown && (chosen || a.list.length > 0) && a.active >= 0) {
      e.preventDefault();
      a.choose(chosen ?? a.list[0]!);
    } else if (e.key === "Escape") {
      e.preventDefault();
      // What was typed is never thrown away by it.
      if (a.isOpen) a.close();
      else a.leave();
    } else if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      a.open();
    }
  };
}

function List({ id, list, active, prefix, onChoose }: { id: string; list: readonly Suggestion[]; active: number; prefix: string; onChoose: (s: Suggestion) => void }) {
  const ref = useRef<HTMLUListElement>(null);
  useEffect(() => void ref.current?.children[active]?.scrollIntoView({ block: "nearest" }), [active]);
  return (
    <ul ref={ref} id={id} role="listbox" aria-label="Suggestions" className={css.list}>
      {list.map((s, i) => (
        <li
          key={`${s.kind} ${s.label}`}
          id={`${id}-${i}`}
          role="option"
          aria-selected={i === active}
          className={css.option}
          onMouseDown={(e) => {
            e.preventDefault();
            onChoose(s);
          }}
        >
          {s.kind === "recent" && <Clock size={12} aria-hidden className={css.optionIcon} />}
          <span className={css.optionLabel} data-kind={s.kind}>
            {mark(s.label, prefix)}
          </span>
          <span className={css.detail}>{s.detail}</span>
        </li>
      ))}
    </ul>
  );
}

function mark(label: string, prefix: string): ReactNode {
  const at = prefix ? label.toLowerCase().indexOf(prefix.toLowerCase()) : -1;
  if (at < 0) return label;
  return (
    <>
      {label.slice(0, at)}
      <b>{label.slice(at, at + prefix.length)}</b>
      {label.slice(at + prefix.length)}
    </>
  );
}
