import type { ReactNode } from "react";
import css from "./Panel.module.css";

/** A page's frame: title line with actions, then content. */
export function Page({ title, aside, children, wide }: { title: ReactNode; aside?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <div className={css.page} data-wide={wide || undefined}>
      <header className={css.head}>
        <h1>{title}</h1>
        {aside && <div className={css.aside}>{aside}</div>}
      </header>
      {children}
    </div>
  );
}

/** A bordered surface with an optional heading. */
export function Panel({ title, aside, children, flush }: { title?: ReactNode; aside?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className={css.panel} data-flush={flush || undefined}>
      {title && (
        <header className={css.panelHead}>
          <h2 className={css.panelTitle}>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

/** Charts side by side that wrap on narrow screens. */
export function ChartGrid({ children, min = 320 }: { children: ReactNode; min?: number }) {
  return (
    <div className={css.grid} style={{ gridTemplateColumns: `repeat(auto-fit, minmax(min(100%, ${min}px), 1fr))` }}>
      {children}
    </div>
  );
}
