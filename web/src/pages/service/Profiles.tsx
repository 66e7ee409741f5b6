import { useMemo, useState } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { type FlameAnswer, kindsQuery, type ProfileChoice, type ProfileKind, useFlame } from "@/api/profiles";
import type { VersionRow } from "@/api/types";
import { useScope } from "@/app/range";
import { FlameGraph } from "@/charts/FlameGraph";
import { flameOf } from "@/lib/flame";
import { meaning, typeLabel, words } from "@/lib/profiletype";
import { Over } from "@/pages/profiles/Over";
import { Empty, Query, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import css from "./Profiles.module.css";

interface Props {
  version?: string;
  instance?: string;
  versions: readonly VersionRow[];
}

/** Which functions of the service take the time and memory: over time, and as a flame graph. */
export function Profiles({ service, version, instance, versions }: Props & { service: string }) {
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
          <OfService kinds={profiles} version={version} instance={instance} versions={versions} />
        )
      }
    </Query>
  );
}

function OfService({ kinds, version, instance, versions }: Props & { kinds: ProfileKind[] }) {
  const navigate = useNavigate();
  const [type, setType] = useState(kinds.some((k) => k.type === "cpu") ? "cpu" : kinds[0]!.type);
  const kind = kinds.find((k) => k.type === type) ?? kinds[0]!;
  const scope = useScope();
  const choice: ProfileChoice = useMemo(
    () => ({ service: kind.service, type: kind.type, sample_type: kind.default_sample_type, version: version && kind.versions.includes(version) ? version : undefined, instance: instance && kind.instances.includes(instance) ? instance : undefined }),
    [kind, version, instance],
  );
  const q = useFlame(scope, choice);
  const release = releaseOf(kind, versions);
  return (
    <div className={css.profiles}>
      <div className={css.bar}>
        <Segmented label="Type of profile" options={kinds.map((k) => ({ id: k.type, label: typeLabel(k.type) }))} value={kind.type} onChange={setType} />
        <span className={css.meaning}>{meaning(kind.type, kind.default_sample_type)}</span>
        {release && (
          <Link to="/profiles" search={{ service: kind.service, type: kind.type, version: release.now, vs: `version:${release.before}` }} className="link">
            What changed in {release.now}
          </Link>
        )}
        <Link to="/profiles" search={{ service: kind.service, type: kind.type, version: choice.version, instance: choice.instance }} className="link">
          Open in Profiles
        </Link>
      </div>
      <Over choice={choice} after={!q.isPending && !q.isPlaceholderData} />
      <Query query={q} skeleton={<Skeleton height={300} />}>
        {(data) => <Graph data={data} open={(fn) => void navigate({ to: "/profiles", search: (o) => ({ from: o.from, to: o.to, service: kind.service, type: kind.type, version: choice.version, instance: choice.instance, fn }) as never })} />}
      </Query>
    </div>
  );
}

/** The newest version that has profiles, and the one before it. */
function releaseOf(kind: ProfileKind, versions: readonly VersionRow[]): { now: string; before: string } | undefined {
  const [now, before] = [...versions].sort((a, b) => b.first_seen_ms - a.first_seen_ms).map((v) => v.version).filter((v) => kind.versions.includes(v));
  return now && before ? { now, before } : undefined;
}

function Graph({ data, open }: { data: FlameAnswer; open: (fn: string) => void }) {
  const flame = useMemo(() => flameOf(data.frames, data.nodes), [data]);
  return <FlameGraph flame={flame} label="Flame graph" colour="package" found={null} words={(v) => words(v, data.unit)} onFunction={open} />;
}
