import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import { type ProfileChoice, profileSeriesQuery } from "@/api/profiles";
import { useScope } from "@/app/range";
import { TimeChart } from "@/charts/TimeChart";
import { short } from "@/charts/paintFlame";
import { colorAt } from "@/lib/color";
import { unitOf } from "@/lib/profiletype";
import { Query, Skeleton } from "@/ui/States";

/** What the largest functions take over time, stacked. */
export function Over({ choice, height = 150 }: { choice: ProfileChoice; height?: number }) {
  const scope = useScope();
  const q = useQuery(profileSeriesQuery(scope, choice));
  // Less than a fifth of a core is clearer in thousandths.
  const small = q.data?.unit === "cores" && q.data.total.every((v) => (v ?? 0) < 0.2);
  const series = useMemo(
    () => (q.data?.series ?? []).map((s, i, all) => ({ key: s.name, label: short(s.name), values: small ? s.values.map((v) => (v === null ? null : v * 1000)) : s.values, color: i === all.length - 1 && s.name === "(other)" ? "var(--series-other)" : colorAt(i) })),
    [q.data, small],
  );
  return (
    <Query query={q} skeleton={<Skeleton height={height + 60} />}>
      {(data) => <TimeChart title={data.unit === "cores" ? "CPU by function" : "By function"} range={data.range} series={series} unit={small ? "mcores" : chartUnit(data.unit)} style="stacked" height={height} freshAt={q.dataUpdatedAt} />}
    </Query>
  );
}

function chartUnit(unit: string): string {
  const [base, per] = unit.split("/");
  if (per === "s") return base === "bytes" ? "bytes/s" : base === "count" ? "rate" : `${base}/s`;
  return unitOf(unit);
}
