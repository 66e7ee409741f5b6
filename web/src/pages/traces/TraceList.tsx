import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { statusQuery } from "@/api/queries";
import type { SpanHit } from "@/api/types";
import { useScope } from "@/app/range";
import { colorOf } from "@/lib/color";
import { integer, plural } from "@/lib/format";
import { dateTime } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Num } from "@/ui/Num";
import { ServiceDot } from "@/ui/Service";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import type { useTraceList } from "./useTraces";
import css from "./TraceList.module.css";

interface Props {
  list: ReturnType<typeof useTraceList>;
  text: string;
  slowest: boolean;
  selected: boolean;
  onWiden: () => void;
  onQuery: (q: string) => void;
}

const ROW = 50;

/** The traces found, one a row, loading on as one scrolls. */
export function TraceList({ list, text, slowest, selected, onWiden, onQuery }: Props) {
  const hits = useMemo(() => distinct(list.data?.pages.flatMap((p) => p.spans) ?? []), [list.data]);
  const last = list.data?.pages.at(-1);
  return (
    <section className={css.list} aria-label="Traces found" data-stale={list.isPlaceholderData || undefined}>
      <Query query={list} skeleton={<SkeletonRows rows={10} height={ROW} />}>
        {() =>
          hits.length === 0 && !list.hasNextPage ? (
            <None filtered={!!text || selected} onWiden={onWiden} onClear={() => onQuery("")} />
          ) : (
            <>
              <Head count={hits.length} more={list.hasNextPage} what={slowest ? "slowest first" : "newest first"} />
              <Rows hits={hits} list={list} searched={!!text || selected} />
            </>
          )
        }
      </Query>
      {last?.partial && <Partial scannedTo={last.scanned_to_ms} onMore={list.hasNextPage ? () => void list.fetchNextPage() : undefined} />}
    </section>
  );
}

/** A live answer may repeat a trace that an older page already has. */
function distinct(hits: readonly SpanHit[]): SpanHit[] {
  const seen = new Set<string>();
  return hits.filter((h) => !seen.has(h.trace_id) && seen.add(h.trace_id));
}

function Head({ count, more, what }: { count: number; more: boolean; what: string }) {
  return (
    <div className={css.head}>
      <span>
        {integer(count)}
        {more ? "+" : ""} {count === 1 ? "trace" : "traces"}, {what}
      </span>
      <span className={css.colDuration}>Duration</span>
      <span className={css.colSpans}>Spans</span>
      <span className={css.colErrors}>Errors</span>
      <span className={css.colTime}>Started</span>
    </div>
  );
}

