import { lazy, Suspense, useDeferredValue, useMemo } from "react";
import type { FlameAnswer, ProfileChoice, ProfileComparison } from "@/api/profiles";
import { FlameGraph } from "@/charts/FlameGraph";
import { byPackage, collapseRecursion, type Flame, flameOf, focusOn, functions, matcher, search as find } from "@/lib/flame";
import { plural } from "@/lib/format";
import { scalesOf } from "@/lib/profilescale";
import { words } from "@/lib/profiletype";
import { Button } from "@/ui/Button";
import { SearchField } from "@/ui/SearchField";
import { Empty, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { Functions } from "./Functions";
import { Sandwich } from "./Sandwich";
import type { ProfilesSearch } from "./route";
import css from "./Page.module.css";

// The graph's layout and canvas are only loaded by those who look at it.
const Graph = lazy(() => import("./Graph"));

interface Props {
  data: FlameAnswer;
  comparison: ProfileComparison | undefined;
  choice: ProfileChoice;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>, replace?: boolean) => void;
}

const VIEWS = [
  { id: "flame", label: "Flame graph" },
  { id: "sandwich", label: "Callers and callees" },
  { id: "graph", label: "Graph" },
] as const;
const COLOURS = [
  { id: "change", label: "Change" },
  { id: "package", label: "Package" },
] as const;

export function Flames({ data, comparison, choice, search, set }: Props) {
  const scales = useMemo(() => (comparison ? scalesOf(comparison) : []), [comparison]);
  const scale = scales.find((s) => s.id === search.scale) ?? scales[0];
  const whole = useMemo(() => flameOf(data.frames, data.nodes, scale?.weights), [data, scale?.id]);
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
  const say = useMemo(() => (v: number) => words(v, data.unit), [data.unit]);
  const open = (fn: string) => fn !== "all" && set({ view: "sandwich", fn });
  const name = search.fn ?? rows.reduce((a, b) => (b.self > (a?.self ?? -1) ? b : a), rows[0])?.function;
  const view = search.view ?? (search.fn ? "sandwich" : "flame");
  if (data.total === 0 && !comparison) return <Empty title="Nothing was used">The profiles of this selection hold no samples of this kind.</Empty>;
  const drawn = { colour: comparison && search.colour !== "package" ? ("change" as const) : ("package" as const), found: expression ? found.frames : null, words: say, compare: scale?.say, onFunction: open };
  return (
    <div className={css.flames}>
      <div className={css.bar}>
        <Segmented label="View" options={VIEWS} value={view} onChange={(v) => set({ view: v, fn: v === "sandwich" ? search.fn : undefined })} />
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
      {comparison && scale && (
        <div className={css.bar}>
          <span className={css.share}>Differences</span>
          <Segmented label="Differences in" options={scales} value={scale.id} onChange={(v) => set({ scale: v === scales[0]!.id ? undefined : v })} />
          <span className={css.share}>Colour</span>
          <Segmented label="Colour by" options={COLOURS} value={search.colour ?? "change"} onChange={(v) => set({ colour: v === "package" ? v : undefined })} />
          {drawn.colour === "change" && (
            <p className={css.key}>
              <span data-tone="bad" /> more than before <span data-tone="good" /> less
            </p>
          )}
        </div>
      )}
      {view === "flame" && <FlameGraph flame={flame} label="Flame graph" {...drawn} />}
      {view === "sandwich" && <Sandwich flame={flame} name={name} choice={choice} packages={search.group === "package"} drawn={drawn} />}
      {view === "graph" && (
        <Suspense fallback={<Skeleton height={520} />}>
          <Graph flame={flame} {...drawn} />
        </Suspense>
      )}
      <Functions rows={rows} flame={flame} unit={data.unit} scale={scale} q={expression} search={search} set={set} onOpen={open} />
    </div>
  );
}
