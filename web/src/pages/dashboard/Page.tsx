import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ApiError } from "@/api/client";
import type { Dashboard } from "@/api/dashboards";
import { plain } from "@/api/queries";
import { Empty, Failed, SkeletonRows } from "@/ui/States";
import { Board } from "./Board";
import { dashboardRoute } from "./route";

/** One dashboard, or an older version of it. */
export default function DashboardPage() {
  const { id } = dashboardRoute.useParams();
  const { version } = dashboardRoute.useSearch();
  const path = `/dashboards/${encodeURIComponent(id)}`;
  const q = useQuery({ ...plain<Dashboard>(version ? `${path}/versions/${encodeURIComponent(version)}` : path), staleTime: Infinity, refetchOnMount: "always" });
  if (q.error instanceof ApiError && q.error.status === 404) {
    return (
      <Empty page title="No such dashboard" action={<Link to={"/dashboards" as never} className="link">All dashboards</Link>}>
        It may have been deleted.
      </Empty>
    );
  }
  if (!q.data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} /> : <SkeletonRows />;
  return <Board key={`${id} ${version ?? ""}`} saved={q.data} />;
}
