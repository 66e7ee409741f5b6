import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";

export const ingestRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/ingest",
  staticData: { crumbs: () => [{ label: "Ingest" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
