// The columns every table of RED rows shares.
import type { Red } from "@/api/types";
import { Num } from "./Num";
import type { Column } from "./Table";
import css from "./redColumns.module.css";

export function errorTone(r: Red): "bad" | "warn" | "faint" | undefined {
  if (r.error_ratio === 0) return "faint";
  if (r.error_ratio >= 0.05) return "bad";
  return r.error_ratio >= 0.01 ? "warn" : undefined;
}

export function redColumns<T extends Red>(): Column<T>[] {
  return [
    { id: "rate", label: "Requests", width: "84px", align: "right", secondary: true, sort: (r) => r.rate, render: (r) => <Num value={r.rate} unit="rate" /> },
    { id: "errors", label: "Errors", width: "76px", align: "right", sort: (r) => r.error_ratio, render: (r) => <Num value={r.error_ratio} unit="ratio" tone={errorTone(r)} /> },
    { id: "p50", label: "p50", width: "76px", align: "right", secondary: true, minor: true, sort: (r) => r.p50_ns, render: (r) => <Num value={r.p50_ns} unit="ns" /> },
    { id: "p95", label: "p95", width: "76px", align: "right", sort: (r) => r.p95_ns, render: (r) => <Num value={r.p95_ns} unit="ns" /> },
    { id: "p99", label: "p99", width: "76px", align: "right", secondary: true, sort: (r) => r.p99_ns, render: (r) => <Num value={r.p99_ns} unit="ns" /> },
  ];
}

export function shareColumn<T extends { time_share: number }>(label = "Share of time"): Column<T> {
  return {
    id: "share",
    label,
    width: "120px",
    align: "right",
    secondary: true,
    sort: (r) => r.time_share,
    render: (r) => (
      <span className={css.share}>
        <span className={css.track} aria-hidden>
          <span className={css.bar} style={{ width: `${Math.min(100, r.time_share * 100)}%` }} />
        </span>
        <Num value={r.time_share} unit="ratio" />
      </span>
    ),
  };
}
