import { type KeyboardEvent, type MouseEvent, useState } from "react";
import { ChevronDown, ChevronRight, Minus } from "lucide-react";
import type { Facet, FacetsAnswer } from "@/api/types";
import { term } from "@/app/links";
import { format, integer } from "@/lib/format";
import { hasTerm, negate, toggleTerm } from "@/lib/searchlang";
import { ServiceDot } from "@/ui/Service";
import { Skeleton } from "@/ui/States";
import css from "./Facets.module.css";

interface Props {
  data: FacetsAnswer | undefined;
  q: string;
  onChange: (q: string) => void;
}

const SHOWN = 6;
const OPEN_FACETS = 6;

/** Values with counts. A click narrows to one, ⌥ click or the minus leaves it out. */
export function Facets({ data, q, onChange }: Props) {
  const [openNarrow, setOpenNarrow] = useState(false);
  const facets = data?.facets.filter((f) => f.values.length > 0) ?? [];
  return (
    <aside className={css.facets} aria-label="Filters">
      <button type="button" className={css.narrow} aria-expanded={openNarrow} onClick={() => setOpenNarrow(!openNarrow)}>
        {openNarrow ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />} Filters
        {data && <span className={css.sum}>{integer(data.total)} matching</span>}
      </button>
      <div className={css.body} data-open={openNarrow || undefined}>
        {!data && Array.from({ length: 4 }, (_, i) => <Skeleton key={i} height={96} style={{ marginBottom: 12 }} />)}
        {facets.map((f, i) => (
          <Group key={f.key} facet={f} q={q} onChange={onChange} initiallyOpen={i < OPEN_FACETS} />
        ))}
        {data?.sampled && <p className={css.note}>Counts are of a sample.</p>}
      </div>
    </aside>
  );
}

function Group({ facet, q, onChange, initiallyOpen }: { facet: Facet; q: string; onChange: (q: string) => void; initiallyOpen: boolean }) {
  const used = facet.values.some((v) => hasTerm(q, term(facet.key, v.value)) || hasTerm(q, negate(term(facet.key, v.value))));
  const [choice, setOpen] = useState<boolean | null>(null);
  const [all, setAll] = useState(false);
  const open = choice ?? (initiallyOpen || used);
  const max = Math.max(1, ...facet.values.map((v) => v.count));
  const shown = all ? facet.values : facet.values.slice(0, SHOWN);
  return (
    <section className={css.group}>
      <h3 className={css.head}>
        <button type="button" className={css.toggle} aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? <ChevronDown size={13} aria-hidden /> : <ChevronRight size={13} aria-hidden />}
          <span className={css.key} title={facet.key}>
            {facet.key}
          </span>
        </button>
      </h3>
      {open && (
        <ul>
          {shown.map((v) => (
            <Value key={v.value} facet={facet.key} value={v.value} count={v.count} share={v.count / max} q={q} onChange={onChange} />
          ))}
          {facet.values.length > SHOWN && (
            <li>
              <button type="button" className={css.more} onClick={() => setAll(!all)}>
                {all ? "Fewer" : `${facet.values.length - SHOWN} more`}
              </button>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

function Value({ facet, value, count, share, q, onChange }: { facet: string; value: string; count: number; share: number; q: string; onChange: (q: string) => void }) {
  const t = term(facet, value);
  const state = hasTerm(q, t) ? "in" : hasTerm(q, negate(t)) ? "out" : undefined;
  const exclude = () => onChange(toggleTerm(q, negate(t)));
  const click = (e: MouseEvent) => (e.altKey ? exclude() : onChange(toggleTerm(q, t)));
  const keys = (e: KeyboardEvent) => {
    if (e.key !== "-") return;
    e.preventDefault();
    e.stopPropagation();
    exclude();
  };
  return (
    <li className={css.value} data-state={state}>
      <button type="button" className={css.pick} aria-pressed={state === "in"} onClick={click} onKeyDown={keys} title={`${facet}: ${value}`}>
        <span className={css.bar} style={{ width: `${share * 100}%` }} aria-hidden />
        {facet === "service" && <span className={css.dot}><ServiceDot name={value} size={7} /></span>}
        <span className={css.text}>{value === "" ? "(empty)" : value}</span>
        <span className={css.count}>{format(count)}</span>
      </button>
      <button type="button" className={css.minus} aria-label={`Leave out ${facet} ${value}`} aria-pressed={state === "out"} onClick={exclude}>
        <Minus size={12} />
      </button>
    </li>
  );
}
