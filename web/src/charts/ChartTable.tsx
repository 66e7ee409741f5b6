import type { Range } from "@/api/types";
import { format, type Unit } from "@/lib/format";
import { dateTime } from "@/lib/time";
import type { ChartSeries } from "./model";
import css from "./TimeChart.module.css";

const MAX_ROWS = 240;

/** The chart's numbers, newest first. */
export function ChartTable({ range, series, unit, decimals, utc, height, label }: { range: Range; series: readonly ChartSeries[]; unit: Unit; decimals?: number | null; utc: boolean; height: number; label: string }) {
  const n = series[0]?.values.length ?? 0;
  const rows = Array.from({ length: Math.min(n, MAX_ROWS) }, (_, i) => n - 1 - i);
  return (
    <div className={css.table} style={{ height }} tabIndex={0} role="region" aria-label={`${label} as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map((s) => (
              <th key={s.key} scope="col">
                {s.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={i}>
              <td>{dateTime(range.from_ms + i * range.step_ms, utc)}</td>
              {series.map((s) => (
                <td key={s.key}>{format(s.values[i], unit, decimals)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
