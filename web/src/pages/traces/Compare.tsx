import { X, ZoomIn } from "lucide-react";
import type { CompareAnswer } from "@/api/types";
import { term } from "@/app/links";
import type { Scope } from "@/app/range";
import { format, integer } from "@/lib/format";
import { hasTerm, negate, toggleTerm } from "@/lib/searchlang";
import type { Selection } from "@/lib/selection";
import { clock } from "@/lib/time";
import { Button, IconButton } from "@/ui/Button";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { useCompare } from "./useTraces";
import css from "./Compare.module.css";

interface Props {
  scope: Scope;
  q: string;
  text: string;
  selection: Selection;
  onQuery: (q: string) => void;
  onZoom: () => void;
  onClose: () => void;
}

/** "Why these?": what the selected spans have that the others do not. */
export function Compare({ scope, q, text, selection: s, onQuery, onZoom, onClose }: Props) {
  const query = useCompare(scope, q, s);
  return (
    <section className={css.panel} aria-label="Why these?" data-testid="compare">
      <header className={css.head}>
        <div className={css.words}>
          <h2>Why these?</h2>
          <p className={css.what}>
            {format(s.minNs, "ns")} – {format(s.maxNs, "ns")}, {clock(s.fromMs, scope.utc)} – {clock(s.toMs, scope.utc)}
            {query.data && (
              <>
                {" · "}
                {integer(query.data.selected)} selected against {integer(query.data.baseline)} others
              </>
            )}
          </p>
        </div>
        <Button size="sm" onClick={onZoom}>
          <ZoomIn size={14} aria-hidden /> Zoom to these
        </Button>
        <IconButton size="sm" label="Clear the selection" onClick={onClose}>
          <X size={14} />
        </IconButton>
      </header>
      <Query query={query} skeleton={<SkeletonRows rows={4} height={30} />}>
        {(data) => <Rows data={data} text={text} onQuery={onQuery} />}
      </Query>
    </section>
  );
}

const SHOWN = 12;

function Rows({ data, text, onQuery }: { data: CompareAnswer; text: string; onQuery: (q: string) => void }) {
  if (data.selected === 0) return <Empty title="No span lies in the rectangle">Draw it over coloured cells.</Empty>;
  if (data.rows.length === 0) return <Empty title="Nothing sets them apart">Their attributes are spread as in the other spans. Time or load may be the difference: look at the services&rsquo; charts.</Empty>;
  return (
    <>
      <div className={css.legend} aria-hidden>
        <span className={css.inKey} /> selected
        <span className={css.outKey} /> the rest
      </div>
      <ul className={css.rows}>
        {data.rows.slice(0, SHOWN).map((r) => {
          const t = term(r.key, r.value);
          return (
            <li key={t} className={css.row}>
              <button
                type="button"
                className={css.pick}
                aria-pressed={hasTerm(text, t)}
                title={`Narrow to ${t} (⌥ click leaves it out)`}
                onClick={(e) => onQuery(toggleTerm(text, e.altKey ? negate(t) : t))}
              >
                <span className={css.name}>
                  <span className={css.key}>{r.key}</span>
                  <span className={css.value}>{r.value || "(empty)"}</span>
                </span>
                <span className={css.bars} aria-hidden>
                  <span className={css.in} style={{ width: `${r.selected_share * 100}%` }} />
                  <span className={css.out} style={{ width: `${r.baseline_share * 100}%` }} />
                </span>
                <span className={css.numbers}>
                  <b>{format(r.selected_share, "ratio")}</b> of selected vs {format(r.baseline_share, "ratio")}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
