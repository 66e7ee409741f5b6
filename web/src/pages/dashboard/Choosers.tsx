import { useId, useMemo, useState } from "react";
import { ChevronDown } from "lucide-react";
import { ALL, type Resolved, toggled } from "@/lib/dash/variables";
import { Popover } from "@/ui/Popover";
import picker from "@/ui/Picker.module.css";
import css from "./Choosers.module.css";

const MOST_SHOWN = 200;

/** The variables above the panels. */
export function Choosers({ by, faults, onChoose }: { by: ReadonlyMap<string, Resolved>; faults: ReadonlyMap<string, string>; onChoose: (name: string, chosen: readonly string[]) => void }) {
  const shown = [...by.values()].filter((r) => !r.variable.hidden && r.variable.kind !== "constant");
  if (shown.length === 0) return null;
  return (
    <div className={css.row} role="group" aria-label="Variables">
      {shown.map((r) =>
        r.variable.kind === "text" ? (
          <TextChooser key={r.variable.name} r={r} onChoose={onChoose} />
        ) : (
          <Chooser key={r.variable.name} r={r} fault={faults.get(r.variable.name)} onChoose={onChoose} />
        ),
      )}
    </div>
  );
}

const nameOf = (r: Resolved) => r.variable.label || r.variable.name;

function TextChooser({ r, onChoose }: { r: Resolved; onChoose: (name: string, chosen: readonly string[]) => void }) {
  const id = useId();
  return (
    <span className={css.chooser}>
      <label className={css.name} htmlFor={id}>
        {nameOf(r)}
      </label>
      <input id={id} key={r.chosen[0]} className={css.text} defaultValue={r.chosen[0] ?? ""} onBlur={(e) => onChoose(r.variable.name, [e.target.value])} onKeyDown={(e) => e.key === "Enter" && e.currentTarget.blur()} />
    </span>
  );
}

function Chooser({ r, fault, onChoose }: { r: Resolved; fault: string | undefined; onChoose: (name: string, chosen: readonly string[]) => void }) {
  const [open, setOpen] = useState(false);
  const { variable: v } = r;
  const text = r.chosen.includes(ALL) ? "All" : r.chosen.length > 2 ? `${r.chosen[0]} + ${r.chosen.length - 1}` : r.chosen.join(", ") || "none";
  const pick = (option: string) => {
    onChoose(v.name, toggled(v, r.chosen, option));
    if (!v.multi) setOpen(false);
  };
  return (
    <Popover
      label={nameOf(r)}
      align="start"
      open={open}
      onOpenChange={setOpen}
      className={picker.popover}
      trigger={
        <button type="button" className={css.button} data-fault={fault ? "" : undefined} title={fault} aria-label={`${nameOf(r)}: ${text}`}>
          <span className={css.name}>{nameOf(r)}</span>
          <span className={css.value}>{text}</span>
          <ChevronDown size={13} aria-hidden />
        </button>
      }
    >
      <Options r={r} fault={fault} pick={pick} />
    </Popover>
  );
}

function Options({ r, fault, pick }: { r: Resolved; fault: string | undefined; pick: (option: string) => void }) {
  const [q, setQ] = useState("");
  const { variable: v } = r;
  const found = useMemo(() => {
    const gone = r.chosen.filter((c) => c !== ALL && !r.options.includes(c));
    return [...(v.include_all ? [ALL] : []), ...gone, ...r.options].filter((o) => (o === ALL ? "all" : o.toLowerCase()).includes(q.toLowerCase()));
  }, [r, v, q]);
  return (
    <div>
      <input className={picker.search} autoFocus placeholder="Filter" aria-label={`Filter ${nameOf(r)}`} value={q} onChange={(e) => setQ(e.target.value)} onKeyDown={(e) => e.key === "Enter" && found[0] && pick(found[0])} />
      {fault && <p className={css.fault}>{fault}</p>}
      <ul className={picker.list} aria-label={nameOf(r)}>
        {found.slice(0, MOST_SHOWN).map((o) => (
          <li key={o}>
            <label className={`${picker.item} ${css.option}`}>
              <input type={v.multi ? "checkbox" : "radio"} name={`choice-${v.name}`} checked={r.chosen.includes(o)} onChange={() => pick(o)} />
              <span>{o === ALL ? "All" : o || "(empty)"}</span>
            </label>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className={picker.note}>Nothing to choose</p>}
      {found.length > MOST_SHOWN && <p className={picker.note}>{found.length - MOST_SHOWN} more: filter</p>}
    </div>
  );
}
