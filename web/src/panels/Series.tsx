import { useMemo } from "react";
import type { Panel } from "@/api/dashboards";
import type { Range } from "@/api/types";
import type { Rule } from "@/charts/model";
import { TimeChart } from "@/charts/TimeChart";
import { reduce } from "@/lib/dash/prom";
import { format } from "@/lib/format";
import type { PanelProps } from "./PanelView";
import type { Line } from "./PromPanel";
import css from "./panels.module.css";

/** Values over time: lines, stacked or bars. */
export function Series({ panel, range, lines, markers, freshAt }: { panel: Panel; range: Range; lines: readonly Line[]; markers: PanelProps["markers"]; freshAt: number }) {
  const series = useMemo(() => lines.map((l) => ({ ...l, fill: panel.fill || (lines.length === 1 && panel.style === "line") })), [lines, panel.fill, panel.style]);
  const rules = useMemo(() => panel.thresholds.flatMap((t): Rule[] => (t.from === null ? [] : [{ at: t.from, level: t.level === "ok" ? (panel.thresholds[0]?.level ?? "ok") : t.level }])), [panel.thresholds]);
  const own = panel.range !== "" ? { from: range.from_ms, to: range.to_ms } : undefined;
  return (
    <TimeChart
      bare
      headless
      fills
      title={panel.title || "Values"}
      range={range}
      series={series}
      unit={panel.unit || "count"}
      decimals={panel.decimals}
      style={panel.style}
      log={panel.log}
      min={panel.min}
      max={panel.max}
      rules={rules}
      markers={markers}
      freshAt={freshAt || undefined}
      window={own}
      legend={panel.legend === "list" && (lines.length > 1 || panel.queries.some((q) => q.legend))}
      legendAs={panel.legend === "table" ? <LegendTable panel={panel} lines={lines} /> : undefined}
    />
  );
}

function LegendTable({ panel, lines }: { panel: Panel; lines: readonly Line[] }) {
  const unit = panel.unit || "count";
  return (
    <div className={css.legendTable}>
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col">Last</th>
            <th scope="col">Mean</th>
            <th scope="col">Max</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, 100).map((l) => (
            <tr key={l.key}>
              <th scope="row">
                <span className={css.swatch} style={{ background: l.color }} aria-hidden />
                {l.label}
              </th>
              {(["last", "mean", "max"] as const).map((by) => (
                <td key={by}>{format(reduce(l.values, by), unit, panel.decimals)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
