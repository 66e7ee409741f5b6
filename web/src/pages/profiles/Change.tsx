import type { FunctionMove, ProfileComparison } from "@/api/profiles";
import { type Base, baseWords } from "@/lib/profilebase";
import { unitOf } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import css from "./Page.module.css";

interface Props {
  data: ProfileComparison;
  base: Base;
  /** The function that the page is about. */
  chosen: string | undefined;
  onFunction: (fn: string) => void;
}

const SHOWN = 8;

/** What changed against the base: one sentence, then the functions that moved most. */
export function Change({ data, base, chosen, onFunction }: Props) {
  const [of, per] = data.mover_unit.split(/\/| a /);
  const unit = unitOf(of!);
  const movers = data.movers.filter((m) => (data.significance ? m.significant : true)).slice(0, SHOWN);
  const most = Math.max(...movers.map((m) => Math.abs(m.self - m.base_self)));
  return (
    <Panel title={`Against ${baseWords(base)}`}>
      <p className={css.summary}>{data.summary}</p>
      <p className={css.small}>
        {data.this.profiles} profiles against {data.base.profiles}
        {data.per_request && `; ${data.this.requests.toLocaleString("en")} requests against ${data.base.requests.toLocaleString("en")}`}
        {!data.significance && ". Fewer than 5 profiles on a side, or values of a moment: what follows may be chance"}
        {data.note && `. ${data.note}`}
      </p>
      {movers.length > 0 && (
        <div className={css.moversBox}>
          <table className={css.movers} aria-label="Functions that changed most">
            <thead>
              <tr>
                <th scope="col">Function</th>
                <th scope="col" className={css.minor}>
                  Before
                </th>
                <th scope="col">Now</th>
                <th scope="col">Change{per ? ` a ${per === "s" ? "second" : per}` : ""}</th>
                {data.significance && (
                  <th scope="col" title="The probability that chance alone makes such a difference (Mann-Whitney U)">
                    p
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {movers.map((m) => (
                <Row key={`${m.function} ${m.file}`} m={m} unit={unit} most={most} chosen={m.function === chosen} significance={data.significance} onFunction={onFunction} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({ m, unit, most, chosen, significance, onFunction }: { m: FunctionMove; unit: string; most: number; chosen: boolean; significance: boolean; onFunction: (fn: string) => void }) {
  const d = m.self - m.base_self;
  const tone = m.shift ? undefined : d > 0 ? "bad" : "good";
  return (
    <tr data-chosen={chosen || undefined}>
      <td>
        <span className={css.what}>
          <button type="button" className={css.name} title={m.function} onClick={() => onFunction(m.function)}>
            {m.function}
          </button>
          {m.new && <span className={css.tag}>new</span>}
          {m.self === 0 && <span className={css.tag}>gone</span>}
          {m.shift && (
            <span className={css.tag} title="Its callers take as much as before: work has moved between functions">
              moved
            </span>
          )}
        </span>
      </td>
      <td className={css.minor}>
        <Num value={m.base_self} unit={unit} />
      </td>
      <td>
        <Num value={m.self} unit={unit} />
      </td>
      <td data-tone={tone} className={css.points}>
        <span className={css.size} aria-hidden>
          <span data-tone={tone} style={{ width: `${Math.max(2, (100 * Math.abs(d)) / (most || 1))}%` }} />
        </span>
        {d >= 0 ? "+" : "−"}
        <Num value={Math.abs(d)} unit={unit} />
      </td>
      {significance && <td>{m.p !== null && (m.p < 0.001 ? "< 0.001" : m.p.toFixed(3))}</td>}
    </tr>
  );
}
