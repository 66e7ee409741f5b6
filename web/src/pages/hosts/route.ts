import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const SORTS = ["host", "cpu", "memory", "disk", "load", "io", "network", "services"] as const;

export interface HostsSearch {
  q?: string;
  sort?: (typeof SORTS)[number];
  dir?: "asc" | "desc";
}

export const hostsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/hosts",
  validateSearch: (s: Record<string, unknown>): HostsSearch => ({ q: text(s, "q"), sort: oneOf(s, "sort", SORTS), dir: oneOf(s, "dir", ["asc", "desc"]) }),
  staticData: { crumbs: () => [{ label: "Hosts" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
