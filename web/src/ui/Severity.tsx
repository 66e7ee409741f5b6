import { CircleDot, OctagonAlert, TriangleAlert } from "lucide-react";
import type { Severity } from "@/api/types";
import css from "./Severity.module.css";

const ICONS = { critical: OctagonAlert, warning: TriangleAlert, info: CircleDot } as const;
export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];
export const SEVERITY_OPTIONS = [
  { id: "critical", label: "Critical" },
  { id: "warning", label: "Warning" },
  { id: "info", label: "Info" },
] as const satisfies readonly { id: Severity; label: string }[];

/** A severity told by shape and colour; what is over is uncoloured. */
export function SeverityMark({ severity, over, size = 16 }: { severity: Severity; over?: boolean; size?: number }) {
  const Icon = ICONS[severity] ?? CircleDot;
  return (
    <span className={css.mark} data-severity={over ? undefined : severity} title={severity}>
      <Icon size={size} aria-hidden />
      <span className="visually-hidden">{severity}</span>
    </span>
  );
}
