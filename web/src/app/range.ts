// The page's time range, live switch, environment and zone: read from the URL,
// changed by navigating, so that back and forward undo a zoom.
import { useCallback, useMemo } from "react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { DEFAULT_RANGE, followsNow, normalise, type Range, resolve, shift, type Span, zoomOut } from "@/lib/time";
import type { GlobalSearch } from "./search";

export interface Scope {
  range: Range;
  /** Live and not paused: the range ends at the present and moves with it. */
  live: boolean;
  paused: boolean;
  env: string | undefined;
  utc: boolean;
}

export function useScope(): Scope {
  const search = useSearch({ strict: false }) as GlobalSearch;
  const from = search.from ?? DEFAULT_RANGE.from;
  const to = search.to ?? DEFAULT_RANGE.to;
  const paused = search.live === "0";
  const env = search.env;
  const utc = search.tz === "utc";
  return useMemo(() => {
    const range = normalise({ from, to }, Date.now());
    return { range, live: !paused && followsNow(range), paused, env, utc };
  }, [from, to, paused, env, utc]);
}

// Ranges left by zooming in, newest last, so that a double click goes back to
// the width one came from. Lives as long as the tab, which is what "undo" means.
const zoomed: Range[] = [];

export interface ScopeActions {
  setRange(range: Range): void;
  /** Drag on a chart: an absolute range, remembered for zoomBack. */
  zoomTo(span: Span): void;
  /** Double click on a chart: back to before the last zoom, else twice as wide. */
  zoomBack(): void;
  widen(): void;
  move(by: number): void;
  setLive(on: boolean): void;
  setEnv(env: string | undefined): void;
  setUTC(on: boolean): void;
}

export function useScopeActions(): ScopeActions {
  const navigate = useNavigate();
  const { range } = useScope();
  const patch = useCallback(
    (p: GlobalSearch) => void navigate({ to: ".", search: (old: object) => ({ ...old, ...p }) as never }),
    [navigate],
  );
  return useMemo(() => {
    const setRange = (r: Range) => {
      const isDefault = r.from === DEFAULT_RANGE.from && r.to === DEFAULT_RANGE.to;
      patch(isDefault ? { from: undefined, to: undefined } : { from: r.from, to: r.to });
    };
    return {
      setRange,
      zoomTo(span) {
        zoomed.push(range);
        setRange({ from: String(Math.round(span.from)), to: String(Math.round(span.to)) });
      },
      zoomBack() {
        setRange(zoomed.pop() ?? zoomOut(range, Date.now()));
      },
      widen: () => setRange(zoomOut(range, Date.now())),
      move: (by) => setRange(shift(range, Date.now(), by)),
      setLive: (on) => {
        if (on && !followsNow(range)) patch({ live: undefined, from: undefined, to: undefined });
        else patch({ live: on ? undefined : "0" });
      },
      setEnv: (env) => patch({ env }),
      setUTC: (on) => patch({ tz: on ? "utc" : undefined }),
    };
  }, [patch, range]);
}

/** The range as milliseconds, at this render. For charts' windows and links; queries send the raw range. */
export function useSpan(): Span {
  const { range } = useScope();
  return resolve(range, Date.now());
}
