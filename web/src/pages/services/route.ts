import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const SORTS = ["service", "state", "p50", "p95", "p99", "errors", "rate", "instances", "version"] as const;

export interface ServicesSearch {
  q?: string;
  sort?: (typeof SORTS)[number];
  dir?: "asc" | "desc";
  group?: "env";
  /** Show the services even before the first telemetry of others. */
  start?: "skip";
}

export const servicesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/services",
  validateSearch: (s: Record<string, unknown>): ServicesSearch => ({
    q: text(s, "q"),
    sort: oneOf(s, "sort", SORTS),
    dir: oneOf(s, "dir", ["asc", "desc"]),
    group: oneOf(s, "group", ["env"]),
    start: oneOf(s, "start", ["skip"]),
  }),
  staticData: { crumbs: () => [{ label: "Services" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
