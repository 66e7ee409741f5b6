import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Pencil } from "lucide-react";
import { capsQuery, cardinalityQuery } from "@/api/queries";
import type { CapsAnswer, Cardinality, CardinalityAnswer } from "@/api/types";
import { CAP_KINDS, type CapKind, capOf, withSilentExceptions } from "@/lib/ingest";
import { IconButton, Button } from "@/ui/Button";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Tabs } from "@/ui/Tabs";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import { useTop } from "./useTop";
import { CapDialog, type CapTarget } from "./CapDialog";
import css from "./Cardinality.module.css";

const KINDS: readonly CapKind[] = ["operations", "series", "values"];

/** What is kept apart and what is folded: how near each name is to its cap, and the cap in reach. */
export function CardinalityPanel({ live }: { live: boolean }) {
  const q = useQuery(cardinalityQuery(live));
  const caps = useQuery(capsQuery());
  const [kind, setKind] = useState<CapKind>("operations");
  const [target, setTarget] = useState<CapTarget | null>(null);
  const beyond = (k: CapKind) => q.data?.[k].filter((c) => c.times > 0).length || undefined;
  return (
    <Panel
      title="Cardinality"
      flush
      aside={<Tabs label="What is counted" panelId="cardinality" tabs={KINDS.map((k) => ({ id: k, label: CAP_KINDS[k].label, count: beyond(k) }))} value={kind} onChange={setKind} />}
    >
      <div id="cardinality" role="tabpanel" aria-label={CAP_KINDS[kind].label}>
        <Query query={q}>{(a) => <Kind key={kind} kind={kind} a={a} caps={caps.data} onChange={setTarget} />}</Query>
      </div>
      {caps.data && <CapDialog target={target} caps={caps.data} onClose={() => setTarget(null)} />}
    </Panel>
  );
}

function Kind({ kind, a, caps, onChange }: { kind: CapKind; a: CardinalityAnswer; caps: CapsAnswer | undefined; onChange: (t: CapTarget) => void }) {
  const words = CAP_KINDS[kind];
  const sort = useSort("full");
  const rows = caps ? withSilentExceptions(a[kind], caps.caps[`${kind}_of`]) : a[kind];
  const columns = columnsOf(kind, caps, onChange);
  const top = useTop(rows, columns, sort);
  return (
    <>
      <div className={css.lead}>
        <p>{words.detail}</p>
        <p className={css.cap}>
          At most <strong data-testid="cap">{a.caps[kind].toLocaleString("en")}</strong> {words.what}
          {caps && (
            <Button size="sm" onClick={() => onChange({ kind, name: null, row: rows[0] })}>
              Change
            </Button>
          )}
        </p>
      </div>
      {rows.length === 0 ? (
        <Empty title={`No ${words.label.toLowerCase()} yet`}>They are counted as they arrive.</Empty>
      ) : (
        <>
          <Table label={`${words.label} by ${words.of}`} rows={top.rows} columns={columns} rowKey={(c) => `${c.signal} ${c.name}`} {...sort} csvName={`ingest-${kind}`} />
          {top.more}
        </>
      )}
    </>
  );
}

// Those beyond their cap first, and of the others the fullest.
const fullness = (c: Cardinality) => (c.times > 0 ? 1000 : 0) + (c.kept + c.beyond) / Math.max(c.cap, 1);

function columnsOf(kind: CapKind, caps: CapsAnswer | undefined, onChange: (t: CapTarget) => void): Column<Cardinality>[] {
  const words = CAP_KINDS[kind];
  return [
    {
      id: "name",
      label: words.of[0]!.toUpperCase() + words.of.slice(1),
      width: "minmax(120px, 2fr)",
      sort: (c) => c.name,
      first: "asc",
      render: (c) => (
        <span className={css.name} title={c.name}>
          {kind === "operations" && <ServiceDot name={c.name} />}
          <span className={kind === "operations" ? undefined : "mono"}>{c.name}</span>
          {kind === "values" && c.signal && <span className={css.of}>{c.signal}</span>}
        </span>
      ),
    },
    {
      id: "full",
      label: "Told apart",
      width: "minmax(116px, 1.4fr)",
      sort: fullness,
      render: (c) => (
        <span className={css.kept}>
          <span>
            <Num value={c.kept} /> <span className={css.of}>of</span> <Num value={c.cap} />
          </span>
          <meter className={css.meter} min={0} max={1} value={Math.min(1, c.kept / Math.max(c.cap, 1))} data-full={c.times > 0 || undefined} aria-label={`${c.name}: share of its cap`} />
        </span>
      ),
    },
    { id: "beyond", label: "Beyond", width: "84px", align: "right", sort: (c) => c.beyond, render: (c) => <Num value={c.beyond || null} tone={c.beyond ? "warn" : "faint"} /> },
    { id: "times", label: words.beyond[0]!.toUpperCase() + words.beyond.slice(1), width: "126px", align: "right", secondary: true, minor: true, sort: (c) => c.times, render: (c) => <Num value={c.times || null} tone={c.times ? undefined : "faint"} /> },
    { id: "sample", label: "For example", width: "minmax(120px, 2fr)", secondary: true, render: (c) => <span className={css.sample} title={c.sample.join("\n")}>{c.sample.join(", ")}</span> },
    { id: "last", label: "Last", width: "130px", align: "right", secondary: true, minor: true, sort: (c) => Date.parse(c.last) || 0, render: (c) => (c.times > 0 ? <Time t={Date.parse(c.last)} /> : "–") },
    {
      id: "change",
      label: "Change",
      quiet: true,
      width: "44px",
      align: "right",
      render: (c) =>
        caps ? (
          <span className={css.change} data-set={capOf(caps.caps, kind, c.name) !== null || undefined}>
            <IconButton size="sm" label={`Change the cap of ${c.name}`} onClick={() => onChange({ kind, name: c.name, row: c })}>
              <Pencil size={13} aria-hidden />
            </IconButton>
          </span>
        ) : null,
    },
  ];
}
