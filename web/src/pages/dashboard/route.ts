import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export interface DashboardSearch {
  /** Being arranged. */
  edit?: "1";
  /** The panel whose settings are open, with edit. */
  panel?: string;
  /** The one panel that fills the page. */
  view?: string;
  /** Without the frame around it, for a wall. */
  kiosk?: "1";
  /** An older version, to be looked at. */
  version?: string;
  /** var-NAME: what is chosen. */
  [choice: `var-${string}`]: string | undefined;
}

export const dashboardRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/dashboards/$id",
  validateSearch: (s: Record<string, unknown>): DashboardSearch => {
    const out: DashboardSearch = { edit: oneOf(s, "edit", ["1"]), panel: text(s, "panel"), view: text(s, "view"), kiosk: oneOf(s, "kiosk", ["1"]), version: text(s, "version") };
    for (const key of Object.keys(s)) if (key.startsWith("var-")) out[key as `var-${string}`] = text(s, key);
    return out;
  },
  staticData: { crumbs: () => [{ label: "Dashboards", to: "/dashboards" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
