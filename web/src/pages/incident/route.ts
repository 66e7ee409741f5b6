import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";

export const incidentRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/incidents/$incident",
  staticData: { crumbs: () => [{ label: "Incidents", to: "/incidents" }, { label: "Incident" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
