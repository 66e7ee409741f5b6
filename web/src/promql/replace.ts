import type { EditorView } from "@codemirror/view";

/**
 * Replaces a selection without the browser, which would carry the style of what was selected over into the new text:
 * an inline style, against the policy. What closes brackets around a selection is left to CodeMirror.
 */
export function replace(e: InputEvent, v: EditorView): boolean {
  if (e.isComposing || v.state.selection.main.empty) return false;
  const text = e.inputType === "insertText" ? e.data : e.inputType.startsWith("deleteContent") ? "" : null;
  if (text === null || /^[([{"'`]$/.test(text)) return false;
  v.dispatch({ ...v.state.replaceSelection(text), userEvent: text ? "input.type" : "delete.selection", scrollIntoView: true });
  e.preventDefault();
  return true;
}
