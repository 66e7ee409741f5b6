import type { ChartSeries } from "./model";
import { colorAt } from "@/lib/color";
import css from "./TimeChart.module.css";

/** Click shows or hides a series; with ⌥, or on the only one shown, it is shown alone or all come back. */
export function Legend({ series, hidden, onChange }: { series: readonly ChartSeries[]; hidden: ReadonlySet<string>; onChange: (hidden: ReadonlySet<string>) => void }) {
  const toggle = (key: string, alone: boolean) => {
    if (alone) {
      const others = series.filter((s) => s.key !== key);
      const isAlone = !hidden.has(key) && others.every((s) => hidden.has(s.key));
      return onChange(new Set(isAlone ? [] : others.map((s) => s.key)));
    }
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    onChange(next.size === series.length ? new Set() : next);
  };
  return (
    <ul className={css.legend}>
      {series.map((s, i) => (
        <li key={s.key}>
          <button type="button" className={css.legendItem} aria-pressed={!hidden.has(s.key)} onClick={(e) => toggle(s.key, e.altKey)} onDoubleClick={() => toggle(s.key, true)}>
            <span className={css.swatch} style={{ background: s.color ?? colorAt(i) }} aria-hidden />
            <span className={css.legendLabel}>{s.label}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
