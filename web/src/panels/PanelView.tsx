// What a panel shows, by its type. Panels know nothing of the dashboard around them: the explore page draws them too.
import { lazy, Suspense } from "react";
import type { Panel } from "@/api/dashboards";
import { useScope } from "@/app/range";
import type { Marker } from "@/charts/model";
import { Skeleton } from "@/ui/States";
import { Listed } from "./Lists";
import { Markdown } from "./Markdown";
import { PromPanel } from "./PromPanel";
import { RedPanel } from "./RedPanel";
import css from "./panels.module.css";

const FlamePanel = lazy(() => import("./FlamePanel"));

export interface PanelProps {
  /** Variables are written out. */
  panel: Panel;
  markers: readonly Marker[];
  /** On the screen, or nearly: what is not asks for nothing. */
  seen: boolean;
}

export function PanelView(props: PanelProps) {
  const { panel } = props;
  if (panel.type === "text") return <Markdown text={panel.text} />;
  if (panel.type === "logs" || panel.type === "traces") return <Listed {...props} />;
  if (panel.type === "flamegraph") {
    return (
      <Suspense fallback={<Skeleton height="100%" />}>
        <FlamePanel {...props} />
      </Suspense>
    );
  }
  if (panel.red) return <RedPanel {...props} red={panel.red} />;
  return <PromPanel {...props} />;
}

/** The page's scope, or the panel's own range. */
export function usePanelScope(panel: Panel) {
  const scope = useScope();
  return panel.range ? { ...scope, range: { from: panel.range, to: "now" }, live: !scope.paused } : scope;
}

/** In the middle of a panel that has nothing to draw. */
export function Nothing({ children, bad }: { children: string; bad?: boolean }) {
  return (
    <p className={css.nothing} data-bad={bad || undefined} role={bad ? "alert" : undefined}>
      {children}
    </p>
  );
}
