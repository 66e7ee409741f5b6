import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { text } from "@/app/search";

export interface MetricsSearch {
  /** Narrows the list of metrics. */
  q?: string;
  service?: string;
  /** The charts, as lib/chartspec writes them. */
  charts?: string;
}

export const metricsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/metrics/explore",
  validateSearch: (s: Record<string, unknown>): MetricsSearch => ({ q: text(s, "q"), service: text(s, "service"), charts: text(s, "charts") }),
  staticData: { crumbs: () => [{ label: "Metrics" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
