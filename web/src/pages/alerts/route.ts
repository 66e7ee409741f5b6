import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const TABS = ["rules", "files", "channels", "routing", "silences", "log", "sensitivity", "mutes"] as const;

export interface AlertsSearch {
  tab?: (typeof TABS)[number];
  /** What is being edited: an id, or "new". */
  edit?: string;
  /** In rules: which kind of thing is edited. */
  of?: "rule" | "slo";
}

export const alertsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/alerts",
  validateSearch: (s: Record<string, unknown>): AlertsSearch => ({
    tab: oneOf(s, "tab", TABS),
    edit: text(s, "edit"),
    of: oneOf(s, "of", ["rule", "slo"]),
  }),
  staticData: { crumbs: () => [{ label: "Alerts" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
