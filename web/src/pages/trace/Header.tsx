import { useMemo, useState } from "react";
import { Link } from "@tanstack/react-router";
import { AlertTriangle, Check, Share2 } from "lucide-react";
import type { TraceAnswer } from "@/api/types";
import { toast } from "@/app/toast";
import { colorOf } from "@/lib/color";
import { format, plural } from "@/lib/format";
import type { Waterfall } from "@/lib/waterfall";
import { Button } from "@/ui/Button";
import { CopyText } from "@/ui/Copy";
import { Num } from "@/ui/Num";
import { ServiceDot } from "@/ui/Service";
import { Time } from "@/ui/Time";
import css from "./Header.module.css";

interface Props {
  trace: TraceAnswer;
  waterfall: Waterfall;
  /** Spans may still be arriving. */
  young: boolean;
  stale: unknown;
  onSpan: (position: number) => void;
}

export function Header({ trace, waterfall: w, young, stale, onSpan }: Props) {
  const root = w.spans[w.main];
  const errors = useMemo(() => w.spans.filter((s) => s.status === "error").length, [w]);
  const startMs = Number(BigInt(trace.start_ns) / 1_000_000n);
  return (
    <header className={css.header}>
      <div className={css.top}>
        <h1 className={css.title}>
          {root && <ServiceDot name={root.service} size={11} />}
          <span className={css.name}>{root?.name ?? "Empty trace"}</span>
          {root && <span className={css.service}>{root.service}</span>}
        </h1>
        <div className={css.actions}>
          {young && (
            <span className={css.young} role="status">
              spans still arriving
            </span>
          )}
          <CopyText text={trace.trace_id} label="Trace" />
          <ShareButton />
        </div>
      </div>
      <dl className={css.facts}>
        <Fact label="Duration">
          <Num value={w.duration} unit="ns" />
        </Fact>
        <Fact label="Spans">
          <Num value={w.spans.length} />
        </Fact>
        <Fact label="Services">
          <Num value={trace.services.length} />
        </Fact>
        <Fact label="Errors">
          <Num value={errors} tone={errors ? "bad" : undefined} />
        </Fact>
        <Fact label="Depth">
          <Num value={w.maxDepth + 1} />
        </Fact>
        <Fact label="Started">
          <Time t={startMs} millis />
        </Fact>
      </dl>
      <Shares waterfall={w} />
      <Notes trace={trace} waterfall={w} stale={stale} onSpan={onSpan} />
    </header>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className={css.fact}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function ShareButton() {
  const [done, setDone] = useState(false);
  const share = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      toast("The link could not be copied; it is in the address bar");
    }
  };
  return (
    <Button onClick={() => void share()}>
      {done ? <Check size={14} aria-hidden /> : <Share2 size={14} aria-hidden />} {done ? "Link copied" : "Share"}
    </Button>
  );
}

const MAX_SHARES = 7;

/** Where the time went: each service's part of the critical path. */
function Shares({ waterfall: w }: { waterfall: Waterfall }) {
  const shares = useMemo(() => {
    const by = new Map<string, number>();
    let total = 0;
    for (const s of w.critical) {
      const name = w.spans[s.position]!.service;
      by.set(name, (by.get(name) ?? 0) + s.to - s.from);
      total += s.to - s.from;
    }
    return [...by].map(([service, ns]) => ({ service, ns, share: total ? ns / total : 0 })).sort((a, b) => b.ns - a.ns);
  }, [w]);
  if (shares.length === 0) return null;
  const shown = shares.slice(0, MAX_SHARES);
  return (
    <section className={css.shares} aria-label="Critical path by service">
      <div className={css.shareBar} aria-hidden>
        {shares.map((s) => (
          <span key={s.service} style={{ flexGrow: s.share, background: colorOf(s.service) }} />
        ))}
      </div>
      <ul className={css.shareList}>
        <li className={css.shareTitle}>Critical path</li>
        {shown.map((s) => (
          <li key={s.service}>
            <Link to="/services/$service" params={{ service: s.service }} className={css.share}>
              <ServiceDot name={s.service} size={7} /> {s.service} <Num value={s.share} unit="ratio" tone="faint" />
            </Link>
          </li>
        ))}
        {shares.length > shown.length && <li className={css.shareTitle}>{plural(shares.length - shown.length, "other")}</li>}
      </ul>
    </section>
  );
}

function Notes({ trace, waterfall: w, stale, onSpan }: { trace: TraceAnswer; waterfall: Waterfall; stale: unknown; onSpan: (p: number) => void }) {
  const skew = [...w.skews].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))[0];
  const onlyOrphans = w.orphans.length > 0 && w.orphans.includes(w.main);
  return (
    <ul className={css.notes}>
      {!!stale && <Note>Shown as last answered; the newest could not be had.</Note>}
      {trace.truncated && <Note>This trace is larger than can be shown: these are its first {plural(w.spans.length, "span")} by time.</Note>}
      {w.orphans.length > 0 && (
        <Note onClick={() => onSpan(w.orphans[0]!)} action="Show the first">
          {onlyOrphans ? "The root did not arrive" : `${plural(w.orphans.length, "span")} name a parent that did not arrive`}: it was sampled out, lost, or is still on its way. They are shown at the top level.
        </Note>
      )}
      {skew && (
        <Note onClick={() => onSpan(skew[0])} action="Show the widest">
          Clocks disagree: {w.spans[skew[0]]!.service} is {format(Math.abs(skew[1]), "ns")} {skew[1] < 0 ? "behind" : "ahead of"} {w.spans[w.parent[skew[0]]!]!.service}
          {w.skews.size > 1 && `, and ${plural(w.skews.size - 1, "other span")} cannot be where they claim`}. Times are shown as sent.
        </Note>
      )}
    </ul>
  );
}

function Note({ children, onClick, action }: { children: React.ReactNode; onClick?: () => void; action?: string }) {
  return (
    <li className={css.note}>
      <AlertTriangle size={13} aria-hidden />
      <span>{children}</span>
      {onClick && (
        <button type="button" className={css.noteAction} onClick={onClick}>
          {action}
        </button>
      )}
    </li>
  );
}
