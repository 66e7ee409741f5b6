import type { Objective, ObjectiveState } from "@/api/types";
import { integer, sig3 } from "@/lib/format";
import { budgetWords, preciseRatio } from "@/lib/rules";
import { Num } from "@/ui/Num";
import css from "./Budget.module.css";

/** How much failure is left before the promise is broken, and how fast it goes. */
export function Budget({ slo, state: s }: { slo: Pick<Objective, "target" | "window_days">; state: ObjectiveState }) {
  if (s.ratio === null || s.budget_left === null) return <p className={css.none}>No requests in its window yet.</p>;
  const left = s.budget_left;
  const tone = left <= 0 ? "bad" : left < 0.25 ? "warn" : undefined;
  return (
    <div className={css.budget}>
      <div className={css.row}>
        <span className={css.track} aria-hidden>
          <span className={css.fill} data-tone={tone} style={{ width: `${Math.max(0, Math.min(1, left)) * 100}%` }} />
        </span>
        <span data-tone={tone} className={css.left}>
          {budgetWords(left)}
        </span>
      </div>
      <p className={css.detail}>
        {preciseRatio(s.ratio)} good, {sig3(slo.target * 100)} % wanted · {integer(s.bad)} of {integer(s.total)} requests bad
        {s.burn.map((b) => (
          <span key={b.name || b.long_s}>
            {" "}
            · {span(b.long_s)}: <Num value={b.long} unit="×" tone={b.firing ? "bad" : undefined} />
          </span>
        ))}
      </p>
    </div>
  );
}

const span = (s: number) => (s >= 3600 ? `${s / 3600}\u202fh` : `${s / 60}\u202fmin`);
