import { useMemo, useState } from "react";
import { ArrowDown, ArrowUp } from "lucide-react";
import type { Panel } from "@/api/dashboards";
import { levelOf, reduce } from "@/lib/dash/prom";
import { csv, download } from "@/lib/csv";
import { format } from "@/lib/format";
import type { Line } from "./PromPanel";
import css from "./panels.module.css";

const MOST = 500;

/** One row a series: what tells it from the others, and its value. */
export function Values({ panel, lines }: { panel: Panel; lines: readonly Line[] }) {
  const [sort, setSort] = useState<{ by: string; down: boolean }>({ by: "", down: true });
  const labels = useMemo(() => {
    const all = [...new Set(lines.flatMap((l) => Object.keys(l.labels)))].filter((k) => k !== "__name__");
    // What is the same everywhere says nothing, unless there is nothing else.
    const telling = all.filter((k) => new Set(lines.map((l) => l.labels[k] ?? "")).size > 1);
    return (telling.length > 0 ? telling : all).sort();
  }, [lines]);
  const several = useMemo(() => new Set(lines.map((l) => l.labels.__name__ ?? l.label)).size > 1 && labels.length === 0, [lines, labels]);
  const rows = useMemo(() => {
    const out = lines.map((l) => ({ line: l, value: reduce(l.values, panel.reduce) }));
    return out.sort((a, b) => {
      const order = sort.by === "" ? (a.value ?? -Infinity) - (b.value ?? -Infinity) : (a.line.labels[sort.by] ?? "").localeCompare(b.line.labels[sort.by] ?? "", undefined, { numeric: true });
      return sort.down ? -order : order;
    });
  }, [lines, panel.reduce, sort]);
  const head = (by: string, text: string, right?: boolean) => (
    <th key={by} scope="col" data-right={right || undefined} aria-sort={sort.by === by ? (sort.down ? "descending" : "ascending") : undefined}>
      <button type="button" onClick={() => setSort({ by, down: sort.by === by ? !sort.down : by === "" })}>
        {text}
        {sort.by === by && (sort.down ? <ArrowDown size={11} aria-hidden /> : <ArrowUp size={11} aria-hidden />)}
      </button>
    </th>
  );
  const columns = several ? ["Series"] : labels;
  const save = () => download(`${panel.title || "values"}.csv`, csv([...columns, "value"], rows.map((r) => [...(several ? [r.line.label] : labels.map((k) => r.line.labels[k] ?? "")), r.value])));
  return (
    <div className={css.values} tabIndex={0} role="region" aria-label={`${panel.title || "Values"}, as a table`}>
      <table>
        <thead>
          <tr>
            {several ? <th scope="col">Series</th> : labels.map((k) => head(k, k))}
            {head("", "Value", true)}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST).map(({ line, value }) => (
            <tr key={line.key}>
              {several ? <td>{line.label}</td> : labels.map((k) => <td key={k}>{line.labels[k]}</td>)}
              <td data-right data-level={levelOf(value, panel.thresholds)}>
                {format(value, panel.unit || "count", panel.decimals)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <button type="button" className={css.csv} onClick={save}>
        CSV
      </button>
    </div>
  );
}
