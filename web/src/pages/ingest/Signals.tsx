import type { IngestAnswer, IngestHistory } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { Num } from "@/ui/Num";
import css from "./Page.module.css";

const ITEMS: Record<string, string> = { traces: "spans", logs: "records", metrics: "points", profiles: "samples" };

/** One card a signal: how much, how soon answered, and what was not taken. */
export function Signals({ a, history }: { a: IngestAnswer; history: IngestHistory | undefined }) {
  return (
    <div className={css.signals}>
      {a.signals.map((s) => (
        <section key={s.signal} className={css.signal} aria-label={s.signal} data-silent={s.requests === 0 || undefined}>
          <h2 className={css.title}>
            {s.signal} <span className={css.item}>{ITEMS[s.signal]}</span>
          </h2>
          <div className={css.rate}>
            <p className={css.big}>
              <Num value={s.per_second} unit="rate" />
            </p>
            <Sparkline values={history?.signals[s.signal]?.items_per_s ?? []} width={96} height={28} label={`${s.signal} over the last quarter of an hour`} color="var(--muted)" />
          </div>
          <dl className={css.facts}>
            <Fact name="Volume">
              <Num value={s.bytes_per_second} unit="bytes/s" />
            </Fact>
            <Fact name="Accepted">
              <Num value={s.accepted} /> <span className={css.of}>in</span> <Num value={s.requests} /> <span className={css.of}>requests</span>
            </Fact>
            <Fact name="Answered in, p50 · p95 · p99" title="Until the sender has its acknowledgement, over the last one to two minutes">
              <Num value={s.ack_p50_ms} unit="ms" /> <span className={css.of}>·</span> <Num value={s.ack_p95_ms} unit="ms" /> <span className={css.of}>·</span> <Num value={s.ack_p99_ms} unit="ms" />
            </Fact>
            <Fact name="Rejected" title={`${ITEMS[s.signal]} not stored; their neighbours were`}>
              <Num value={s.rejected} tone={s.rejected ? "warn" : "faint"} />
            </Fact>
            <Fact name="Refused" title="Whole requests">
              <Num value={s.refused} tone={s.refused ? "warn" : "faint"} /> <span className={css.of}>requests</span>
            </Fact>
          </dl>
        </section>
      ))}
    </div>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: React.ReactNode }) {
  return (
    <>
      <dt title={title}>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
