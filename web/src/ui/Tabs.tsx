import { type ReactNode, useRef } from "react";
import css from "./Tabs.module.css";

export interface Tab<T extends string> {
  id: T;
  label: ReactNode;
  count?: number;
}

/** Tabs by the ARIA pattern: arrow keys move, the chosen one is in the URL (keep it there with onChange). */
export function Tabs<T extends string>({ tabs, value, onChange, label, panelId }: { tabs: readonly Tab<T>[]; value: T; onChange: (id: T) => void; label: string; panelId?: string }) {
  const refs = useRef(new Map<T, HTMLButtonElement>());
  const go = (step: number) => {
    const i = tabs.findIndex((t) => t.id === value);
    const next = tabs[(i + step + tabs.length) % tabs.length]!;
    onChange(next.id);
    refs.current.get(next.id)?.focus();
  };
  return (
    <div
      role="tablist"
      aria-label={label}
      className={css.tabs}
      onKeyDown={(e) => {
        if (e.key === "ArrowRight") go(1);
        else if (e.key === "ArrowLeft") go(-1);
      }}
    >
      {tabs.map((t) => (
        <button
          key={t.id}
          ref={(el) => void (el ? refs.current.set(t.id, el) : refs.current.delete(t.id))}
          type="button"
          role="tab"
          aria-selected={t.id === value}
          aria-controls={t.id === value ? panelId : undefined}
          tabIndex={t.id === value ? 0 : -1}
          className={css.tab}
          onClick={() => onChange(t.id)}
        >
          {t.label}
          {t.count !== undefined && <span className={css.count}>{t.count}</span>}
        </button>
      ))}
    </div>
  );
}

/** A few exclusive choices side by side. */
export function Segmented<T extends string>({ options, value, onChange, label }: { options: readonly { id: T; label: ReactNode }[]; value: T; onChange: (id: T) => void; label: string }) {
  return (
    <div role="radiogroup" aria-label={label} className={css.segmented}>
      {options.map((o) => (
        <button key={o.id} type="button" role="radio" aria-checked={o.id === value} className={css.segment} onClick={() => onChange(o.id)}>
          {o.label}
        </button>
      ))}
    </div>
  );
}
