import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const PANELS = ["attributes", "events", "logs", "profile", "links", "resource"] as const;
export type PanelTab = (typeof PANELS)[number];

export interface TraceSearch {
  /** The selected span's id. */
  span?: string;
  /** Search within the trace. */
  find?: string;
  tab?: PanelTab;
  /** The window looked at, "from_to" in nanoseconds since the trace's start. */
  zoom?: string;
  /** Collapsed spans' ids, joined by commas. */
  fold?: string;
  /** Deepest level shown. */
  depth?: string;
}

export const traceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/traces/$trace",
  validateSearch: (s: Record<string, unknown>): TraceSearch => ({
    span: text(s, "span"),
    find: text(s, "find"),
    tab: oneOf(s, "tab", PANELS),
    zoom: text(s, "zoom"),
    fold: text(s, "fold"),
    depth: text(s, "depth"),
  }),
  staticData: { crumbs: (p) => [{ label: "Traces", to: "/traces" }, { label: (p.trace ?? "").slice(0, 8) }] },
  component: lazyRouteComponent(() => import("./Page")),
});
