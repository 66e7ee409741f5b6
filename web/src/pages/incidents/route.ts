import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const WHEN = ["1d", "7d", "30d", "range"] as const;

export interface IncidentsSearch {
  status?: "open" | "resolved";
  severity?: "critical" | "warning" | "info";
  service?: string;
  /** How far back the resolved go; "range" is the page's time range. */
  when?: (typeof WHEN)[number];
  q?: string;
}

export const incidentsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/incidents",
  validateSearch: (s: Record<string, unknown>): IncidentsSearch => ({
    status: oneOf(s, "status", ["open", "resolved"]),
    severity: oneOf(s, "severity", ["critical", "warning", "info"]),
    service: text(s, "service"),
    when: oneOf(s, "when", WHEN),
    q: text(s, "q"),
  }),
  staticData: { crumbs: () => [{ label: "Incidents" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
