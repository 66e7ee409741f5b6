import type { Red, ServiceAnswer } from "@/api/types";
import { format, type Unit } from "@/lib/format";
import { Num } from "@/ui/Num";
import { errorTone } from "@/ui/redColumns";
import css from "./Page.module.css";

const LIST: { label: string; unit: Unit; of: (r: Red) => number | null }[] = [
  { label: "Requests", unit: "rate", of: (r) => r.rate },
  { label: "Errors", unit: "ratio", of: (r) => r.error_ratio },
  { label: "p50", unit: "ns", of: (r) => r.p50_ns },
  { label: "p95", unit: "ns", of: (r) => r.p95_ns },
  { label: "p99", unit: "ns", of: (r) => r.p99_ns },
];

/** The whole range in five numbers, each beside the same span of time before. */
export function Totals({ data }: { data: ServiceAnswer }) {
  return (
    <dl className={css.totals}>
      {LIST.map((t) => (
        <div key={t.label} className={css.total}>
          <dt>{t.label}</dt>
          <dd>
            <Num value={t.of(data.total)} unit={t.unit} tone={t.label === "Errors" ? errorTone(data.total) : undefined} />
            {data.previous && data.previous.calls > 0 && <span className={css.before}>before {format(t.of(data.previous), t.unit)}</span>}
          </dd>
        </div>
      ))}
      <div className={css.total}>
        <dt>Instances</dt>
        <dd>
          <Num value={data.instances.length} />
          <span className={css.before}>{data.versions[0]?.version || "no version sent"}</span>
        </dd>
      </div>
    </dl>
  );
}
