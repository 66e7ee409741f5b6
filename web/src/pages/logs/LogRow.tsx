import { type KeyboardEvent, memo, type MouseEvent } from "react";
import { Link } from "@tanstack/react-router";
import { ChevronDown, ChevronRight, Columns2, Filter, FilterX } from "lucide-react";
import type { LogRecord } from "@/api/types";
import { logsSearch, term } from "@/app/links";
import { useScope } from "@/app/range";
import { toggleTerm } from "@/lib/searchlang";
import { level } from "@/lib/severity";
import { fieldOf } from "@/lib/tail";
import { bothZones, dateTime } from "@/lib/time";
import { IconButton } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { ServiceDot } from "@/ui/Service";
import css from "./LogRow.module.css";

interface Props {
  record: LogRecord;
  columns: readonly string[];
  wrap: boolean;
  open: boolean;
  text: string;
  onOpen: (id: string | undefined) => void;
  onColumns: (columns: readonly string[]) => void;
  onQuery: (q: string) => void;
}

const AROUND_MS = 30_000;

export const LogRow = memo(function LogRow(p: Props) {
  const { record: r, open } = p;
  const { utc } = useScope();
  const l = level(r.severity);
  const ms = Number(BigInt(r.ts_ns) / 1_000_000n);
  const toggle = () => p.onOpen(open ? undefined : r.id);
  const click = (e: MouseEvent) => {
    if (getSelection()?.toString() || (e.target as HTMLElement).closest("a,button")) return;
    toggle();
  };
  return (
    <div className={css.record} data-level={l} data-open={open || undefined}>
      <div className={css.row} data-wrap={p.wrap || undefined} style={{ "--tracks": tracks(p.columns.length) } as never} onClick={click}>
        <button type="button" className={css.toggle} aria-expanded={open} aria-label={`${l} ${r.body.slice(0, 80)}`} onClick={toggle} onKeyDown={move}>
          {open ? <ChevronDown size={13} /> : <ChevronRight size={13} />}
        </button>
        <time className={css.time} dateTime={new Date(ms).toISOString()} title={bothZones(ms)}>
          {dateTime(ms, utc, true)}
        </time>
        <span className={css.level}>{(r.severity_text || l).toLowerCase()}</span>
        <span className={css.service} title={r.service}>
          <ServiceDot name={r.service} size={6} /> {r.service}
        </span>
        {p.columns.map((c) => (
          <span key={c} className={css.column} title={fieldOf(r, c)}>
            {fieldOf(r, c) || "–"}
          </span>
        ))}
        <span className={css.text}>{p.wrap || open ? r.body : firstLine(r.body)}
          {!open && <Attributes record={r} columns={p.columns} />}
        </span>
      </div>
      {open && <Opened {...p} ms={ms} />}
    </div>
  );
});

/** Toggle, time, severity, service, one track a column, and the body. */
const tracks = (columns: number) => `16px 158px 46px 120px ${"minmax(70px, 130px) ".repeat(columns)}minmax(0, 1fr)`;

const INLINE = 6;

/** What the body alone does not say, in a lighter tone after it. */
function Attributes({ record, columns }: { record: LogRecord; columns: readonly string[] }) {
  const list = record.attributes.filter((a) => !columns.includes(a.key)).slice(0, INLINE);
  if (list.length === 0) return null;
  return (
    <span className={css.inline}>
      {list.map((a) => (
        <span key={a.key}>
          {" "}
          {a.key}=<span className={css.inlineValue}>{a.value.slice(0, 120)}</span>
        </span>
      ))}
    </span>
  );
}

const firstLine = (s: string) => s.split("\n", 1)[0]!.slice(0, 1000);

// j/k and arrows move between records.
function move(e: KeyboardEvent<HTMLButtonElement>) {
  const down = e.key === "ArrowDown" || e.key === "j";
  if (!down && e.key !== "ArrowUp" && e.key !== "k") return;
  const li = e.currentTarget.closest("li")!;
  const next = Number(li.dataset.index) + (down ? 1 : -1);
  const target = li.parentElement!.querySelector<HTMLElement>(`li[data-index="${next}"] button`);
  if (!target) return;
  e.preventDefault();
  target.focus();
}

function Opened(p: Props & { ms: number }) {
  const { record: r, ms } = p;
  const around = { from: String(ms - AROUND_MS), to: String(ms + AROUND_MS) };
  return (
    <div className={css.opened}>
      <div className={css.links}>
        {r.trace_id && (
          <Link to="/traces/$trace" params={{ trace: r.trace_id }} search={{ span: r.span_id || undefined, tab: "logs" }} className="link">
            Open its trace
          </Link>
        )}
        {r.trace_id && (
          <Link {...logsSearch(term("trace", r.trace_id))} className="link">
            Logs of the trace
          </Link>
        )}
        <Link {...around30(r, around)} className="link">
          30 s around, same service
        </Link>
        <Link to="/services/$service" params={{ service: r.service }} search={around as never} className="link">
          Service
        </Link>
        <CopyButton text={JSON.stringify(r, null, 2)} label="Copy the record as JSON" />
      </div>
      <Group title="Attributes" {...p} list={r.attributes.map((a) => [a.key, a.value])} />
      <Group title="Resource" {...p} list={Object.entries(r.resource)} />
      <Group
        title="Record"
        {...p}
        plain
        list={[["trace id", r.trace_id], ["span id", r.span_id], ["event", r.event_name], ["scope", r.scope], ["severity number", String(r.severity)], ["observed", r.observed_ts_ns === "0" ? "" : bothZones(Number(BigInt(r.observed_ts_ns) / 1_000_000n))]].filter(([, v]) => v) as [string, string][]}
      />
    </div>
  );
}

/** The same service's records around this one, this one still open. */
function around30(r: LogRecord, range: { from: string; to: string }) {
  const target = logsSearch(term("service", r.service), range) as unknown as { to: string; search: object };
  return { to: target.to, search: { ...target.search, open: r.id, order: "oldest" } } as unknown as { to: never; search: never };
}

function Group({ title, list, plain, columns, text, onColumns, onQuery }: Props & { title: string; list: readonly (readonly [string, string])[]; plain?: boolean }) {
  if (list.length === 0) return null;
  return (
    <section className={css.group}>
      <h3 className={css.groupTitle}>{title}</h3>
      <dl>
        {list.map(([key, value]) => {
          const t = term(key, value);
          return (
            <div key={key} className={css.pair}>
              <dt className={css.key}>{key}</dt>
              <dd className={css.value}>
                <span className={css.valueText}>{value === "" ? "(empty)" : value}</span>
                <span className={css.tools}>
                  {!plain && (
                    <>
                      <IconButton size="sm" label={`Only ${key} ${value}`.slice(0, 80)} onClick={() => onQuery(toggleTerm(text, t))}>
                        <Filter size={13} />
                      </IconButton>
                      <IconButton size="sm" label={`Without ${key} ${value}`.slice(0, 80)} onClick={() => onQuery(toggleTerm(text, `-${t}`))}>
                        <FilterX size={13} />
                      </IconButton>
                      <IconButton size="sm" label={`${key} as a column`} pressed={columns.includes(key)} onClick={() => onColumns(columns.includes(key) ? columns.filter((c) => c !== key) : [...columns, key])}>
                        <Columns2 size={13} />
                      </IconButton>
                    </>
                  )}
                  <CopyButton text={value} label={`Copy ${key}`} />
                </span>
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
