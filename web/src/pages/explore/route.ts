import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const VIEWS = ["graph", "stacked", "bars", "heatmap", "histogram", "table"] as const;
export type View = (typeof VIEWS)[number];

export interface ExploreSearch {
  /** PromQL. */
  expr?: string;
  /** A second expression, drawn with the first. */
  expr2?: string;
  view?: View;
  /** The builder instead of the editor. */
  build?: "1";
  /** Narrows the list of metrics: words, and the service that sends them. */
  q?: string;
  service?: string;
}

export const exploreRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/explore",
  validateSearch: (s: Record<string, unknown>): ExploreSearch => ({ expr: text(s, "expr"), expr2: text(s, "expr2"), view: oneOf(s, "view", VIEWS), build: oneOf(s, "build", ["1"]), q: text(s, "q"), service: text(s, "service") }),
  staticData: { crumbs: () => [{ label: "Metrics" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
