import { useState } from "react";
import { Check, Copy as CopyIcon } from "lucide-react";
import { IconButton } from "./Button";
import css from "./Copy.module.css";

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // Not a secure context, or refused: the text can still be selected.
  }
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <IconButton
      size="sm"
      label={done ? "Copied" : label}
      onClick={() =>
        void copy(text).then((ok) => {
          setDone(ok);
          if (ok) setTimeout(() => setDone(false), 1500);
        })
      }
    >
      {done ? <Check size={14} /> : <CopyIcon size={14} />}
    </IconButton>
  );
}

/** One line of code or an id, with its copy button. */
export function CopyText({ text, label }: { text: string; label?: string }) {
  return (
    <span className={css.line}>
      {label && <span className={css.label}>{label}</span>}
      <code className={css.code}>{text}</code>
      <CopyButton text={text} />
    </span>
  );
}

/** Several lines of code with a copy button in the corner. */
export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    <div className={css.block}>
      <pre className={css.pre} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <div className={css.corner}>
        <CopyButton text={text} label={`Copy: ${label}`} />
      </div>
    </div>
  );
}
