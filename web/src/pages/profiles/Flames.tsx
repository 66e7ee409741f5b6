import { lazy, Suspense, useDeferredValue, useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import { type FlameAnswer, flameThroughQuery, type ProfileChoice, type ProfileComparison } from "@/api/profiles";
import { useScope } from "@/app/range";
import { FlameGraph } from "@/charts/FlameGraph";
import { byPackage, collapseRecursion, type Flame, flameOf, focusOn, functionRows, functions, matcher, search as find } from "@/lib/flame";
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

/** Where calls are too small to be listed: those of what is looked at more closely. */
function useCloser(data: FlameAnswer, comparison: ProfileComparison | undefined, choice: ProfileChoice, focus: string | undefined): FlameAnswer | undefined {
  const scope = useScope();
  const wanted = !comparison && data.pruned > 0 && !!focus;
  const q = useQuery({ ...flameThroughQuery(scope, choice, focus ?? ""), enabled: wanted, placeholderData: undefined, retry: false });
  return wanted ? q.data : undefined;
}

/** An expression as the server writes it. What it does not know is looked for here, in the calls that are listed. */
const expressionOf = (q: RegExp) => `${q.flags.includes("i") ? "(?i)" : ""}${q.source}`;

const regrouping = (group: ProfilesSearch["group"], rec: ProfilesSearch["rec"], only: RegExp | null) => (f: Flame): Flame => {
  const g = group === "package" ? byPackage(f) : rec === "1" ? collapseRecursion(f) : f;
  return only ? focusOn(g, only) : g;
};

export function Flames({ data, comparison, choice, search, set }: Props) {
  const scales = useMemo(() => (comparison ? scalesOf(comparison) : []), [comparison]);
  const scale = scales.find((s) => s.id === search.scale) ?? scales[0];
  const whole = useMemo(() => flameOf(data.frames, data.nodes, scale?.weights), [data, scale?.id]);
  const q = useDeferredValue(search.q ?? "");
  const expression = useMemo(() => matcher(q), [q]);
  const view = search.view ?? (search.fn ? "sandwich" : "flame");
  const only = search.only === "1" && expression;
  const regrouped = useMemo(() => regrouping(search.group, search.rec, only ? expression : null), [search.group, search.rec, only, expression]);
  const packages = search.group === "package";
  const largest = useMemo(() => data.frames[data.functions.self.indexOf(data.functions.self.reduce((a, b) => Math.max(a, b), 0))]?.function, [data]);
  const name = search.fn ?? largest;
  const closer = useCloser(data, comparison, choice, packages ? undefined : view === "sandwich" && name ? `^\\Q${name}\\E$` : only ? expressionOf(expression) : undefined);
  const closely = useMemo(() => closer && regrouped(flameOf(closer.frames, closer.nodes)), [closer, regrouped]);
  const flame = useMemo(() => (only && view !== "sandwich" && closely ? closely : regrouped(whole)), [only, view, closely, whole, regrouped]);
  const found = useMemo(() => find(flame, expression), [flame, expression]);
  // The answer counts the small calls too that are not drawn; a tree that is regrouped here has only those that are.
  const asked = !packages && !only;
  const rows = useMemo(() => (asked ? functionRows(data.frames, data.functions) : functions(flame)), [asked, data, flame]);
  const say = useMemo(() => (v: number) => words(v, data.unit), [data.unit]);
  const open = (fn: string) => fn !== "all" && set({ view: "sandwich", fn });
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
              {data.pruned > 0 && "at least "}
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
      {view === "sandwich" && <Sandwich flame={flame} closely={closely} expression={expression} name={packages && !search.fn ? rows.reduce((a, b) => (b.self > (a?.self ?? -1) ? b : a), rows[0])?.function : name} choice={choice} packages={packages} drawn={drawn} />}
      {view === "graph" && (
        <Suspense fallback={<Skeleton height={520} />}>
          <Graph flame={flame} {...drawn} />
        </Suspense>
      )}
      <Functions rows={rows} flame={flame} unit={data.unit} scale={scale} q={expression} search={search} set={set} onOpen={open} />
    </div>
  );
}
