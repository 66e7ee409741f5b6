import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import { newest, useFallback, useLive } from "@/api/live";
import { type ProfileChoice, profileSeriesQuery, type ProfileSeriesAnswer, SERIES_MEMBERS } from "@/api/profiles";
import { useScope } from "@/app/range";
import type { Marker } from "@/charts/model";
import { TimeChart } from "@/charts/TimeChart";
import { short } from "@/charts/paintFlame";
import { colorAt } from "@/lib/color";
import { unitOf } from "@/lib/profiletype";
import type { Span } from "@/lib/time";
import { Failed, Skeleton } from "@/ui/States";
import css from "./Selection.module.css";

interface Props {
  choice: ProfileChoice;
  height?: number;
  /** Asks only once this is true: what is looked at first is not to wait for it. */
  after?: boolean;
  /** The other side's time, where it is another one. */
  other?: Span;
  /** Chooses the other side's time: a drag with the shift key. */
  onOther?: (span: Span) => void;
}

/** What the largest functions take over time, stacked, live. */
export function Over({ choice, height = 150, after = true, other, onOther }: Props) {
  const scope = useScope();
  const { service, type, sample_type, version, instance, label } = choice;
  const live = useLive<ProfileSeriesAnswer>({ kind: "profile_series", service, type, sample_type, version, instance, label, env: scope.env, members: SERIES_MEMBERS }, { from: scope.range.from, enabled: scope.live && after });
  const q = useQuery({ ...profileSeriesQuery(scope, choice), enabled: after, refetchInterval: useFallback(scope.live, live) });
  const data = newest(live.data, q.data);
  const unit = data?.unit;
  // Less than a fifth of a core is clearer in thousandths.
  const small = unit === "cores" && data!.total.every((v) => (v ?? 0) < 0.2);
  const series = useMemo(
    () => (data?.series ?? []).map((s, i, all) => ({ key: s.name, label: short(s.name), values: small ? s.values.map((v) => (v === null ? null : v * 1000)) : s.values, color: i === all.length - 1 && s.name === "(other)" ? "var(--series-other)" : colorAt(i) })),
    [data, small],
  );
  const markers = useMemo<Marker[]>(() => (other ? [{ at: other.from, to: other.to, label: "Compared with", kind: "other" }] : []), [other]);
  const hint = onOther && <span className={css.hint}>{other ? "tinted: the time compared with" : "Shift and drag to compare with another time"}</span>;
  if (!data) return q.error ? <Failed error={q.error} retry={() => void q.refetch()} still="The flame graph is asked for separately." /> : <Skeleton height={height + 60} />;
  return <TimeChart title={titleOf(data.unit, small)} range={data.range} series={series} unit={small ? "" : chartUnit(data.unit)} style="stacked" height={height} freshAt={live.freshAt || q.dataUpdatedAt} markers={markers} onShiftDrag={onOther} aside={hint} />;
}

// The axis has no room for the name of a thousandth of a core.
function titleOf(unit: string, small: boolean): string {
  if (unit !== "cores") return "By function";
  return small ? "CPU by function, in thousandths of a core" : "CPU by function, in cores";
}

function chartUnit(unit: string): string {
  if (unit === "cores") return "";
  const [base, per] = unit.split("/");
  if (per === "s") return base === "bytes" ? "bytes/s" : base === "count" ? "rate" : `${base}/s`;
  return unitOf(unit);
}
