import { useEffect } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { incidentQuery, plain } from "@/api/queries";
import type { ChannelsAnswer, DeliveriesAnswer, IncidentAnswer } from "@/api/types";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import { standing } from "@/lib/incident";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { Causes } from "./Causes";
import { Examples, ErrorLogs } from "./Context";
import { Facts } from "./Facts";
import { Header } from "./Header";
import { Messages } from "./Messages";
import { incidentRoute } from "./route";
import { Affected } from "./Series";
import { Story } from "./Story";
import css from "./Page.module.css";

const OPEN_POLL_MS = 10_000;

export default function IncidentPage() {
  const { incident: id } = incidentRoute.useParams();
  const q = useQuery({ ...incidentQuery(id), refetchInterval: (query) => (query.state.data?.incident.status === "open" ? OPEN_POLL_MS : false) });
  usePush(id, q.data?.incident.updated_at, q.refetch);
  if (q.error instanceof ApiError && q.error.status === 404 && !q.data) {
    return (
      <Empty page title="No such incident" action={<Link to="/incidents" className="link">All incidents</Link>}>
        The link may be incomplete, or the incident is older than what is kept.
      </Empty>
    );
  }
  return <Query query={q} skeleton={<SkeletonRows rows={10} height={56} />}>{(a) => <Incident answer={a} />}</Query>;
}

/** Asks again as soon as the stream says that this incident changed. */
function usePush(id: string, updatedAt: string | undefined, refetch: () => unknown) {
  const { open } = useOpenIncidents();
  const pushed = open?.find((i) => i.id === id)?.updated_at;
  useEffect(() => {
    if (updatedAt && pushed && Date.parse(pushed) > Date.parse(updatedAt)) refetch();
    // Only what was pushed may ask.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [pushed]);
}

function Incident({ answer: a }: { answer: IncidentAnswer }) {
  const i = a.incident;
  const deliveries = useQuery(plain<DeliveriesAnswer>("/deliveries", { incident: i.id, limit: 100 }, i.status === "open" ? OPEN_POLL_MS : false));
  const channels = useQuery(plain<ChannelsAnswer>("/channels"));
  const sent = deliveries.data?.deliveries ?? [];
  const nameOf = (id: string) => channels.data?.channels.find((c) => c.id === id)?.name ?? id;
  useEffect(() => {
    document.title = `${i.title} · Incidents · Tidemark`;
  }, [i.title]);
  return (
    <article className={css.page} aria-label={i.title}>
      <Header incident={i} standing={standing(a.events)} />
      <Facts incident={i} />
      <div className={css.columns}>
        <div className={css.main}>
          <Causes incident={i} />
          <Affected answer={a} />
          <Examples answer={a} />
          <ErrorLogs answer={a} />
        </div>
        <aside className={css.side} aria-label="What happened">
          <Story answer={a} deliveries={sent} nameOf={nameOf} />
          <Messages query={deliveries} nameOf={nameOf} hasChannels={channels.data ? channels.data.channels.length > 0 : undefined} />
        </aside>
      </div>
    </article>
  );
}
