import { useEffect, useState } from "react";
import { Search, X } from "lucide-react";
import css from "./SearchField.module.css";

/** A filter over what is on the page: applied while typing, focused by "/". */
export function SearchField({ label, value, onChange, placeholder }: { label: string; value: string; onChange: (v: string) => void; placeholder?: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const change = (v: string) => {
    setText(v);
    onChange(v);
  };
  return (
    <div className={css.field}>
      <Search size={14} aria-hidden />
      <input
        data-page-search
        className={css.input}
        type="text"
        role="searchbox"
        aria-label={label}
        placeholder={placeholder ?? label}
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(e) => change(e.target.value)}
        onKeyDown={(e) => e.key === "Escape" && (text ? change("") : e.currentTarget.blur())}
      />
      {text && (
        <button type="button" aria-label="Clear" className={css.clear} onClick={() => change("")}>
          <X size={13} />
        </button>
      )}
    </div>
  );
}
