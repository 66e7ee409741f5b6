import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { compareQuery, type FlameAnswer, flameQuery, type ProfileChoice, type ProfileComparison, type ProfileKind } from "@/api/profiles";
import { useScope } from "@/app/range";
import { Panel } from "@/ui/Panel";
import { Query, Skeleton } from "@/ui/States";
import { baseOf } from "./base";
import { Change } from "./Change";
import { Flames } from "./Flames";
import { Over } from "./Over";
import { profilesRoute } from "./route";
import { Toolbar } from "./Toolbar";
import css from "./Page.module.css";

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
  const base = baseOf(search.vs);
  const flame = useQuery({ ...flameQuery(scope, choice), enabled: !base });
  const compared = useQuery({ ...compareQuery(scope, choice, base ?? {}), enabled: !!base, placeholderData: keepPreviousData });
  const query = base ? compared : flame;
  const set = (patch: Partial<typeof search>, replace = false) => void navigate({ search: (o) => ({ ...o, ...patch }), replace, resetScroll: false });
  return (
    <div className={css.page}>
      <Toolbar kinds={kinds} kind={kind} choice={choice} search={search} set={set} />
      <Over choice={choice} />
      <Query query={query as typeof flame} skeleton={<Skeleton height={420} />}>
        {(data: FlameAnswer) => (
          <>
            {base && "movers" in data && <Change data={data as ProfileComparison} vs={search.vs!} onFunction={(fn) => set({ view: "sandwich", fn })} />}
            <Panel>
              <Flames data={data} search={search} set={set} />
            </Panel>
          </>
        )}
      </Query>
    </div>
  );
}
