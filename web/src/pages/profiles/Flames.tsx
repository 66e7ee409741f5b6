import { useDeferredValue, useMemo } from "react";
import type { FlameAnswer } from "@/api/profiles";
import { FlameGraph } from "@/charts/FlameGraph";
import { byPackage, collapseRecursion, type Flame, flameOf, focusOn, functions, matcher, sandwich, search as find } from "@/lib/flame";
import { plural } from "@/lib/format";
import { words } from "@/lib/profiletype";
import { Button } from "@/ui/Button";
import { SearchField } from "@/ui/SearchField";
import { Empty } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { Functions } from "./Functions";
import type { ProfilesSearch } from "./route";
import css from "./Page.module.css";

interface Props {
  data: FlameAnswer;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>, replace?: boolean) => void;
}

const VIEWS = [
  { id: "flame", label: "Flame graph" },
  { id: "sandwich", label: "Callers and callees" },
] as const;

export function Flames({ data, search, set }: Props) {
  const whole = useMemo(() => flameOf(data.frames, data.nodes), [data]);
  const q = useDeferredValue(search.q ?? "");
  const expression = useMemo(() => matcher(q), [q]);
  const flame = useMemo(() => {
    let f: Flame = whole;
    if (search.group === "package") f = byPackage(f);
    else if (search.rec === "1") f = collapseRecursion(f);
    return search.only === "1" && expression ? focusOn(f, expression) : f;
  }, [whole, search.group, search.rec, search.only, expression]);
  const found = useMemo(() => find(flame, expression), [flame, expression]);
  const rows = useMemo(() => functions(flame), [flame]);
  const compared = flame.baseTotal !== null;
  const say = (v: number) => words(v, data.unit);
  const open = (fn: string) => fn !== "all" && set({ view: "sandwich", fn });
  const name = search.fn ?? rows.reduce((a, b) => (b.self > (a?.self ?? -1) ? b : a), rows[0])?.function;
  const view = search.view ?? "flame";
  if (data.total === 0 && !compared) return <Empty title="Nothing was used">The profiles of this selection hold no samples of this kind.</Empty>;
  return (
    <div className={css.flames}>
      <div className={css.bar}>
        <Segmented label="View" options={VIEWS} value={view} onChange={(v) => set({ view: v === "flame" ? undefined : v })} />
        <SearchField label="Find functions" placeholder="Find: name, file or expression" value={search.q ?? ""} onChange={(v) => set({ q: v || undefined, only: v ? search.only : undefined }, true)} />
        {search.q && (
          <>
            <span className={css.share} role="status">
              {(100 * found.share).toFixed(1)} % in matches
            </span>
            <Button pressed={search.only === "1"} onClick={() => set({ only: search.only ? undefined : "1" })}>
              Only matches
            </Button>
          </>
        )}
        <Button pressed={search.group === "package"} onClick={() => set({ group: search.group ? undefined : "package" })}>
          By package
        </Button>
        <Button pressed={search.rec === "1"} disabled={search.group === "package"} onClick={() => set({ rec: search.rec ? undefined : "1" })}>
          Collapse recursion
        </Button>
        <span className={css.count}>
          {plural(data.profiles, "profile")} of {plural(data.processes, "process", "processes")}
          {data.pruned > 0 && ` · ${plural(data.pruned, "small call")} not drawn`}
        </span>
      </div>
      {view === "flame" ? (
        <FlameGraph flame={flame} label="Flame graph" colour={compared ? "change" : "package"} found={expression ? found.frames : null} words={say} onFunction={open} />
      ) : (
        <Sandwich flame={flame} name={name} compared={compared} found={expression ? found.frames : null} say={say} open={open} />
      )}
      {compared && (
        <p className={css.key}>
          <span data-tone="bad" /> takes more of the whole than before <span data-tone="good" /> takes less
        </p>
      )}
      <Functions rows={rows} flame={flame} unit={data.unit} q={expression} search={search} set={set} onOpen={open} />
    </div>
  );
}

function Sandwich({ flame, name, compared, found, say, open }: { flame: Flame; name: string | undefined; compared: boolean; found: Uint8Array | null; say: (v: number) => string; open: (fn: string) => void }) {
  const both = useMemo(() => (name ? sandwich(flame, name) : null), [flame, name]);
  if (!both || both.callees.total[0] === 0) return <Empty title="This function is not in the selection">Choose one in the table below.</Empty>;
  const colour = compared ? "change" : "package";
  return (
    <div className={css.sandwich}>
      <h3 className={css.fn}>{name}</h3>
      <h4 className={css.half}>Called by</h4>
      <FlameGraph flame={both.callers} label={`Callers of ${name}`} colour={colour} found={found} words={say} onFunction={open} />
      <h4 className={css.half}>Calls</h4>
      <FlameGraph flame={both.callees} label={`What ${name} calls`} colour={colour} found={found} words={say} onFunction={open} />
    </div>
  );
}
