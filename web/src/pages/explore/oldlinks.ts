// Charts of metrics once had a page of their own, by OpenTelemetry's names: its links go on to the same in PromQL.
import { createRoute, redirect } from "@tanstack/react-router";
import { get } from "@/api/client";
import type { PromMetricsAnswer } from "@/api/dashboards";
import { rootRoute } from "@/app/root";
import { text } from "@/app/search";

interface OldSearch {
  q?: string;
  service?: string;
  charts?: string;
}

export const metricsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/metrics/explore",
  validateSearch: (s: Record<string, unknown>): OldSearch => ({ q: text(s, "q"), service: text(s, "service"), charts: text(s, "charts") }),
  beforeLoad: async ({ search }) => {
    const { charts, ...rest } = search;
    const { decodeCharts, exprOf } = await import("@/lib/chartspec");
    const wanted = decodeCharts(charts);
    const known = wanted.length > 0 ? await get<PromMetricsAnswer>("/promql/metrics", { limit: 10_000 }).then((a) => a.metrics, () => []) : [];
    const [expr, expr2] = wanted.map((w) => exprOf(w, known)).filter((e) => e !== undefined);
    const service = rest.service ?? wanted[0]?.filter.find((f) => f.startsWith("service:"))?.slice("service:".length);
    // What is not known any more is searched for by its name.
    const q = rest.q ?? (expr === undefined ? wanted[0]?.name : undefined);
    throw redirect({ to: "/explore", search: { ...rest, service, q, expr, expr2 } as never, replace: true });
  },
});
