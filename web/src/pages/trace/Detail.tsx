import { type Ref, useState } from "react";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import type { Span, TraceAnswer } from "@/api/types";
import { around, query, term, tracesSearch } from "@/app/links";
import { format } from "@/lib/format";
import type { Waterfall } from "@/lib/waterfall";
import { IconButton } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { Num } from "@/ui/Num";
import { ServiceDot } from "@/ui/Service";
import { Tabs } from "@/ui/Tabs";
import { Time } from "@/ui/Time";
import { Attributes, attributesOf } from "./Attributes";
import { Events, Links } from "./Events";
import type { PanelTab } from "./route";
import { SpanLogs } from "./SpanLogs";
import { SpanProfile } from "./SpanProfile";
import { Usual } from "./Usual";
import type { TraceLogs } from "./useTrace";
import css from "./Detail.module.css";

interface Props {
  ref: Ref<HTMLElement>;
  trace: TraceAnswer;
  waterfall: Waterfall;
  position: number;
  tab: PanelTab;
  onTab: (tab: PanelTab) => void;
  logs: TraceLogs;
  onSpan: (position: number) => void;
  onClose: () => void;
}

const WIDTH_KEY = "tidemark.trace.detail";
const MIN = 300;
const MAX = 760;

/** Everything about the selected span. Beside the waterfall, or a sheet from below on narrow screens. */
export function Detail({ ref, trace, waterfall: w, position, tab, onTab, logs, onSpan, onClose }: Props) {
  const span = w.spans[position]!;
  const resource = trace.resources[span.resource] ?? {};
  const [width, setWidth] = useWidth();
  const spanLogs = logs.bySpan.get(span.span_id)?.length ?? 0;
  return (
    <section ref={ref} tabIndex={-1} className={css.panel} style={{ "--width": `${width}px` } as never} aria-label={`Span ${span.name}`} data-testid="span-detail">
      <Grip width={width} onChange={setWidth} />
      <header className={css.head}>
        <div className={css.titles}>
          <h2 className={css.title}>{span.name}</h2>
          <Link to="/services/$service" params={{ service: span.service }} search={rangeOf(span) as never} className={css.service}>
            <ServiceDot name={span.service} /> {span.service}
          </Link>
        </div>
        <IconButton size="sm" label="Close" keys="Esc" onClick={onClose}>
          <X size={14} />
        </IconButton>
      </header>
      <div className={css.scroll} tabIndex={0} role="group" aria-label="Span details">
        <Facts waterfall={w} position={position} />
        {span.status === "error" && (
          <p className={css.failed}>
            Failed{span.status_message && `: ${span.status_message}`}
          </p>
        )}
        <Usual span={span} env={resource["deployment.environment.name"] ?? resource["deployment.environment"]} />
        <Related span={span} waterfall={w} position={position} onSpan={onSpan} />
        <Tabs
          label="About the span"
          value={tab}
          onChange={onTab}
          panelId="span-panel"
          tabs={[
            { id: "attributes", label: "Attributes", count: span.attributes.length },
            { id: "events", label: "Events", count: span.events.length },
            { id: "logs", label: "Logs", count: spanLogs },
            { id: "profile", label: "Profile" },
            { id: "links", label: "Links", count: span.links.length },
            { id: "resource", label: "Resource" },
          ]}
        />
        <div id="span-panel" role="tabpanel" aria-label={tab} className={css.body}>
          {tab === "attributes" && <Attributes list={span.attributes} dropped={span.dropped.attributes} empty="This span has no attributes." />}
          {tab === "events" && <Events span={span} />}
          {tab === "logs" && <SpanLogs trace={trace} span={span} logs={logs} />}
          {tab === "profile" && <SpanProfile traceId={trace.trace_id} span={span} />}
          {tab === "links" && <Links span={span} />}
          {tab === "resource" && <Attributes list={attributesOf({ ...resource, ...(span.scope ? { "otel.scope": span.scope } : {}) })} dropped={0} empty="The resource has no attributes." />}
        </div>
      </div>
    </section>
  );
}

