import { useMemo } from "react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { ApiError } from "@/api/client";
import { serviceQuery } from "@/api/queries";
import type { ServiceAnswer } from "@/api/types";
import { query, term, tracesSearch } from "@/app/links";
import { useScope } from "@/app/range";
import { useNow } from "@/app/useNow";
import { useOpenIncidents } from "@/app/useOpenIncidents";
import { useSilent } from "@/app/useSilent";
import { silenceTip, silenceWords } from "@/lib/silence";
import { stateOf } from "@/lib/state";
import { Button } from "@/ui/Button";
import { IncidentStrip } from "@/ui/IncidentStrip";
import { Page, Panel } from "@/ui/Panel";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { LanguageMark, ServiceDot } from "@/ui/Service";
import { Tabs } from "@/ui/Tabs";
import { Charts } from "./Charts";
import { Dependencies } from "./Dependencies";
import { Errors } from "./Errors";
import { Instances } from "./Instances";
import { Logs } from "./Logs";
import { Metrics } from "./Metrics";
import { Operations } from "./Operations";
import { Profiles } from "./Profiles";
import { serviceRoute, type ServiceSearch, TABS } from "./route";
import { Totals } from "./Totals";
import { Versions } from "./Versions";
import css from "./Page.module.css";

const LABELS: Record<(typeof TABS)[number], string> = {
  operations: "Operations",
  dependencies: "Dependencies",
  errors: "Errors",
  instances: "Instances",
  metrics: "Metrics",
  logs: "Logs",
  profiles: "Profiles",
  versions: "Versions",
};

export default function ServicePage() {
  const { service } = serviceRoute.useParams();
  const scope = useScope();
  const q = useQuery(serviceQuery(scope, service));
  if (q.error instanceof ApiError && q.error.status === 404 && !q.data) {
    return (
      <Empty page title={`No service “${service}”`} action={<Link to="/services" className="link">All services</Link>}>
        It never sent a span here, or its spans are past their retention.
      </Empty>
    );
  }
  return <Query query={q} skeleton={<SkeletonRows rows={12} height={44} />}>{(data) => <Service data={data} />}</Query>;
}

function Service({ data }: { data: ServiceAnswer }) {
  const search = serviceRoute.useSearch();
  const navigate = useNavigate({ from: "/services/$service" });
  const tab = search.tab ?? "operations";
  const { open } = useOpenIncidents();
  const now = useNow();
  const silence = useSilent()?.find((s) => s.service === data.service);
  const state = stateOf(data.total, data.previous);
  const filter = query(term("service", data.service), search.operation && term("name", search.operation), search.version && term("version", search.version), search.instance && term("instance", search.instance));
  return (
    <Page
      title={
        <>
          <ServiceDot name={data.service} size={11} />
          <span className={css.name}>{data.service}</span>
          <LanguageMark language={data.language} />
          <span className={css.state} data-tone={silence ? "warn" : state.tone} title={silence && silenceTip(silence)}>
            {silence ? silenceWords(silence, now) : state.words}
          </span>
        </>
      }
      aside={
        <>
          <Link {...tracesSearch(filter)} className={css.action}>
            Traces
          </Link>
          <Link to="/map" search={{ focus: data.service, depth: "1" }} className={css.action}>
            Map
          </Link>
        </>
      }
    >
      <IncidentStrip incidents={(open ?? []).filter((i) => i.services.includes(data.service))} />
      <Narrowed search={search} clear={(patch) => void navigate({ search: (o) => ({ ...o, ...patch }) })} />
      <Totals data={data} />
      <Charts service={data.service} filter={filter} versions={data.versions} />
      <Panel flush>
        <div className={css.tabs}>
          <Tabs
            label="About this service"
            panelId="service-tab"
            tabs={TABS.map((id) => ({ id, label: LABELS[id], count: id === "instances" ? data.instances.length : id === "versions" ? data.versions.length : undefined }))}
            value={tab}
            onChange={(id) => void navigate({ search: (o) => ({ ...o, tab: id === "operations" ? undefined : id }), replace: true, resetScroll: false })}
          />
        </div>
        <div id="service-tab" role="tabpanel" aria-label={LABELS[tab]}>
          {tab === "operations" && <Operations service={data.service} />}
          {tab === "dependencies" && <Dependencies service={data.service} />}
          {tab === "errors" && <Errors service={data.service} />}
          {tab === "instances" && <Instances data={data} />}
          {tab === "metrics" && <Metrics service={data.service} first={search.metric} />}
          {tab === "logs" && <Logs service={data.service} />}
          {tab === "profiles" && <Profiles service={data.service} version={search.version} instance={search.instance} versions={data.versions} />}
          {tab === "versions" && <Versions data={data} />}
        </div>
      </Panel>
    </Page>
  );
}

/** What the charts are narrowed to, each with a way out. */
function Narrowed({ search, clear }: { search: ServiceSearch; clear: (patch: ServiceSearch) => void }) {
  const list = useMemo(() => (["operation", "version", "instance"] as const).flatMap((k) => (search[k] ? [{ key: k, value: search[k] }] : [])), [search]);
  if (list.length === 0) return null;
  return (
    <div className={css.narrowed}>
      {list.map(({ key, value }) => (
        <Button key={key} size="sm" onClick={() => clear({ [key]: undefined })} aria-label={`Remove ${key} ${value}`}>
          <span className={css.key}>{key}</span> {value} <X size={12} aria-hidden />
        </Button>
      ))}
    </div>
  );
}
