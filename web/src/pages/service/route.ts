import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const TABS = ["operations", "dependencies", "errors", "instances", "metrics", "logs", "profiles", "versions"] as const;

export interface ServiceSearch {
  tab?: (typeof TABS)[number];
  /** One operation: the charts narrow to it. */
  operation?: string;
  version?: string;
  instance?: string;
  /** In the metrics tab, the one that comes first. */
  metric?: string;
  /** All kinds of spans in the operations tab, not only what comes in. */
  spans?: "all";
}

export const serviceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/services/$service",
  validateSearch: (s: Record<string, unknown>): ServiceSearch => ({
    tab: oneOf(s, "tab", TABS),
    operation: text(s, "operation"),
    version: text(s, "version"),
    instance: text(s, "instance"),
    metric: text(s, "metric"),
    spans: oneOf(s, "spans", ["all"]),
  }),
  staticData: { crumbs: (p) => [{ label: "Services", to: "/services" }, { label: p.service ?? "" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
