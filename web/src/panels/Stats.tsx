import { useMemo } from "react";
import type { Level, Panel } from "@/api/dashboards";
import type { Range } from "@/api/types";
import { levelOf, reduce } from "@/lib/dash/prom";
import { parts } from "@/lib/format";
import { useBox } from "@/ui/useBox";
import type { Line } from "./PromPanel";
import css from "./panels.module.css";

const MOST = 24;

/** One large number a series, with its course behind it. */
export function Stats({ panel, lines }: { panel: Panel; range: Range; lines: readonly Line[] }) {
  const { ref, width, height } = useBox<HTMLDivElement>();
  const shown = lines.slice(0, MOST);
  const across = bestColumns(shown.length, width, height);
  const down = Math.ceil(shown.length / across);
  const cell = { width: width / across, height: height / down };
  const named = shown.length > 1 || panel.queries.some((q) => q.legend);
  return (
    <div ref={ref} className={css.stats} style={{ gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }}>
      {height > 0 &&
        shown.map((l) => {
          const value = reduce(l.values, panel.reduce);
          const p = parts(value, panel.unit || "count", panel.decimals);
          const text = p.value;
          // Its course has the lower part to itself.
          const tall = cell.height * (panel.sparkline ? 0.62 : 0.8);
          const size = Math.max(13, Math.min(44, tall * (named ? 0.52 : 0.7), (cell.width - 16) / ((text.length + p.unit.length * 0.6 + 0.6) * 0.62)));
          return (
            <div key={l.key} className={css.stat} data-level={levelOf(value, panel.thresholds)} data-course={panel.sparkline || undefined}>
              {panel.sparkline && <Course values={l.values} level={levelOf(value, panel.thresholds)} />}
              <span className={css.statValue} style={{ fontSize: size }}>
                {text}
                {p.unit && <span className={css.statUnit}>{p.unit}</span>}
              </span>
              {named && <span className={css.statName}>{l.label}</span>}
            </div>
          );
        })}
    </div>
  );
}

/** As many columns as make the cells closest to twice as wide as tall. */
export function bestColumns(n: number, width: number, height: number): number {
  if (n <= 1 || height <= 0) return 1;
  let best = 1;
  let score = Infinity;
  for (let across = 1; across <= n; across++) {
    const ratio = width / across / (height / Math.ceil(n / across));
    const off = Math.abs(Math.log(ratio / 2.2));
    if (off < score) {
      score = off;
      best = across;
    }
  }
  return best;
}

const COURSE_W = 200;
const COURSE_H = 40;

function Course({ values, level }: { values: Line["values"]; level: Level }) {
  const path = useMemo(() => {
    const known = values.filter((v): v is number => v !== null);
    if (known.length < 2) return null;
    const min = Math.min(...known);
    const max = Math.max(...known);
    const y = (v: number) => COURSE_H - 2 - ((v - min) / (max - min || 1)) * (COURSE_H - 6);
    const points = values.flatMap((v, i) => (v === null ? [] : [`${((i / (values.length - 1)) * COURSE_W).toFixed(1)},${y(v).toFixed(1)}`]));
    return { line: `M${points.join("L")}`, area: `M0,${COURSE_H}L${points.join("L")}L${COURSE_W},${COURSE_H}Z` };
  }, [values]);
  if (!path) return null;
  return (
    <svg className={css.course} data-level={level} viewBox={`0 0 ${COURSE_W} ${COURSE_H}`} preserveAspectRatio="none" aria-hidden>
      <path d={path.area} className={css.courseArea} />
      <path d={path.line} className={css.courseLine} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

/** The ends of a scale: as set, else of a share 0 to 1, else from 0 to the largest value. */
export function scaleOf(panel: Panel, values: readonly (number | null)[]): { min: number; max: number } {
  const known = values.filter((v): v is number => v !== null);
  const min = panel.min ?? Math.min(0, ...known);
  const whole = panel.unit === "ratio" ? 1 : panel.unit === "percent" ? 100 : undefined;
  const top = panel.max ?? whole ?? Math.max(...known, ...panel.thresholds.map((t) => t.from ?? 0), 0);
  return { min, max: top > min ? top : min + 1 };
}

const arc = (from: number, to: number, r: number) => {
  const at = (share: number) => {
    const angle = Math.PI * (1.15 - 1.3 * share);
    return `${(50 + r * Math.cos(angle)).toFixed(2)} ${(50 - r * Math.sin(angle)).toFixed(2)}`;
  };
  return `M${at(from)}A${r} ${r} 0 ${(to - from) * 1.3 > 1 ? 1 : 0} 1 ${at(to)}`;
};

/** Where a value stands between its ends. */
export function Gauges({ panel, lines }: { panel: Panel; lines: readonly Line[] }) {
  const { ref, width, height } = useBox<HTMLDivElement>();
  const shown = lines.slice(0, MOST);
  const values = shown.map((l) => reduce(l.values, panel.reduce));
  const { min, max } = scaleOf(panel, values);
  const across = bestColumns(shown.length, width, height * 1.4);
  const share = (v: number) => Math.min(1, Math.max(0, (v - min) / (max - min)));
  return (
    <div ref={ref} className={css.stats} style={{ gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }}>
      {shown.map((l, i) => {
        const value = values[i]!;
        const p = parts(value, panel.unit || "count", panel.decimals);
        const level = levelOf(value, panel.thresholds);
        return (
          <div key={l.key} className={css.gauge}>
            <svg viewBox="4 6 92 66" role="img" aria-label={`${l.label}: ${p.value} ${p.unit}`}>
              <path d={arc(0, 1, 40)} className={css.gaugeTrack} />
              {panel.thresholds.map((t, k) => {
                const from = t.from === null ? 0 : share(t.from);
                const next = panel.thresholds[k + 1]?.from;
                const to = next == null ? 1 : share(next);
                return t.level !== "ok" && to > from && <path key={k} d={arc(from, to, 45)} className={css.gaugeZone} data-level={t.level} />;
              })}
              {value !== null && share(value) > 0 && <path d={arc(0, share(value), 40)} className={css.gaugeValue} data-level={level} />}
              <text x="50" y="53" className={css.gaugeNumber}>
                {p.value}
                <tspan className={css.gaugeUnit} dx="1.5">
                  {p.unit}
                </tspan>
              </text>
            </svg>
            {(shown.length > 1 || panel.queries.some((q) => q.legend)) && <span className={css.statName}>{l.label}</span>}
          </div>
        );
      })}
    </div>
  );
}
