import { useMemo, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { flameQuery, kindsQuery, type ProfileChoice, type ProfileKind } from "@/api/profiles";
import { useScope } from "@/app/range";
import { FlameGraph } from "@/charts/FlameGraph";
import { flameOf } from "@/lib/flame";
import { meaning, typeLabel, words } from "@/lib/profiletype";
import { Over } from "@/pages/profiles/Over";
import { Empty, Query, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import css from "./Profiles.module.css";

/** Which functions of the service take the time and memory: over time, and as a flame graph. */
export function Profiles({ service, version, instance }: { service: string; version?: string; instance?: string }) {
  const scope = useScope();
  const kinds = useQuery(kindsQuery(scope, service));
  return (
    <Query query={kinds} skeleton={<Skeleton height={300} />}>
      {({ profiles }) =>
        profiles.length === 0 ? (
          <Empty title={`No profiles of ${service} in this range`} action={<Link to="/profiles" className="link">What has been profiled</Link>}>
            Push pprof profiles to <code>/v1/pprof?service={service}</code>, let Pyroscope’s SDK send here, or have them fetched with <code>--profile-targets</code>.
          </Empty>
        ) : (
          <OfService kinds={profiles} version={version} instance={instance} />
        )
      }
    </Query>
  );
}

function OfService({ kinds, version, instance }: { kinds: ProfileKind[]; version?: string; instance?: string }) {
  const [type, setType] = useState(kinds.some((k) => k.type === "cpu") ? "cpu" : kinds[0]!.type);
  const kind = kinds.find((k) => k.type === type) ?? kinds[0]!;
  const scope = useScope();
  const choice: ProfileChoice = useMemo(
    () => ({ service: kind.service, type: kind.type, sample_type: kind.default_sample_type, version: version && kind.versions.includes(version) ? version : undefined, instance: instance && kind.instances.includes(instance) ? instance : undefined }),
    [kind, version, instance],
  );
  const q = useQuery(flameQuery(scope, choice));
  return (
    <div className={css.profiles}>
      <div className={css.bar}>
        <Segmented label="Type of profile" options={kinds.map((k) => ({ id: k.type, label: typeLabel(k.type) }))} value={kind.type} onChange={setType} />
        <span className={css.meaning}>{meaning(kind.type, kind.default_sample_type)}</span>
        <Link to="/profiles" search={{ service: kind.service, type: kind.type, version: choice.version, instance: choice.instance }} className="link">
          Open in Profiles
        </Link>
      </div>
      <Over choice={choice} />
      <Query query={q} skeleton={<Skeleton height={300} />}>
        {(data) => <Graph frames={data.frames} nodes={data.nodes} unit={data.unit} />}
      </Query>
    </div>
  );
}

function Graph({ frames, nodes, unit }: Pick<import("@/api/profiles").FlameAnswer, "frames" | "nodes" | "unit">) {
  const flame = useMemo(() => flameOf(frames, nodes), [frames, nodes]);
  return <FlameGraph flame={flame} label="Flame graph" colour="package" found={null} words={(v) => words(v, unit)} />;
}
