import { Link } from "@tanstack/react-router";
import type { Span, SpanEvent } from "@/api/types";
import { format, plural } from "@/lib/format";
import { CodeBlock } from "@/ui/Copy";
import { Attributes, attributesOf } from "./Attributes";
import css from "./Detail.module.css";

/** What happened within the span, by time; exceptions with their stack. */
export function Events({ span }: { span: Span }) {
  if (span.events.length === 0) return <p className={css.none}>Nothing was recorded within this span.</p>;
  const start = BigInt(span.ts_ns);
  return (
    <>
      <ol className={css.events}>
        {span.events.map((e, i) => (
          <Event key={i} event={e} atNs={Number(BigInt(e.ts_ns) - start)} />
        ))}
      </ol>
      {span.dropped.events > 0 && <p className={css.none}>{plural(span.dropped.events, "more event")} dropped.</p>}
    </>
  );
}

const text = (v: unknown) => (typeof v === "string" ? v : v === undefined || v === null ? "" : JSON.stringify(v));

function Event({ event, atNs }: { event: SpanEvent; atNs: number }) {
  const { "exception.type": type, "exception.message": message, "exception.stacktrace": stack, ...rest } = event.attributes;
  const isException = event.name === "exception" || type !== undefined || stack !== undefined;
  return (
    <li className={css.event} data-bad={isException || undefined}>
      <p className={css.eventHead}>
        <span className={css.eventName}>{isException ? text(type) || "Exception" : event.name}</span>
        <span className="mono">+{format(atNs, "ns")}</span>
      </p>
      {isException && message !== undefined && <p className={css.message}>{text(message)}</p>}
      {stack !== undefined && <CodeBlock label="Stack" text={text(stack)} />}
      {Object.keys(rest).length > 0 && <Attributes list={attributesOf(rest)} dropped={0} empty="" />}
    </li>
  );
}

/** Other traces this span names: what it continues, or what a batch was made of. */
export function Links({ span }: { span: Span }) {
  if (span.links.length === 0) return <p className={css.none}>This span links to no other trace.</p>;
  return (
    <ul className={css.links}>
      {span.links.map((l, i) => (
        <li key={i}>
          <Link to="/traces/$trace" params={{ trace: l.trace_id }} search={{ span: l.span_id }} className="link mono">
            {l.trace_id}
          </Link>
          {Object.keys(l.attributes).length > 0 && <Attributes list={attributesOf(l.attributes)} dropped={0} empty="" />}
        </li>
      ))}
    </ul>
  );
}
