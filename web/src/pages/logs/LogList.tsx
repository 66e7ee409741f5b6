import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp, X } from "lucide-react";
import { statusQuery } from "@/api/queries";
import { useScope, useScopeActions } from "@/app/range";
import { integer } from "@/lib/format";
import { holdBack } from "@/lib/tail";
import { dateTime } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { LogRow } from "./LogRow";
import type { LogList } from "./useLogs";
import css from "./LogList.module.css";

interface Props {
  list: LogList;
  columns: readonly string[];
  wrap: boolean;
  open: string | undefined;
  text: string;
  onOpen: (id: string | undefined) => void;
  onColumns: (columns: readonly string[]) => void;
  onQuery: (q: string) => void;
}

const ROW = 27;
/** Scrolled further than this below the list's top, new records wait. */
const AWAY_PX = 120;

export function LogListView(p: Props) {
  const { list, columns } = p;
  const last = list.query.data?.pages.at(-1);
  const hasAny = list.records.length > 0;
  return (
    <section className={css.list} aria-label="Log records" data-stale={list.query.isPlaceholderData || undefined}>
      <Query query={hasAny && !list.query.data ? { ...list.query, data: true as never } : list.query} skeleton={<SkeletonRows rows={16} height={ROW} />}>
        {() =>
          !hasAny && !list.query.hasNextPage ? (
            <None filtered={!!p.text} onClear={() => p.onQuery("")} />
          ) : (
            <>
              <Head list={list} columns={columns} onColumns={p.onColumns} />
              <Rows {...p} />
            </>
          )
        }
      </Query>
      {last?.partial && <Partial scannedTo={last.scanned_to_ms} onMore={list.query.hasNextPage ? () => void list.query.fetchNextPage() : undefined} />}
    </section>
  );
}

function Head({ list, columns, onColumns }: { list: LogList; columns: readonly string[]; onColumns: Props["onColumns"] }) {
  return (
    <div className={css.head}>
      <span className={css.headCount}>
        {integer(list.records.length)}
        {list.query.hasNextPage ? "+" : ""} records{list.tails && <span className={css.tail}>tailing</span>}
      </span>
      {columns.map((c) => (
        <span key={c} className={css.headColumn}>
          <span className={css.headName} title={c}>
            {c}
          </span>
          <button type="button" aria-label={`Remove the column ${c}`} onClick={() => onColumns(columns.filter((x) => x !== c))}>
            <X size={12} />
          </button>
        </span>
      ))}
    </div>
  );
}

/** While the reader is further down, the list keeps still and says how much came. */
function useHold(list: LogList, body: { current: HTMLElement | null }) {
  const [heldAt, setHeldAt] = useState<string | null>(null);
  const newest = list.records[0]?.ts_ns ?? null;
  const latest = useRef(newest);
  latest.current = newest;
  useEffect(() => {
    if (!list.tails) return setHeldAt(null);
    const onScroll = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      if (top < -AWAY_PX) setHeldAt((held) => held ?? latest.current);
      else if (top > 0) setHeldAt(null);
    };
    addEventListener("scroll", onScroll, { passive: true });
    return () => removeEventListener("scroll", onScroll);
  }, [list.tails, body]);
  const held = useMemo(() => holdBack(list.records, heldAt), [list.records, heldAt]);
  const release = useCallback(() => {
    setHeldAt(null);
    const top = (body.current?.getBoundingClientRect().top ?? 0) + scrollY - 160;
    scrollTo({ top: Math.max(0, top) });
  }, [body]);
  return { ...held, release };
}

function Rows(p: Props) {
  const { list } = p;
  const body = useRef<HTMLUListElement>(null);
  const { shown, waiting, release } = useHold(list, body);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const top = body.current!.getBoundingClientRect().top + scrollY;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtual = useWindowVirtualizer({ count: shown.length, estimateSize: () => ROW, overscan: 14, scrollMargin: margin, getItemKey: (i) => shown[i]!.id });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = list.query;
  useEffect(() => {
    if (lastShown >= shown.length - 20 && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [lastShown, shown.length, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  return (
    <>
      {waiting > 0 && (
        <div className={css.new}>
          <Button size="sm" tone="primary" onClick={release} data-testid="new-logs">
            <ArrowUp size={13} aria-hidden /> {integer(waiting)} new
          </Button>
        </div>
      )}
      <ul ref={body} className={css.body} style={{ height: virtual.getTotalSize() }} aria-label="Records">
        {items.map((v) => {
          const record = shown[v.index]!;
          return (
            <li key={record.id} ref={virtual.measureElement} data-index={v.index} className={css.item} style={{ transform: `translateY(${v.start - margin}px)` }}>
              <LogRow record={record} columns={p.columns} wrap={p.wrap} open={record.id === p.open} onOpen={p.onOpen} onColumns={p.onColumns} onQuery={p.onQuery} text={p.text} />
            </li>
          );
        })}
      </ul>
      {isFetchingNextPage && <SkeletonRows rows={3} height={ROW} />}
      {isFetchNextPageError && (
        <p className={css.note}>
          The next records could not be had. <Button size="sm" onClick={() => void fetchNextPage()}>Try again</Button>
        </p>
      )}
    </>
  );
}

function Partial({ scannedTo, onMore }: { scannedTo: number; onMore?: () => void }) {
  const { utc } = useScope();
  return (
    <p className={css.partial} role="status">
      Searched as far as {dateTime(scannedTo, utc)}; the rest of the range was not looked at.
      {onMore && (
        <button type="button" className={css.on} onClick={onMore}>
          Search on
        </button>
      )}
    </p>
  );
}

function None({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const status = useQuery(statusQuery());
  const { widen } = useScopeActions();
  const actions = (
    <div className={css.actions}>
      <Button onClick={widen}>Look at twice the time</Button>
      {filtered && <Button onClick={onClear}>Clear the search</Button>}
    </div>
  );
  if (filtered) {
    return (
      <Empty title="No record matches" action={actions}>
        Free words are looked for in the body; <code>severity&gt;=warn</code> and <code>key:value</code> narrow by fields.
      </Empty>
    );
  }
  return (
    <Empty title="No logs in this range" action={actions} command={status.data ? `export OTEL_LOGS_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=${status.data.otlp_http}` : undefined}>
      Logs sent over OTLP appear here, linked to their traces. For most SDKs this turns them on:
    </Empty>
  );
}
