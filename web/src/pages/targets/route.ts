import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { text } from "@/app/search";

export interface TargetsSearch {
  /** The target in the form; "new" for one that is to be. */
  edit?: string;
}

export const targetsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/profiles/targets",
  validateSearch: (s: Record<string, unknown>): TargetsSearch => ({ edit: text(s, "edit") }),
  staticData: { crumbs: () => [{ label: "Profiles", to: "/profiles" }, { label: "Targets" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
