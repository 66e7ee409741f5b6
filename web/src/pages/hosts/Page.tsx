import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { scoped, statusQuery } from "@/api/queries";
import type { Host, HostsAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { LIMITS } from "@/lib/hosts";
import { choiceText } from "@/lib/dash/model";
import { format, plural } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Page, Panel } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { hostsRoute, type SORTS } from "./route";
import css from "./Page.module.css";

/** Machines: how busy each is, and what runs on it. */
export default function HostsPage() {
  const search = hostsRoute.useSearch();
  const navigate = useNavigate({ from: "/hosts" });
  const scope = useScope();
  const q = useQuery(scoped<HostsAnswer>("/hosts", { ...scope, env: undefined }));
  const open = (h: Host) => void navigate(dashboardOf(h));
  const words = (search.q ?? "").toLowerCase();
  return (
    <Page
      title="Hosts"
      aside={
        <Link to={"/dashboards/$id" as never} params={{ id: "hosts" } as never} className="link">
          Dashboard of all hosts
        </Link>
      }
    >
      <Query query={q}>
        {({ hosts }) =>
          hosts.length === 0 ? (
            <Nothing />
          ) : (
            <>
              <div className={css.filter}>
                <SearchField label="Search hosts" value={search.q ?? ""} onChange={(v) => void navigate({ search: (o) => ({ ...o, q: v || undefined }), replace: true })} placeholder="Host or service" />
                <span className={css.count}>{plural(hosts.length, "host")}</span>
              </div>
              <Panel flush>
                {found(hosts, words).length === 0 ? (
                  <Empty title="No host matches">The search looks at names and at the services on them.</Empty>
                ) : (
                  <Table
                    label="Hosts"
                    rows={found(hosts, words)}
                    columns={COLUMNS}
                    rowKey={(h) => h.host}
                    rowHeight={44}
                    sort={search.sort ?? "host"}
                    dir={search.dir ?? "asc"}
                    onSort={(sort, dir) => void navigate({ search: (o) => ({ ...o, sort: sort as (typeof SORTS)[number], dir }), replace: true, resetScroll: false })}
                    onOpen={open}
                    csvName="hosts"
                  />
                )}
              </Panel>
            </>
          )
        }
      </Query>
    </Page>
  );
}

const found = (hosts: readonly Host[], words: string) => hosts.filter((h) => `${h.host} ${h.services.map((s) => s.service).join(" ")}`.toLowerCase().includes(words));

const dashboardOf = (h: Host) => ({ to: "/dashboards/$id", params: { id: "hosts" }, search: { "var-host": choiceText([h.host]) } }) as unknown as { to: never; params: never; search: never };

function Share({ value, limits, note }: { value: number | null; limits: readonly [number, number]; note?: string }) {
  if (value === null) return <Num value={null} />;
  const tone = value >= limits[1] ? "bad" : value >= limits[0] ? "warn" : undefined;
  return (
    <span className={css.share} title={note}>
      <span className={css.track} aria-hidden>
        <span className={css.fill} data-tone={tone} style={{ width: `${Math.min(100, value * 100)}%` }} />
      </span>
      <span className={css.number}>
        <Num value={value} unit="ratio" tone={tone} />
      </span>
    </span>
  );
}

const sum = (a: number | null, b: number | null) => (a === null && b === null ? null : (a ?? 0) + (b ?? 0));

const COLUMNS: readonly Column<Host>[] = [
  {
    id: "host", label: "Host", width: "minmax(140px, 1.4fr)", sort: (h) => h.host, first: "asc",
    render: (h) => (
      <span className={css.name}>
        <Link {...dashboardOf(h)} className={css.host}>
          {h.host || "(no name)"}
        </Link>
        <span className={css.facts}>{[h.os, h.cpus > 0 && plural(h.cpus, "CPU")].filter(Boolean).join(" · ")}</span>
      </span>
    ),
  },
  { id: "cpu", label: "CPU", width: "132px", sort: (h) => h.cpu, render: (h) => <Share value={h.cpu} limits={LIMITS.cpu} /> },
  { id: "memory", label: "Memory", width: "132px", sort: (h) => h.memory, render: (h) => <Share value={h.memory} limits={LIMITS.memory} note={`${format(h.memory_used, "bytes")} of ${format(h.memory_total, "bytes")}`} /> },
  { id: "disk", label: "Fullest disk", width: "132px", secondary: true, sort: (h) => h.disk, render: (h) => <Share value={h.disk} limits={LIMITS.disk} note={h.disk_mount} /> },
  { id: "load", label: "Load", width: "64px", align: "right", secondary: true, sort: (h) => h.load, render: (h) => <Num value={h.load} tone={h.load !== null && h.cpus > 0 && h.load > h.cpus * 1.5 ? "warn" : undefined} /> },
  {
    id: "io", label: "Disk", width: "124px", align: "right", secondary: true, minor: true, sort: (h) => sum(h.disk_read, h.disk_write),
    render: (h) => <Pair a={h.disk_read} b={h.disk_write} words={["read", "written"]} />,
  },
  {
    id: "network", label: "Network", width: "124px", align: "right", secondary: true, minor: true, sort: (h) => sum(h.receive, h.transmit),
    render: (h) => <Pair a={h.receive} b={h.transmit} words={["received", "sent"]} />,
  },
  {
    id: "services", label: "Services", width: "minmax(120px, 1.6fr)", secondary: true, sort: (h) => h.services.length, first: "desc",
    render: (h) => (
      <span className={css.services}>
        {h.services.slice(0, 4).map((s) => (
          <Link key={s.service} to={"/services/$service" as never} params={{ service: s.service } as never} className={css.service}>
            <ServiceDot name={s.service} /> {s.service}
            {s.instances > 1 && <span className={css.facts}>×{s.instances}</span>}
          </Link>
        ))}
        {h.services.length > 4 && <span className={css.facts}>{h.services.length - 4} more</span>}
      </span>
    ),
  },
];

function Pair({ a, b, words }: { a: number | null; b: number | null; words: readonly [string, string] }) {
  return (
    <span className={css.pair} title={`${format(a, "bytes/s")} ${words[0]}, ${format(b, "bytes/s")} ${words[1]}`}>
      <span>
        ↓ <Num value={a} unit="bytes/s" />
      </span>
      <span>
        ↑ <Num value={b} unit="bytes/s" />
      </span>
    </span>
  );
}

function Nothing() {
  const { data } = useQuery(statusQuery());
  const config = `receivers:
  hostmetrics:
    collection_interval: 15s
    scrapers: { cpu: {}, memory: {}, load: {}, disk: {}, filesystem: {}, network: {}, processes: {} }
processors:
  resourcedetection: { detectors: [system] }
exporters:
  otlp: { endpoint: "${data?.otlp_grpc ?? "127.0.0.1:4317"}", tls: { insecure: true } }
service:
  pipelines:
    metrics: { receivers: [hostmetrics], processors: [resourcedetection], exporters: [otlp] }`;
  return (
    <Panel>
      <Empty title="No hosts in this range" command={config}>
        The OpenTelemetry Collector’s hostmetrics receiver tells of the machine it runs on. A configuration that sends here:
      </Empty>
    </Panel>
  );
}
