import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { text } from "@/app/search";

export interface DashboardsSearch {
  q?: string;
  tag?: string;
}

export const dashboardsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/dashboards",
  validateSearch: (s: Record<string, unknown>): DashboardsSearch => ({ q: text(s, "q"), tag: text(s, "tag") }),
  staticData: { crumbs: () => [{ label: "Dashboards" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
