import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export interface TracesSearch {
  /** The search, in the search language. */
  q?: string;
  sort?: "slowest";
  /** A rectangle on the heatmap that is compared with the rest (lib/selection). */
  sel?: string;
}

export const tracesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/traces",
  validateSearch: (s: Record<string, unknown>): TracesSearch => ({ q: text(s, "q"), sort: oneOf(s, "sort", ["slowest"]), sel: text(s, "sel") }),
  staticData: { crumbs: () => [{ label: "Traces" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
