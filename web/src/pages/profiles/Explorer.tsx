import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { compareQuery, type FlameAnswer, type ProfileChoice, type ProfileComparison, type ProfileKind, useFlame } from "@/api/profiles";
import { useScope } from "@/app/range";
import { type Base, baseParams, formatBase, parseBase } from "@/lib/profilebase";
import { resolve, type Span } from "@/lib/time";
import { Panel } from "@/ui/Panel";
import { Query, Skeleton } from "@/ui/States";
import { Change } from "./Change";
import { Flames } from "./Flames";
import { Over } from "./Over";
import { profilesRoute } from "./route";
import { Toolbar } from "./Toolbar";
import css from "./Page.module.css";

const NOTHING: Base = {};

/** One service's profiles of one type: over time, as a flame graph, as a table, and compared. */
export function Explorer({ kinds, kind }: { kinds: ProfileKind[]; kind: ProfileKind }) {
  const search = profilesRoute.useSearch();
  const navigate = useNavigate({ from: "/profiles" });
  const scope = useScope();
  const choice: ProfileChoice = useMemo(
    () => ({
      service: kind.service,
      type: kind.type,
      sample_type: search.st && kind.sample_types.includes(search.st) ? search.st : kind.default_sample_type,
      version: search.version,
      instance: search.instance,
      label: search.label ? [search.label] : undefined,
    }),
    [kind, search.st, search.version, search.instance, search.label],
  );
  const base = useMemo(() => parseBase(search.vs), [search.vs]);
  const against = useMemo(() => baseParams(base ?? NOTHING, choice, scope.range, Date.now()), [base, choice, scope.range]);
  const flame = useFlame(scope, choice, !base);
  const compared = useQuery({ ...compareQuery(scope, choice, against), enabled: !!base, placeholderData: keepPreviousData });
  const query = base ? compared : flame;
  const set = (patch: Partial<typeof search>, replace = false) => void navigate({ search: (o) => ({ ...o, ...patch }), replace, resetScroll: false });
  // Where the other side has a time of its own, it is on the chart as well.
  const other = useMemo<Span | undefined>(() => {
    if (!base?.time) return undefined;
    return resolve({ from: against.base_from, to: against.base_to }, Date.now());
  }, [base, against]);
  const compareTime = (s: Span) => set({ vs: formatBase({ ...base, time: `from:${Math.round(s.from)},${Math.round(s.to)}` }) });
  return (
    <div className={css.page}>
      <Toolbar kinds={kinds} kind={kind} choice={choice} base={base} search={search} set={set} />
      <Over choice={choice} after={!query.isPending && !query.isPlaceholderData} other={other} onOther={compareTime} />
      <Query<FlameAnswer> query={query} skeleton={<Skeleton height={420} />}>
        {(data) => {
          const comparison = base && "movers" in data ? (data as ProfileComparison) : undefined;
          return (
            <>
              {base && comparison && <Change data={comparison} base={base} chosen={search.fn} onFunction={(fn) => set({ view: "sandwich", fn })} />}
              <Panel>
                <Flames data={data} comparison={comparison} choice={choice} search={search} set={set} />
              </Panel>
            </>
          );
        }}
      </Query>
    </div>
  );
}
