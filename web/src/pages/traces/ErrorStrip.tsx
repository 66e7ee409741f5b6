import { useMemo } from "react";
import type { TraceHeatmapAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { LEFT, RIGHT } from "@/charts/paintHeatmap";
import { integer } from "@/lib/format";
import { dateTime, resolve, type Span } from "@/lib/time";
import css from "./Page.module.css";

const HEIGHT = 22;

/** Failed spans by column, under the heatmap and aligned with it. Absent while nothing failed. */
export function ErrorStrip({ data, onZoom }: { data: TraceHeatmapAnswer; onZoom: (span: Span) => void }) {
  const scope = useScope();
  const total = useMemo(() => data.errors.reduce((a, b) => a + b, 0), [data]);
  if (total === 0) return null;
  const max = Math.max(...data.errors);
  const { from, to } = resolve(scope.range, data.range.now_ms);
  const share = (ms: number) => (ms - from) / (to - from);
  return (
    <div className={css.errors} style={{ paddingLeft: LEFT, paddingRight: RIGHT }} role="img" aria-label={`${integer(total)} failed spans in this range`}>
      <span className={css.errorsLabel}>errors</span>
      <div className={css.errorsPlot} style={{ height: HEIGHT }}>
        {data.errors.map((n, i) => {
          if (!n) return null;
          const at = data.range.from_ms + i * data.range.step_ms;
          const left = Math.max(0, share(at));
          const right = Math.min(1, share(at + data.range.step_ms));
          if (right <= 0 || left >= 1) return null;
          return (
            <span
              key={at}
              className={css.errorBar}
              title={`${dateTime(at, scope.utc)}: ${integer(n)} failed`}
              onDoubleClick={() => onZoom({ from: at, to: at + data.range.step_ms })}
              style={{ left: `${left * 100}%`, width: `calc(${(right - left) * 100}% - 1px)`, height: Math.max(2, (n / max) * HEIGHT) }}
            />
          );
        })}
      </div>
    </div>
  );
}
