import { useMemo } from "react";
import { costBandsQuery, type ProfileChoice } from "@/api/profiles";
import { useQuery } from "@tanstack/react-query";
import { useScope } from "@/app/range";
import { TimeChart } from "@/charts/TimeChart";
import { short } from "@/charts/paintFlame";
import { marksOver } from "@/lib/bands";
import { chartColumns, unitOf } from "@/lib/incident";

/** What a function costs a request over time, with what was expected, incidents and releases. Nothing where requests are not known. */
export function Cost({ choice, fn }: { choice: ProfileChoice; fn: string }) {
  const scope = useScope();
  const symptom = choice.sample_type?.startsWith("alloc_space") ? "alloc" : choice.type === "cpu" ? "cpu" : undefined;
  const q = useQuery({ ...costBandsQuery(scope, choice, fn, symptom ?? "cpu"), enabled: symptom !== undefined && !choice.label });
  const columns = useMemo(() => (q.data ? chartColumns(q.data) : null), [q.data]);
  const markers = useMemo(() => (columns ? marksOver(columns.range, q.data) : []), [columns, q.data]);
  if (symptom === undefined || choice.label || !q.data || !columns || q.data.ts.length < 2) return null;
  return (
    <TimeChart
      bare
      title={`${symptom === "cpu" ? "CPU time" : "Memory allocated"} a request of ${short(fn)}`}
      range={columns.range}
      unit={unitOf(q.data.unit)}
      height={110}
      legend={false}
      markers={markers}
      band={columns.upper.some((v) => v !== null) ? { lower: columns.lower, upper: columns.upper, label: "expected" } : undefined}
      series={[
        { key: "value", label: "A request", values: columns.value, color: "var(--text)" },
        { key: "expected", label: "Usual", values: columns.expected, color: "var(--accent)", width: 1, dash: [4, 4] },
      ]}
    />
  );
}
