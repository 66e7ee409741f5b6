import { useMemo } from "react";
import type { Panel } from "@/api/dashboards";
import { histogramOf, levelOf, reduce } from "@/lib/dash/prom";
import { format } from "@/lib/format";
import type { Line } from "./PromPanel";
import { scaleOf } from "./Stats";
import css from "./panels.module.css";

const MOST = 200;

/** One bar a series, the largest first. */
export function Bars({ panel, lines }: { panel: Panel; lines: readonly Line[] }) {
  const rows = useMemo(
    () => lines.map((l) => ({ key: l.key, label: l.label, value: reduce(l.values, panel.reduce) })).sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity)).slice(0, MOST),
    [lines, panel.reduce],
  );
  const { min, max } = scaleOf({ ...panel, max: panel.max ?? (panel.unit === "ratio" || panel.unit === "percent" ? null : Math.max(...rows.map((r) => r.value ?? 0))) }, rows.map((r) => r.value));
  return (
    <ul className={css.bars} tabIndex={0} aria-label={panel.title || "Values"}>
      {rows.map((r) => (
        <li key={r.key} className={css.bar}>
          <span className={css.barLabel} title={r.label}>
            {r.label}
          </span>
          <span className={css.barTrack} aria-hidden>
            <span className={css.barFill} data-level={levelOf(r.value, panel.thresholds)} style={{ width: `${r.value === null ? 0 : Math.min(100, Math.max(0, ((r.value - min) / (max - min)) * 100))}%` }} />
          </span>
          <span className={css.barValue}>{format(r.value, panel.unit || "count", panel.decimals)}</span>
        </li>
      ))}
    </ul>
  );
}

/** How often values lie where. */
export function Histogram({ panel, lines }: { panel: Panel; lines: readonly Line[] }) {
  const unit = panel.unit || "count";
  const bars = useMemo(() => histogramOf(lines.map((l) => ({ labels: l.labels, values: [...l.values] })), (v) => format(v, unit)), [lines, unit]);
  const most = Math.max(...bars.map((b) => b.value), 0);
  const total = bars.reduce((n, b) => n + b.value, 0);
  return (
    <div className={css.histogram} role="img" aria-label={`${panel.title || "Distribution"}: ${bars.filter((b) => b.value > 0).length} of ${bars.length} stretches hold values`}>
      <div className={css.columns}>
        {bars.map((b, i) => (
          <div key={i} className={css.column} title={`${b.label}: ${format(b.value, "count")} (${format(total ? b.value / total : 0, "ratio")})`}>
            <span style={{ height: `${most ? (b.value / most) * 100 : 0}%` }} data-some={b.value > 0 || undefined} />
          </div>
        ))}
      </div>
      <div className={css.histogramAxis} aria-hidden>
        <span>{bars[0]?.label.split(" – ")[0]}</span>
        <span>{bars[Math.floor(bars.length / 2)]?.label.split(" – ")[0]}</span>
        <span>{bars.at(-1)?.label.split(" – ")[1]}</span>
      </div>
    </div>
  );
}
