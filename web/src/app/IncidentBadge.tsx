import { useOpenIncidents } from "./useOpenIncidents";
import css from "./Shell.module.css";

/** How many incidents are open, in the colour of the worst of them. Nothing open: nothing shown. */
export function IncidentBadge() {
  const { open } = useOpenIncidents();
  if (!open || open.length === 0) return null;
  const worst = open.some((i) => i.severity === "critical") ? "critical" : open.some((i) => i.severity === "warning") ? "warning" : "info";
  return (
    <span className={css.badge} data-severity={worst} data-testid="incident-badge">
      {open.length > 99 ? "99+" : open.length}
      <span className="visually-hidden"> open</span>
    </span>
  );
}
