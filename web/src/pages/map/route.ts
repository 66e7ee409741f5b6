import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export interface MapSearch {
  focus?: string;
  /** Steps from the focused node, "1"…"3". */
  depth?: "1" | "2" | "3";
}

export const mapRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/map",
  validateSearch: (s: Record<string, unknown>): MapSearch => ({
    focus: text(s, "focus"),
    depth: oneOf(s, "depth", ["1", "2", "3"]),
  }),
  staticData: { crumbs: () => [{ label: "Map" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
