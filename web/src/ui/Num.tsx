import { parts, type Unit } from "@/lib/format";
import css from "./Num.module.css";

/** A number in the mono face with its unit in a lighter tone. */
export function Num({ value, unit = "count", tone }: { value: number | null | undefined; unit?: Unit; tone?: "warn" | "bad" | "faint" }) {
  const p = parts(value, unit);
  return (
    <span className={css.num} data-tone={tone}>
      {p.value}
      {p.unit && <span className={css.unit}>{`\u202f${p.unit}`}</span>}
    </span>
  );
}
