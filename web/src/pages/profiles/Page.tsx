import { useMemo } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { kindsQuery, type ProfileKind } from "@/api/profiles";
import { statusQuery } from "@/api/queries";
import { useScope } from "@/app/range";
import { Page } from "@/ui/Panel";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { Explorer } from "./Explorer";
import { profilesRoute } from "./route";

export default function ProfilesPage() {
  const scope = useScope();
  const kinds = useQuery(kindsQuery(scope));
  return (
    <Page
      wide
      title="Profiles"
      aside={
        <Link to="/profiles/targets" className="link">
          Targets
        </Link>
      }
    >
      <Query query={kinds} skeleton={<SkeletonRows rows={10} height={40} />}>
        {(data) => (data.profiles.length === 0 ? <Nothing /> : <Chosen kinds={data.profiles} />)}
      </Query>
    </Page>
  );
}

/** The service and type in the address, or else the one with most profiles. */
function Chosen({ kinds }: { kinds: ProfileKind[] }) {
  const search = profilesRoute.useSearch();
  const navigate = useNavigate({ from: "/profiles" });
  const kind = useMemo(() => {
    const of = search.service ? kinds.filter((k) => k.service === search.service) : kinds;
    return of.find((k) => k.type === (search.type ?? "cpu")) ?? (search.type ? undefined : of[0]);
  }, [kinds, search.service, search.type]);
  if (!kind) {
    return (
      <Empty
        title={`No ${search.type ?? ""} profiles of ${search.service ?? "any service"} in this range`}
        action={
          <button type="button" className="link" onClick={() => void navigate({ search: (o) => ({ from: o.from, to: o.to, live: o.live, tz: o.tz, env: o.env }) as never })}>
            Show what there is
          </button>
        }
      >
        Choose a wider range, or another service, type or environment.
      </Empty>
    );
  }
  return <Explorer kinds={kinds} kind={kind} />;
}

function Nothing() {
  const status = useQuery(statusQuery());
  const at = status.data?.otlp_http ?? "http://127.0.0.1:4318";
  const url = /^https?:/.test(at) ? at : `http://${at}`;
  const { env } = useScope();
  return (
    <Empty title={env ? `No profiles of ${env} in this range` : "No profiles in this range"} command={`curl -s http://localhost:6060/debug/pprof/profile?seconds=10 | curl --data-binary @- "${url}/v1/pprof?service=shop"`}>
      <p>A profile says which functions take the time and memory. Push any pprof profile, or let Pyroscope’s SDK send to this address. To send one now from a Go program with net/http/pprof:</p>
    </Empty>
  );
}
