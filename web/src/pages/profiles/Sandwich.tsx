import { useMemo } from "react";
import type { ProfileChoice } from "@/api/profiles";
import { type Drawn, FlameGraph } from "@/charts/FlameGraph";
import { type Flame, sandwich, search as find, sides } from "@/lib/flame";
import { changeWords, percent } from "@/lib/profilescale";
import { CopyButton } from "@/ui/Copy";
import { Empty } from "@/ui/States";
import { Cost } from "./Cost";
import { Operations } from "./Operations";
import css from "./Page.module.css";

interface Props {
  flame: Flame;
  /** The stacks with this function in them, with their small calls. */
  closely: Flame | undefined;
  expression: RegExp | null;
  name: string | undefined;
  choice: ProfileChoice;
  /** Names are packages'. */
  packages: boolean;
  drawn: Drawn;
}

/** A function: what calls it, what it calls, and whose requests spend time in it. */
export function Sandwich({ flame, closely, expression, name, choice, packages, drawn }: Props) {
  const from = closely ?? flame;
  const both = useMemo(() => (name ? sandwich(from, name) : null), [from, name]);
  const halves = useMemo(() => (closely ? { ...drawn, found: expression ? find(closely, expression).frames : null } : drawn), [closely, expression, drawn]);
  if (!name || !both || both.callees.frame.length < 2) return <Empty title="This function is not drawn">Either it is not in the selection, or each of its calls is too small. Choose one in the table below.</Empty>;
  return (
    <div className={css.sandwich}>
      <Facts name={name} flame={flame} part={both.callees} drawn={drawn} />
      {!packages && <Cost choice={choice} fn={name} />}
      {!packages && <Operations choice={choice} fn={name} />}
      <h4 className={css.half}>Called by</h4>
      <FlameGraph flame={both.callers} label={`Callers of ${name}`} half="callers" {...halves} />
      <h4 className={css.half}>Calls</h4>
      <FlameGraph flame={both.callees} label={`What ${name} calls`} half="callees" {...halves} />
    </div>
  );
}

function Facts({ name, flame, part, drawn }: { name: string; flame: Flame; part: Flame; drawn: Drawn }) {
  const frame = part.frames.find((f) => f.function === name);
  let self = 0;
  for (let i = 1; i < part.frame.length; i++) if (part.frames[part.frame[i]!]!.function === name) self += part.self[i]!;
  const total = part.total[0]!;
  const whole = flame.total[0] || 1;
  const [a, b] = sides(flame);
  const place = frame?.file ? `${frame.file}${frame.line ? `:${frame.line}` : ""}` : "";
  return (
    <header className={css.function}>
      <h3 className={css.fn}>{name}</h3>
      <p className={css.small}>
        {drawn.words(total)} with what it calls, {percent(total / whole)} of all; {drawn.words(self)} by itself
        {part.baseTotal && drawn.compare && (
          <>
            ; <b>{since(total * a, part.baseTotal[0]! * b, drawn.compare)}</b>
          </>
        )}
      </p>
      {place && (
        <p className={css.place}>
          <code>{place}</code>
          <CopyButton text={place} label="Copy file and line" />
        </p>
      )}
    </header>
  );
}

function since(now: number, was: number, say: (v: number) => string): string {
  if (was === 0) return "not there before";
  return now === 0 ? "no longer there" : `${changeWords(now, was, say)} against before`;
}
