import { useMemo } from "react";
import { format } from "@/lib/format";
import { type Interval, rulerTicks } from "@/lib/waterfall";
import css from "./Waterfall.module.css";

const TICK_PX = 110;

/** Time since the trace's start. */
export function Ruler({ window, width }: { window: Interval; width: number }) {
  const ticks = useMemo(() => rulerTicks(window.from, window.to, Math.max(2, Math.floor(width / TICK_PX))), [window, width]);
  return (
    <div className={css.ruler} aria-hidden>
      {ticks.map((t) => {
        const at = (t - window.from) / (window.to - window.from);
        if (at > 0.97) return null;
        return (
          <span key={t} className={css.tick} style={{ left: `${at * 100}%` }}>
            {format(t, "ns")}
          </span>
        );
      })}
    </div>
  );
}
