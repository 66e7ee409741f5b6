// Every page's route in one list. A page keeps its route beside it in
// pages/NAME/route.ts and is loaded when first visited.
import { createRoute, createRouter, redirect } from "@tanstack/react-router";
import { ErrorView, NotFound } from "@/app/ErrorView";
import { rootRoute } from "@/app/root";
import { parseSearch, stringifySearch } from "@/app/search";
import { alertsRoute } from "@/pages/alerts/route";
import { dashboardRoute } from "@/pages/dashboard/route";
import { dashboardsRoute } from "@/pages/dashboards/route";
import { metricsRoute } from "@/pages/explore/oldlinks";
import { exploreRoute } from "@/pages/explore/route";
import { hostsRoute } from "@/pages/hosts/route";
import { incidentRoute } from "@/pages/incident/route";
import { incidentsRoute } from "@/pages/incidents/route";
import { ingestRoute } from "@/pages/ingest/route";
import { logsRoute } from "@/pages/logs/route";
import { mapRoute } from "@/pages/map/route";
import { profilesRoute } from "@/pages/profiles/route";
import { serviceRoute } from "@/pages/service/route";
import { servicesRoute } from "@/pages/services/route";
import { settingsRoute } from "@/pages/settings/route";
import { targetsRoute } from "@/pages/targets/route";
import { traceRoute } from "@/pages/trace/route";
import { tracesRoute } from "@/pages/traces/route";
import { SkeletonRows } from "@/ui/States";

const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: ({ search }) => {
    throw redirect({ to: "/services", search, replace: true });
  },
});

const routeTree = rootRoute.addChildren([indexRoute, servicesRoute, serviceRoute, mapRoute, hostsRoute, tracesRoute, traceRoute, logsRoute, metricsRoute, exploreRoute, dashboardsRoute, dashboardRoute, profilesRoute, targetsRoute, incidentsRoute, incidentRoute, alertsRoute, ingestRoute, settingsRoute]);

export const router = createRouter({
  routeTree,
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultPendingComponent: SkeletonRows,
  defaultPendingMs: 150,
  // A page that fails leaves the frame around it standing.
  defaultErrorComponent: ErrorView,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
