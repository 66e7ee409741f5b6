// One editor of CodeMirror on the page. It lives in a shadow root, because there CodeMirror's styles are adopted sheets,
// which the content security policy allows.
import { useEffect, useRef } from "react";
import { type Extension, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { replace } from "./replace";
import { theme } from "./theme";

interface Editor {
  label: string;
  value: string;
  onChange?: (value: string) => void;
  readOnly?: boolean;
  /** What only this kind of editor has, made once for each editor, and what is to be done when it goes. */
  extensions: () => { own: Extension; destroy?: () => void };
}

/** The place for the editor, and the editor while there is one: as long as its label and its permission to write stay. */
export function useEditor({ label, value, onChange, readOnly = false, extensions }: Editor) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onChange, extensions });
  latest.current = { onChange, extensions };
  const shown = useRef(value);

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const { own, destroy } = latest.current.extensions();
    const v = new EditorView({
      parent: root,
      root,
      state: EditorState.create({
        doc: shown.current,
        extensions: [
          own,
          theme,
          EditorView.domEventHandlers({ beforeinput: replace }),
          EditorState.readOnly.of(readOnly),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", ...(readOnly && { "aria-readonly": "true" }) }),
          EditorView.updateListener.of((u) => {
            if (!u.docChanged) return;
            shown.current = u.state.doc.toString();
            latest.current.onChange?.(shown.current);
          }),
        ],
      }),
    });
    view.current = v;
    return () => {
      v.destroy();
      destroy?.();
      view.current = null;
    };
  }, [label, readOnly]);

  useEffect(() => {
    const v = view.current;
    if (!v || value === shown.current) return;
    shown.current = value;
    v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
  }, [value]);

  return { host, view };
}
