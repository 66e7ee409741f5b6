import { ChevronDown, ChevronUp, ChevronsDownUp, ChevronsUpDown, ZoomOut } from "lucide-react";
import { format } from "@/lib/format";
import type { Waterfall } from "@/lib/waterfall";
import { Button, IconButton } from "@/ui/Button";
import { SearchField } from "@/ui/SearchField";
import type { View, ViewActions } from "./useView";
import css from "./Toolbar.module.css";

const DEPTHS = [1, 2, 3, 5, 10];

/** Search within the trace, levels shown, and the way back from a zoom. */
export function Toolbar({ waterfall: w, view, actions, onSpan }: { waterfall: Waterfall; view: View; actions: ViewActions; onSpan: (p: number) => void }) {
  const at = view.found.indexOf(view.selected);
  const jump = (by: 1 | -1) => {
    const n = view.found.length;
    if (n) onSpan(view.found[at < 0 ? (by > 0 ? 0 : n - 1) : (at + by + n) % n]!);
  };
  return (
    <div className={css.bar}>
      <div
        className={css.find}
        onKeyDown={(e) => {
          if (e.key !== "Enter" || !view.find) return;
          e.preventDefault();
          jump(e.shiftKey ? -1 : 1);
        }}
      >
        <SearchField label="Search in this trace" value={view.find} onChange={actions.setFind} placeholder="Name, service, attribute" />
      </div>
      {view.find && (
        <span className={css.found} role="status">
          {view.found.length === 0 ? "Nothing found" : `${at >= 0 ? `${at + 1} of ` : ""}${view.found.length} found`}
          <IconButton size="sm" label="Previous match" keys="N" disabled={!view.found.length} onClick={() => jump(-1)}>
            <ChevronUp size={14} />
          </IconButton>
          <IconButton size="sm" label="Next match" keys="n" disabled={!view.found.length} onClick={() => jump(1)}>
            <ChevronDown size={14} />
          </IconButton>
        </span>
      )}
      <span className={css.space} />
      {view.zoomed && (
        <Button size="sm" onClick={() => actions.zoom(null)}>
          <ZoomOut size={13} aria-hidden /> {format(view.window.to - view.window.from, "ns")} of {format(w.duration, "ns")}
        </Button>
      )}
      <label className={css.depth}>
        Levels
        <select value={Number.isFinite(view.depth) ? String(view.depth + 1) : ""} onChange={(e) => actions.setDepth(e.target.value ? Number(e.target.value) - 1 : undefined)}>
          <option value="">all {w.maxDepth + 1}</option>
          {levels(w, view).map((d) => (
            <option key={d} value={d}>
              {d}
            </option>
          ))}
        </select>
      </label>
      <IconButton size="sm" label="Collapse all" onClick={() => actions.setDepth(0)}>
        <ChevronsDownUp size={14} />
      </IconButton>
      <IconButton size="sm" label="Expand all" onClick={actions.unfoldAll}>
        <ChevronsUpDown size={14} />
      </IconButton>
    </div>
  );
}

/** Round numbers below the depth, and the one in force wherever it came from. */
function levels(w: Waterfall, view: View): number[] {
  const list = DEPTHS.filter((d) => d <= w.maxDepth);
  const now = view.depth + 1;
  return Number.isFinite(now) && !list.includes(now) ? [...list, now].sort((a, b) => a - b) : list;
}