/** The minutes around the span, for pages that go by range. */
function rangeOf(span: Span) {
  return around(Number(BigInt(span.ts_ns) / 1_000_000n), 60_000, 5);
}

function Facts({ waterfall: w, position }: { waterfall: Waterfall; position: number }) {
  const span = w.spans[position]!;
  const critical = w.criticalTime.get(position) ?? 0;
  const skew = w.skews.get(position);
  return (
    <dl className={css.facts}>
      <Fact label="Duration">
        <Num value={span.duration_ns} unit="ns" />
      </Fact>
      <Fact label="Self time">
        <Num value={w.self[position]} unit="ns" />
      </Fact>
      <Fact label="On critical path">{critical > 0 ? <Num value={critical} unit="ns" /> : <span className={css.faint}>no</span>}</Fact>
      <Fact label="Starts at">
        <Num value={w.start[position]} unit="ns" />
      </Fact>
      <Fact label="Kind">{span.kind}</Fact>
      <Fact label="Status">{span.status === "error" ? <span className={css.bad}>error</span> : span.status}</Fact>
      <Fact label="Time" wide>
        <Time t={Number(BigInt(span.ts_ns) / 1_000_000n)} millis />
      </Fact>
      <Fact label="Span id" wide>
        <span className={`mono ${css.id}`}>{span.span_id}</span>
        <CopyButton text={span.span_id} label="Copy the span's id" />
      </Fact>
      {skew !== undefined && (
        <Fact label="Clock skew" wide>
          {skew < 0 ? `starts ${format(-skew, "ns")} before its parent` : `ends ${format(skew, "ns")} after the caller that waited for it`}
        </Fact>
      )}
    </dl>
  );
}

function Fact({ label, children, wide }: { label: string; children: React.ReactNode; wide?: boolean }) {
  return (
    <div className={css.fact} data-wide={wide || undefined}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Related({ span, waterfall: w, position, onSpan }: { span: Span; waterfall: Waterfall; position: number; onSpan: (p: number) => void }) {
  const same = query(term("service", span.service), term("name", span.name));
  const parent = w.parent[position]!;
  return (
    <nav className={css.related} aria-label="Related">
      <Link {...tracesSearch(same)} className="link">
        Traces with this operation
      </Link>
      <Link {...tracesSearch(query(same, "status:error"))} className="link">
        Its failures
      </Link>
      <Link to="/services/$service" params={{ service: span.service }} search={{ ...rangeOf(span), operation: span.name } as never} className="link">
        Its charts
      </Link>
      {parent >= 0 && (
        <button type="button" className={`link ${css.asLink}`} onClick={() => onSpan(parent)}>
          Parent
        </button>
      )}
    </nav>
  );
}

function useWidth(): [number, (px: number) => void] {
  const [width, set] = useState(() => {
    try {
      return Number(localStorage.getItem(WIDTH_KEY)) || 440;
    } catch {
      return 440;
    }
  });
  return [
    width,
    (px) => {
      const next = Math.round(Math.min(MAX, Math.max(MIN, px)));
      set(next);
      try {
        localStorage.setItem(WIDTH_KEY, String(next));
      } catch {
        // The width then lasts for this page only.
      }
    },
  ];
}

function Grip({ width, onChange }: { width: number; onChange: (px: number) => void }) {
  return (
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the details"
      aria-valuenow={width}
      aria-valuemin={MIN}
      aria-valuemax={MAX}
      tabIndex={0}
      className={css.grip}
      onPointerDown={(e) => {
        e.preventDefault();
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove={(e) => e.currentTarget.hasPointerCapture(e.pointerId) && onChange(e.currentTarget.parentElement!.getBoundingClientRect().right - e.clientX)}
      onKeyDown={(e) => {
        const by = e.key === "ArrowLeft" ? 20 : e.key === "ArrowRight" ? -20 : 0;
        if (!by) return;
        e.preventDefault();
        onChange(width + by);
      }}
    />
  );
}
