import { useMemo } from "react";
import { useFlame } from "@/api/profiles";
import { FlameGraph } from "@/charts/FlameGraph";
import { flameOf } from "@/lib/flame";
import { words } from "@/lib/profiletype";
import { Skeleton } from "@/ui/States";
import { Nothing, type PanelProps, usePanelScope } from "./PanelView";
import { wordsOf } from "./PromPanel";
import css from "./panels.module.css";

/** What a service spends its time or memory on. */
export default function FlamePanel({ panel, seen }: PanelProps) {
  const scope = usePanelScope(panel);
  const choice = panel.profile ?? { service: "", type: "cpu" };
  const q = useFlame(scope, choice, seen && choice.service !== "");
  const flame = useMemo(() => q.data && flameOf(q.data.frames, q.data.nodes), [q.data]);
  if (choice.service === "") return <Nothing>Choose a service</Nothing>;
  if (!q.data || !flame) return q.error ? <Nothing bad>{wordsOf(q.error)}</Nothing> : <Skeleton height="100%" />;
  if (q.data.total === 0) return <Nothing>No profiles in this range</Nothing>;
  const unit = q.data.unit;
  return (
    <div className={css.flame}>
      <FlameGraph flame={flame} label={panel.title || `Profile of ${choice.service}`} colour="package" found={null} words={(v) => words(v, unit)} />
    </div>
  );
}