function Rows({ hits, list, searched }: { hits: readonly SpanHit[]; list: Props["list"]; searched: boolean }) {
  const body = useRef<HTMLUListElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const top = body.current!.getBoundingClientRect().top + scrollY;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtual = useWindowVirtualizer({ count: hits.length, estimateSize: () => ROW, overscan: 10, scrollMargin: margin });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = list;
  useEffect(() => {
    if (lastShown >= hits.length - 5 && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [lastShown, hits.length, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  const longest = useMemo(() => hits.reduce((m, h) => Math.max(m, h.trace_duration_ns), 1), [hits]);
  return (
    <>
      <ul ref={body} className={css.body} style={{ height: virtual.getTotalSize() }} aria-label="Traces">
        {items.map((v) => {
          const hit = hits[v.index]!;
          return (
            <li key={hit.trace_id} className={css.row} style={{ height: ROW, transform: `translateY(${v.start - margin}px)` }} aria-setsize={hasNextPage ? -1 : hits.length} aria-posinset={v.index + 1}>
              <Row hit={hit} longest={longest} searched={searched} />
            </li>
          );
        })}
      </ul>
      {isFetchingNextPage && <SkeletonRows rows={2} height={ROW} />}
      {isFetchNextPageError && (
        <p className={css.more}>
          The next traces could not be had. <Button size="sm" onClick={() => void fetchNextPage()}>Try again</Button>
        </p>
      )}
    </>
  );
}

const Row = memo(function Row({ hit, longest, searched }: { hit: SpanHit; longest: number; searched: boolean }) {
  const color = colorOf(hit.root_service || hit.service);
  // Without a search any span of the trace "matches": the trace then speaks for itself.
  const isRoot = !searched || (hit.name === hit.root_name && hit.service === hit.root_service);
  return (
    <Link to="/traces/$trace" params={{ trace: hit.trace_id }} search={isRoot ? {} : { span: hit.span_id }} className={css.link} onKeyDown={arrows}>
      <span className={css.name}>
        <span className={css.root}>
          <ServiceDot name={hit.root_service || hit.service} />
          <span className={css.op}>{hit.root_name || "(root not yet arrived)"}</span>
          <span className={css.service}>{hit.root_service}</span>
        </span>
        <span className={css.match}>{!searched && hit.status !== "error" ? <span className="mono">{hit.trace_id}</span> : isRoot ? <Telling hit={hit} /> : <Matched hit={hit} />}</span>
      </span>
      <span className={css.duration}>
        <span className={css.track} aria-hidden>
          <span className={css.bar} style={{ width: `${Math.max(0.6, (hit.trace_duration_ns / longest) * 100)}%`, background: color }} />
        </span>
        <Num value={hit.trace_duration_ns} unit="ns" />
      </span>
      <span className={css.spans}>
        <Num value={hit.trace_spans} />
      </span>
      <span className={css.errors}>{hit.trace_errors > 0 ? <Num value={hit.trace_errors} tone="bad" /> : <span className={css.none}>–</span>}</span>
      <span className={css.time}>
        <Time t={Number(BigInt(hit.trace_start_ns) / 1_000_000n)} millis />
      </span>
    </Link>
  );
});

function Matched({ hit }: { hit: SpanHit }) {
  return (
    <>
      <ServiceDot name={hit.service} size={6} />
      {hit.service} · {hit.name} · <Num value={hit.duration_ns} unit="ns" />
      {hit.status === "error" && <span className={css.failed}> failed{hit.status_message ? `: ${hit.status_message}` : ""}</span>}
      {hit.matched_spans > 1 && ` · ${plural(hit.matched_spans, "span")} match`}
    </>
  );
}

function Telling({ hit }: { hit: SpanHit }) {
  if (hit.status === "error" && hit.status_message) return <span className={css.failed}>{hit.status_message}</span>;
  const list = Object.entries(hit.attributes).slice(0, 3);
  return <>{list.length ? list.map(([k, v]) => `${k}=${v}`).join("  ") : hit.trace_id}</>;
}

// Arrow keys and j/k move between the rows.
function arrows(e: KeyboardEvent<HTMLAnchorElement>) {
  const down = e.key === "ArrowDown" || e.key === "j";
  if (!down && e.key !== "ArrowUp" && e.key !== "k") return;
  const row = e.currentTarget.closest("li")!;
  const next = Number(row.getAttribute("aria-posinset")) + (down ? 1 : -1);
  const target = row.parentElement!.querySelector<HTMLElement>(`li[aria-posinset="${next}"] a`);
  if (!target) return;
  e.preventDefault();
  target.focus();
}

function Partial({ scannedTo, onMore }: { scannedTo: number; onMore?: () => void }) {
  const { utc } = useScope();
  return (
    <p className={css.partial} role="status">
      Searched back to {dateTime(scannedTo, utc)}; older traces in the range were not looked at.
      {onMore && (
        <button type="button" className={css.on} onClick={onMore}>
          Search on
        </button>
      )}
    </p>
  );
}

function None({ filtered, onWiden, onClear }: { filtered: boolean; onWiden: () => void; onClear: () => void }) {
  const status = useQuery(statusQuery());
  const actions = (
    <div className={css.actions}>
      <Button onClick={onWiden}>Look at twice the time</Button>
      {filtered && <Button onClick={onClear}>Clear the search</Button>}
    </div>
  );
  if (filtered) {
    return (
      <Empty title="No trace matches" action={actions}>
        Every term must hold for one span. Values are compared exactly; write <code>name:*order*</code> to match a part.
      </Empty>
    );
  }
  return (
    <Empty title="No traces in this range" action={actions} command={status.data ? `export OTEL_EXPORTER_OTLP_ENDPOINT=${status.data.otlp_http}` : undefined}>
      Nothing was received for it. Choose a wider range, or point a service here:
    </Empty>
  );
}
