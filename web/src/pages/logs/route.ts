import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export interface LogsSearch {
  q?: string;
  order?: "oldest";
  /** Attributes shown as columns, joined by commas. */
  cols?: string;
  wrap?: "1";
  /** The opened record. */
  open?: string;
}

export const logsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/logs",
  validateSearch: (s: Record<string, unknown>): LogsSearch => ({ q: text(s, "q"), order: oneOf(s, "order", ["oldest"]), cols: text(s, "cols"), wrap: oneOf(s, "wrap", ["1"]), open: text(s, "open") }),
  staticData: { crumbs: () => [{ label: "Logs" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
