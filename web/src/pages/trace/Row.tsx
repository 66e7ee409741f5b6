import { memo } from "react";
import { ChevronDown, ChevronRight, CircleAlert } from "lucide-react";
import type { LogRecord } from "@/api/types";
import { colorOf } from "@/lib/color";
import { format, integer } from "@/lib/format";
import { type Gap, idle, type Interval, type Segment, type Waterfall } from "@/lib/waterfall";
import css from "./Waterfall.module.css";

interface Props {
  id: string;
  waterfall: Waterfall;
  position: number;
  top: number;
  indent: number;
  window: Interval;
  open: boolean;
  selected: boolean;
  /** Null while nothing is searched for. */
  match: boolean | null;
  critical: readonly Segment[] | undefined;
  gaps: readonly Gap[] | undefined;
  logs: readonly LogRecord[] | undefined;
  /** The plot's width in pixels. */
  plot: number;
  onSelect: (position: number) => void;
  onFold: (position: number, closed: boolean) => void;
}

/** Pixels a duration label needs beside its bar. */
const LABEL_PX = 64;
/** A gap narrower than this has no room for its words. */
const GAP_PX = 76;
const MAX_MARKS = 60;

export const Row = memo(function Row(p: Props) {
  const { waterfall: w, position } = p;
  const span = w.spans[position]!;
  const children = w.subtreeEnd[position]! - position - 1;
  const color = colorOf(span.service);
  const failed = span.status === "error";
  const repeated = w.parent[position]! >= 0 && w.spans[w.parent[position]!]!.service === span.service;
  return (
    <div
      id={p.id}
      role="treeitem"
      aria-level={w.depth[position]! + 1}
      aria-selected={p.selected}
      aria-expanded={children ? p.open : undefined}
      aria-label={`${span.service}, ${span.name}, ${format(span.duration_ns, "ns")}${failed ? ", failed" : ""}`}
      className={css.row}
      data-dim={p.match === false || undefined}
      data-match={p.match || undefined}
      style={{ transform: `translateY(${p.top}px)` }}
      onClick={() => p.onSelect(position)}
    >
      <div className={css.name} style={{ paddingLeft: 8 + w.depth[position]! * p.indent }}>
        {children > 0 ? (
          <span
            className={css.chevron}
            aria-hidden
            onClick={(e) => {
              e.stopPropagation();
              p.onFold(position, p.open);
            }}
          >
            {p.open ? <ChevronDown size={13} /> : <ChevronRight size={13} />}
          </span>
        ) : (
          <span className={css.leaf} />
        )}
        <span className={css.dot} style={{ background: color }} />
        <span className={css.op} title={`${span.service}: ${span.name}`}>
          {span.name}
        </span>
        {!repeated && <span className={css.service}>{span.service}</span>}
        {children > 0 && !p.open && <span className={css.hidden}>+{integer(children)}</span>}
        {failed && <CircleAlert size={13} className={css.error} aria-hidden />}
        {!failed && w.errorsBelow[position]! > 0 && !p.open && <span className={css.below}>{w.errorsBelow[position]} failed</span>}
      </div>
      <Bar {...p} color={color} failed={failed} />
    </div>
  );
});

function Bar(p: Props & { color: string; failed: boolean }) {
  const { waterfall: w, position, window } = p;
  const width = window.to - window.from;
  const at = (ns: number) => ((ns - window.from) / width) * 100;
  const from = w.start[position]!;
  const to = w.end[position]!;
  const span = w.spans[position]!;
  const inside = to >= window.from && from <= window.to;
  const left = clamp(at(from));
  const right = clamp(at(to));
  const px = ((right - left) / 100) * p.plot;
  return (
    <div className={css.plot}>
      {inside && (
        <>
          <span className={css.bar} data-failed={p.failed || undefined} data-tiny={px <= 3 || undefined} style={{ left: `${left}%`, width: `${right - left}%`, "--c": p.color } as never}>
            {px > 3 && <SelfTime waterfall={w} position={position} left={left} right={right} at={at} plot={p.plot} />}
          </span>
          {p.critical?.map((s) => (
            <Piece key={s.from} className={css.critical!} from={at(s.from)} to={at(s.to)} />
          ))}
          {p.gaps?.map((g) => {
            const a = clamp(at(g.from));
            const b = clamp(at(g.to));
            if (((b - a) / 100) * p.plot < GAP_PX) return null;
            return (
              <span key={g.from} className={css.gap} style={{ left: `${a}%`, width: `${b - a}%` }} title="No child span ran in this time">
                {format(g.to - g.from, "ns")} gap
              </span>
            );
          })}
          {span.events.slice(0, MAX_MARKS).map((e, i) => (
            <Mark key={i} className={e.name === "exception" ? css.exception! : css.event!} at={at(Number(BigInt(e.ts_ns) - w.startNs))} title={e.name} />
          ))}
          {p.logs?.slice(0, MAX_MARKS).map((l) => (
            <Mark key={l.id} className={l.severity >= 17 ? css.logBad! : css.log!} at={at(Number(BigInt(l.ts_ns) - w.startNs))} title={`log: ${l.body}`} />
          ))}
        </>
      )}
      <Label left={left} right={right} plot={p.plot} side={inside ? null : to < window.from ? "before" : "after"} text={format(span.duration_ns, "ns")} />
    </div>
  );
}

/** The darker parts: in them the span itself worked, or waited for what has no span. */
function SelfTime({ waterfall: w, position, left, right, at, plot }: { waterfall: Waterfall; position: number; left: number; right: number; at: (ns: number) => number; plot: number }) {
  const width = right - left;
  return (
    <>
      {idle(w, position).map((s) => {
        const a = Math.max(left, at(s.from));
        const b = Math.min(right, at(s.to));
        if (((b - a) / 100) * plot < 0.6) return null;
        return <span key={s.from} className={css.self} style={{ left: `${((a - left) / width) * 100}%`, width: `${((b - a) / width) * 100}%` }} />;
      })}
    </>
  );
}

function Piece({ className, from, to }: { className: string; from: number; to: number }) {
  const a = clamp(from);
  const b = clamp(to);
  return b > a ? <span className={className} style={{ left: `${a}%`, width: `${b - a}%` }} /> : null;
}

function Mark({ className, at, title }: { className: string; at: number; title: string }) {
  return at < 0 || at > 100 ? null : <span className={className} style={{ left: `${at}%` }} title={title} />;
}

/** After the bar where there is room, else before it, else on it. */
function Label({ left, right, plot, side, text }: { left: number; right: number; plot: number; side: "before" | "after" | null; text: string }) {
  if (side) return <span className={css.away} data-side={side}>{side === "before" ? `‹ ${text}` : `${text} ›`}</span>;
  if (((100 - right) / 100) * plot > LABEL_PX) return <span className={css.label} style={{ left: `calc(${right}% + 6px)` }}>{text}</span>;
  if ((left / 100) * plot > LABEL_PX) return <span className={css.label} style={{ right: `calc(${100 - left}% + 6px)` }}>{text}</span>;
  return <span className={css.label} data-on style={{ right: `calc(${100 - right}% + 6px)` }}>{text}</span>;
}

const clamp = (v: number) => Math.min(100, Math.max(0, v));
