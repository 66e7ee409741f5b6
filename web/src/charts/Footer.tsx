import { useEffect, useRef } from "react";
import type { Range } from "@/api/types";
import { onBeat } from "@/lib/clock";
import { ago, stepName } from "@/lib/format";
import css from "./TimeChart.module.css";

/** The small print: "10 s steps · 0.8 s ago". Repaints itself, without React. */
export function Footer({ range, freshAt, note }: { range: Range; freshAt?: number; note?: string }) {
  const fresh = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const paint = (now: number) => {
      if (fresh.current) fresh.current.textContent = freshAt ? ` · ${ago(now - freshAt)}` : "";
    };
    paint(Date.now());
    return freshAt ? onBeat(paint) : undefined;
  }, [freshAt]);
  return (
    <span className={css.print}>
      {stepName(range.step_ms / 1000)} steps
      {note && <span className={css.printNote}>{` · ${note}`}</span>}
      <span ref={fresh} />
    </span>
  );
}
