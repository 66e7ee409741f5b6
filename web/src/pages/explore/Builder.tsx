import { useId, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import type { PromMetric } from "@/api/dashboards";
import { labelNames, labelValues } from "@/api/prom";
import { useScope } from "@/app/range";
import { type Built, type Course, COURSES, type Filter, type Operator, OPERATORS, suggested, type Summary, SUMMARIES } from "@/lib/dash/builder";
import { Button, IconButton } from "@/ui/Button";
import css from "./Builder.module.css";

interface Props {
  /** What the expression says, where the builder can say it. */
  value: Built | null;
  draft: string;
  known: readonly PromMetric[];
  onChange: (b: Built) => void;
}

const COURSE_WORDS: Record<Course, string> = { none: "as it is", rate: "rate per second", increase: "increase", avg_over_time: "mean over time", max_over_time: "largest over time", min_over_time: "smallest over time" };
const SUMMARY_WORDS: Record<Summary, string> = { none: "every series", sum: "sum", avg: "mean", min: "smallest", max: "largest", count: "number of series" };

/** A metric, filters, a rate, a sum: chosen instead of written. */
export function Builder({ value, draft, known, onChange }: Props) {
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const { range } = useScope();
  const metric = value?.metric ?? "";
  const selector = metric ? `{__name__=${JSON.stringify(metric)}}` : "";
  const labels = useQuery({ queryKey: ["labels", selector, range.from, range.to], queryFn: ({ signal }) => labelNames(selector, range, signal), enabled: metric !== "", staleTime: 60_000 });
  const names = (labels.data ?? []).filter((l) => l !== "__name__" && l !== "le");
  const pick = (name: string) => {
    const m = known.find((k) => k.name === name);
    if (m) onChange({ ...suggested(m), filters: value?.filters ?? [] });
  };
  const b = value;
  return (
    <div className={css.builder}>
      <label className={css.field}>
        <span>Metric</span>
        <input className={css.metric} list={`${id}-metrics`} value={typed ?? metric} placeholder="Name of a metric" onChange={(e) => (setTyped(e.target.value), pick(e.target.value))} onBlur={() => setTyped(null)} />
        <datalist id={`${id}-metrics`}>
          {known.slice(0, 2000).map((m) => (
            <option key={m.name} value={m.name} />
          ))}
        </datalist>
      </label>
      {!b && draft.trim() !== "" && <p className={css.note}>This expression says more than the builder can: choosing a metric replaces it.</p>}
      {b && (
        <>
          <div className={css.field} role="group" aria-label="Where">
            <span>Where</span>
            {b.filters.map((f, i) => (
              <FilterField key={i} filter={f} names={names} selector={selector} onChange={(next) => onChange({ ...b, filters: b.filters.map((o, k) => (k === i ? next : o)) })} onRemove={() => onChange({ ...b, filters: b.filters.filter((_, k) => k !== i) })} />
            ))}
            <Button size="sm" onClick={() => onChange({ ...b, filters: [...b.filters, { label: names[0] ?? "job", op: "=", value: "" }] })}>
              <Plus size={12} aria-hidden /> Filter
            </Button>
          </div>
          <div className={css.row}>
            <Choice label="Over time" options={COURSES} words={COURSE_WORDS} value={b.course} onChange={(course) => onChange({ ...b, course })} />
            {b.quantile === null ? (
              <Choice label="Across series" options={SUMMARIES} words={SUMMARY_WORDS} value={b.summary} onChange={(summary) => onChange({ ...b, summary, by: summary === "none" ? [] : b.by })} />
            ) : (
              <Choice label="Quantile" options={["0.5", "0.9", "0.95", "0.99"] as const} words={{ "0.5": "p50", "0.9": "p90", "0.95": "p95", "0.99": "p99" }} value={String(b.quantile) as "0.95"} onChange={(q) => onChange({ ...b, quantile: Number(q) })} />
            )}
            {(b.summary !== "none" || b.quantile !== null) && (
              <div className={css.field} role="group" aria-label="One line for each">
                <span>by</span>
                {b.by.map((l) => (
                  <span key={l} className={css.chip}>
                    {l}
                    <button type="button" aria-label={`Not by ${l}`} onClick={() => onChange({ ...b, by: b.by.filter((x) => x !== l) })}>
                      <X size={11} />
                    </button>
                  </span>
                ))}
                <select className={css.select} aria-label="One line for each value of" value="" onChange={(e) => e.target.value && onChange({ ...b, by: [...b.by, e.target.value] })}>
                  <option value="">{b.by.length ? "+ label" : "nothing"}</option>
                  {names.filter((n) => !b.by.includes(n)).map((n) => (
                    <option key={n}>{n}</option>
                  ))}
                </select>
              </div>
            )}
            <Choice label="Only" options={["all", "3", "5", "10"] as const} words={{ all: "all of them", 3: "the 3 largest", 5: "the 5 largest", 10: "the 10 largest" }} value={b.top === null ? "all" : (String(b.top) as "5")} onChange={(t) => onChange({ ...b, top: t === "all" ? null : Number(t) })} />
          </div>
        </>
      )}
    </div>
  );
}

function Choice<T extends string>({ label, options, words, value, onChange }: { label: string; options: readonly T[]; words: Record<T, string>; value: T; onChange: (v: T) => void }) {
  return (
    <label className={css.field}>
      <span>{label}</span>
      <select className={css.select} value={value} onChange={(e) => onChange(e.target.value as T)}>
        {(options.includes(value) ? options : [...options, value]).map((o) => (
          <option key={o} value={o}>
            {words[o] ?? o}
          </option>
        ))}
      </select>
    </label>
  );
}

function FilterField({ filter: f, names, selector, onChange, onRemove }: { filter: Filter; names: readonly string[]; selector: string; onChange: (f: Filter) => void; onRemove: () => void }) {
  const id = useId();
  const { range } = useScope();
  const values = useQuery({ queryKey: ["label-values", f.label, selector, range.from, range.to], queryFn: ({ signal }) => labelValues(f.label, selector, range, signal), enabled: f.label !== "", staleTime: 60_000 });
  return (
    <span className={css.filter}>
      <select className={css.select} aria-label="Label" value={f.label} onChange={(e) => onChange({ ...f, label: e.target.value, value: "" })}>
        {[...new Set([...names, f.label])].map((n) => (
          <option key={n}>{n}</option>
        ))}
      </select>
      <select className={css.select} aria-label="Comparison" value={f.op} onChange={(e) => onChange({ ...f, op: e.target.value as Operator })}>
        {OPERATORS.map((o) => (
          <option key={o}>{o}</option>
        ))}
      </select>
      <input className={css.value} aria-label="Value" list={id} value={f.value} onChange={(e) => onChange({ ...f, value: e.target.value })} />
      <datalist id={id}>
        {(values.data ?? []).slice(0, 500).map((v) => (
          <option key={v} value={v} />
        ))}
      </datalist>
      <IconButton size="sm" label={`Remove the filter on ${f.label}`} onClick={onRemove}>
        <X size={12} />
      </IconButton>
    </span>
  );
}
