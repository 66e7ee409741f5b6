// The root route: the frame, and the search parameters every page shares.
import { createRootRoute, retainSearchParams } from "@tanstack/react-router";
import { ErrorView, NotFound } from "./ErrorView";
import { GLOBAL_KEYS, validateGlobal } from "./search";
import { Shell } from "./Shell";
import type { Crumb } from "./Breadcrumb";

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    crumbs?: (params: Record<string, string>) => Crumb[];
    /** The page compares with what `vs` in the address says; the time picker offers times for it. */
    compares?: true;
  }
}

export const rootRoute = createRootRoute({
  component: Shell,
  errorComponent: ErrorView,
  notFoundComponent: NotFound,
  validateSearch: validateGlobal,
  // Range, environment, zone and pause follow the reader from page to page.
  search: { middlewares: [retainSearchParams([...GLOBAL_KEYS])] },
});
