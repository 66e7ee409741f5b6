// CodeMirror in our tokens; they are inherited into its shadow root.
import { EditorView } from "@codemirror/view";

export const theme = EditorView.theme({
  "&": { fontSize: "13px", background: "transparent", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto", maxHeight: "220px" },
  ".cm-content": { padding: "5px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-placeholder": { color: "var(--faint)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 24%, transparent)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { background: "var(--active)", outline: "none" },
  ".cm-tooltip": { border: "1px solid var(--line-strong)", borderRadius: "6px", background: "var(--raised)", boxShadow: "var(--shadow-pop)", zIndex: "60", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "300px", minWidth: "280px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "18px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent-soft)", color: "var(--text)" },
  ".cm-completionIcon": { display: "none" },
  ".cm-completionMatchedText": { textDecoration: "none", color: "var(--accent-text)", fontWeight: "600" },
  ".cm-completionDetail": { color: "var(--faint)", fontStyle: "normal", fontFamily: "var(--font)", marginLeft: "12px", float: "right" },
  ".cm-tooltip.cm-completionInfo": { maxWidth: "340px", padding: "8px 10px", fontSize: "12px", fontFamily: "var(--font)", overflow: "auto" },
  ".cm-diagnostic": { padding: "6px 10px", fontSize: "12px", fontFamily: "var(--font)", borderLeft: "3px solid var(--line-strong)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
  // A squiggle by text decoration: CodeMirror's own is an image in a data address.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--muted)", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
  ".cm-lintRange-active": { background: "color-mix(in srgb, var(--warn) 18%, transparent)" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--bad)" },
  ".tm-help": { maxWidth: "420px", padding: "8px 10px", fontSize: "12px", fontFamily: "var(--font)", lineHeight: "17px" },
  ".tm-help strong": { fontFamily: "var(--mono)", fontWeight: "600", overflowWrap: "anywhere" },
  ".tm-help p": { margin: "4px 0 0", color: "var(--muted)" },
});
