import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";

export const settingsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/settings",
  staticData: { crumbs: () => [{ label: "Settings" }] },
  component: lazyRouteComponent(() => import("./Page")),
});
