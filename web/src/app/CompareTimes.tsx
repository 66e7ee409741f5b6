import { useMatches, useNavigate } from "@tanstack/react-router";
import { BASE_TIMES, formatBase, parseBase } from "@/lib/profilebase";
import css from "./TimePicker.module.css";

/** In the time picker, on pages that compare: the time to compare with. */
export function CompareTimes({ close }: { close: () => void }) {
  const match = useMatches().at(-1);
  const navigate = useNavigate();
  if (!match?.staticData.compares) return null;
  const base = parseBase((match.search as { vs?: string }).vs);
  const choose = (time: string | undefined) => {
    void navigate({ to: ".", search: (old: object) => ({ ...old, vs: formatBase({ ...base, time }) }) as never });
    close();
  };
  return (
    <fieldset className={css.compare}>
      <legend>Compare with</legend>
      {BASE_TIMES.map((t) => (
        <button key={t.id} type="button" className={css.preset} aria-pressed={base?.time === t.id} onClick={() => choose(base?.time === t.id ? undefined : t.id)}>
          {t.label}
        </button>
      ))}
    </fieldset>
  );
}
