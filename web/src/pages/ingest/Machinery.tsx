import type { ReactNode } from "react";
import type { IngestAnswer, Quantiles } from "@/api/types";
import { plural } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { Time } from "@/ui/Time";
import css from "./Page.module.css";

/** The way of a request: waiting, batch, store; and the spool beside it. */
export function Machinery({ a }: { a: IngestAnswer }) {
  return (
    <Panel title="From the wire to the disk">
      <div className={css.machinery}>
        <Group title="Waiting">
          <Fact name="In flight" title="Requests not yet stored or spooled; beyond the bound they are refused">
            <Meter value={a.in_flight_bytes} max={a.in_flight_max_bytes} label="in flight" />
          </Fact>
          <Fact name="Received to visible">
            <Times q={a.commit} />
          </Fact>
          <Fact name="Span's end to visible">
            <Times q={a.visible} />
          </Fact>
        </Group>
        <Group title="Batches">
          <Fact name="A minute">
            <Num value={a.flushes.count ? a.flushes.per_minute : null} /> <span className={css.of}>of</span> <Num value={a.flushes.count} /> <span className={css.of}>in all</span>
          </Fact>
          <Fact name="Items, median · largest">
            <Num value={a.flushes.rows_max ? a.flushes.rows_p50 : null} /> <span className={css.of}>·</span> <Num value={a.flushes.rows_max || null} />
          </Fact>
          <Fact name="Size, median · largest">
            <Num value={a.flushes.bytes_max ? a.flushes.bytes_p50 : null} unit="bytes" /> <span className={css.of}>·</span> <Num value={a.flushes.bytes_max || null} unit="bytes" />
          </Fact>
          <Fact name="Time to store one">
            <Times q={a.flushes.took} />
          </Fact>
        </Group>
        <Group title="Spool">
          <Fact name="Size" title="What was acknowledged and is not known to be stored yet">
            <Meter value={a.spool.bytes} max={a.spool.max_bytes} label="of the spool" />
          </Fact>
          <Fact name="Waiting to be stored">
            <Num value={a.spool.batches} tone={a.spool.batches ? "warn" : "faint"} /> <span className={css.of}>batches</span>
            {a.spool.oldest_ms !== null && (
              <>
                {" "}
                <span className={css.of}>since</span> <Time t={a.spool.oldest_ms} />
              </>
            )}
          </Fact>
          <Fact name="Left here · replayed">
            <Num value={a.spool.spooled} tone={a.spool.spooled ? undefined : "faint"} /> <span className={css.of}>·</span> <Num value={a.spool.replayed} tone={a.spool.replayed ? undefined : "faint"} />
          </Fact>
          <Fact name="Quarantined · set aside" title="Files that cannot be stored · rows that ClickHouse refuses one by one">
            <Num value={a.spool.quarantined} tone={a.spool.quarantined ? "bad" : "faint"} /> <span className={css.of}>files ·</span> <Num value={a.spool.set_aside} tone={a.spool.set_aside ? "bad" : "faint"} /> <span className={css.of}>rows</span>
          </Fact>
        </Group>
        <Group title="ClickHouse">
          <Fact name="Takes batches">{a.storing ? "at once" : <span className={css.away}>not now</span>}</Fact>
          <Fact name="Failed inserts">
            <Num value={a.insert_errors.reduce((n, e) => n + e.count, 0)} tone={a.insert_errors.length ? "warn" : "faint"} />
            {a.insert_errors.length > 0 && <span className={css.of}> {a.insert_errors.map((e) => `${e.table} ${e.count}`).join(", ")}</span>}
          </Fact>
          <Fact name="Failed on the spool">
            <Num value={a.spool.errors} tone={a.spool.errors ? "warn" : "faint"} />
          </Fact>
          {a.engine && (
            <Fact name="Embedded engine">
              <Num value={a.engine.rss_bytes} unit="bytes" /> <span className={css.of}>{a.engine.restarts ? plural(a.engine.restarts, "restart") : "no restart"}</span>
            </Fact>
          )}
        </Group>
      </div>
      {a.last_error && (
        <p className={css.last}>
          <span className={css.of}>Newest fault of store or spool</span> <code>{a.last_error}</code>
        </p>
      )}
    </Panel>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className={css.group}>{title}</h3>
      <dl className={css.facts}>{children}</dl>
    </section>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: ReactNode }) {
  return (
    <>
      <dt title={title}>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** Median, 95 % and 99 % over the last one to two minutes. */
function Times({ q }: { q: Quantiles | null }) {
  return (
    <span title="p50 · p95 · p99">
      <Num value={q?.p50_ms} unit="ms" /> <span className={css.of}>·</span> <Num value={q?.p95_ms} unit="ms" /> <span className={css.of}>·</span> <Num value={q?.p99_ms} unit="ms" />
    </span>
  );
}

function Meter({ value, max, label }: { value: number; max: number; label: string }) {
  const part = max > 0 ? value / max : 0;
  return (
    <>
      <Num value={value} unit="bytes" tone={part > 0.9 ? "bad" : part > 0.5 ? "warn" : undefined} /> <span className={css.of}>of</span> <Num value={max} unit="bytes" />
      <meter className={css.meter} min={0} max={1} value={part} aria-label={`Share ${label}`} />
    </>
  );
}
