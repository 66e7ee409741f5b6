import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/root";
import { oneOf, text } from "@/app/search";

export const VIEWS = ["flame", "sandwich", "graph"] as const;
export const SCALES = ["each", "total", "share"] as const;

export interface ProfilesSearch {
  service?: string;
  type?: string;
  /** Sample type: cpu/nanoseconds. */
  st?: string;
  version?: string;
  instance?: string;
  /** KEY:VALUE of a label. */
  label?: string;
  /** What to compare with: see lib/profilebase. */
  vs?: string;
  q?: string;
  /** Only paths through matches. */
  only?: "1";
  view?: (typeof VIEWS)[number];
  /** The function in the sandwich. */
  fn?: string;
  group?: "package";
  rec?: "1";
  /** What differences are counted in: each request (or second), the totals, or shares of the whole. */
  scale?: (typeof SCALES)[number];
  /** Of a comparison: coloured by package instead of change. */
  colour?: "package";
  sort?: string;
  dir?: "asc" | "desc";
}

export const profilesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/profiles",
  validateSearch: (s: Record<string, unknown>): ProfilesSearch => ({
    service: text(s, "service"),
    type: text(s, "type"),
    st: text(s, "st"),
    version: text(s, "version"),
    instance: text(s, "instance"),
    label: text(s, "label"),
    vs: text(s, "vs"),
    q: text(s, "q"),
    only: oneOf(s, "only", ["1"]),
    view: oneOf(s, "view", VIEWS),
    fn: text(s, "fn"),
    group: oneOf(s, "group", ["package"]),
    rec: oneOf(s, "rec", ["1"]),
    scale: oneOf(s, "scale", SCALES),
    colour: oneOf(s, "colour", ["package"]),
    sort: text(s, "sort"),
    dir: oneOf(s, "dir", ["asc", "desc"]),
  }),
  staticData: { crumbs: () => [{ label: "Profiles" }], compares: true },
  component: lazyRouteComponent(() => import("./Page")),
});
