import type { FunctionMove, ProfileComparison } from "@/api/profiles";
import { unitOf } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { baseWords } from "./base";
import css from "./Page.module.css";

/** What changed against the base: one sentence, then the functions that moved most. */
export function Change({ data, vs, onFunction }: { data: ProfileComparison; vs: string; onFunction: (fn: string) => void }) {
  const [base, per] = data.mover_unit.split(/\/| a /);
  const unit = unitOf(base!);
  const movers = data.movers.filter((m) => (data.significance ? m.significant : true)).slice(0, 8);
  return (
    <Panel title={`Against ${baseWords(vs)}`}>
      <p className={css.summary}>{data.summary}</p>
      <p className={css.small}>
        {data.this.profiles} profiles against {data.base.profiles}
        {data.per_request && `; ${data.this.requests.toLocaleString()} requests against ${data.base.requests.toLocaleString()}`}
        {!data.significance && ". Fewer than 5 profiles on a side, or values of a moment: what follows may be chance"}
        {data.note && `. ${data.note}`}
      </p>
      {movers.length > 0 && (
        <div className={css.moversBox}>
          <table className={css.movers}>
            <thead>
              <tr>
                <th scope="col">Function</th>
                <th scope="col">Before</th>
                <th scope="col">Now</th>
                <th scope="col">Change{per ? ` a ${per === "s" ? "second" : per}` : ""}</th>
                {data.significance && <th scope="col">p</th>}
              </tr>
            </thead>
            <tbody>
              {movers.map((m) => (
                <Row key={`${m.function} ${m.file}`} m={m} unit={unit} significance={data.significance} onFunction={onFunction} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({ m, unit, significance, onFunction }: { m: FunctionMove; unit: string; significance: boolean; onFunction: (fn: string) => void }) {
  const d = m.self - m.base_self;
  return (
    <tr>
      <td>
        <button type="button" className={css.name} title={m.function} onClick={() => onFunction(m.function)}>
          {m.function}
        </button>
        {m.new && <span className={css.tag}>new</span>}
        {m.shift && (
          <span className={css.tag} title="Its callers take as much as before: work has moved between functions">
            moved
          </span>
        )}
      </td>
      <td>
        <Num value={m.base_self} unit={unit} />
      </td>
      <td>
        <Num value={m.self} unit={unit} />
      </td>
      <td data-tone={m.shift ? undefined : d > 0 ? "bad" : "good"} className={css.points}>
        {d >= 0 ? "+" : "−"}
        <Num value={Math.abs(d)} unit={unit} />
      </td>
      {significance && <td>{m.p !== null && (m.p < 0.001 ? "< 0.001" : m.p.toFixed(3))}</td>}
    </tr>
  );
}
