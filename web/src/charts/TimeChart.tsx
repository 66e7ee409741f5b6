import { type ReactNode, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Range } from "@/api/types";
import { useScope, useScopeActions } from "@/app/range";
import { useAppearance } from "@/app/theme";
import { onBeat } from "@/lib/clock";
import { format, type Unit } from "@/lib/format";
import { resolve, type Span } from "@/lib/time";
import { ChartTable } from "./ChartTable";
import { Footer } from "./Footer";
import { Legend } from "./Legend";
import { type Band, type ChartModel, type ChartSeries, describeSeries, type Marker, type Rule, type Style } from "./model";
import { dataOf, drawIndex, optionsOf } from "./options";
import { paintTooltip } from "./tooltip";
import css from "./TimeChart.module.css";

export interface TimeChartProps {
  title: string;
  /** Shown instead of the title, which then only names the chart. */
  heading?: ReactNode;
  /** What the series' columns are aligned with. */
  range: Range;
  series: readonly ChartSeries[];
  unit: Unit;
  /** Of values under the pointer and in the table; left out, as many as count. */
  decimals?: number | null;
  style?: Style;
  /** Logarithmic y, for latency. */
  log?: boolean;
  band?: Band;
  markers?: readonly Marker[];
  height?: number;
  /** Browser clock of the newest data (useLive's freshAt): shown in the small print. */
  freshAt?: number;
  /** A click: the moment under it and the nearest step's width, both in milliseconds. */
  onPoint?: (atMs: number, stepMs: number) => void;
  /** Beside the title: a figure, a link. */
  aside?: ReactNode;
  /** Hide the legend when the title says it all. */
  legend?: boolean;
  /** No frame, for use inside a panel. */
  bare?: boolean;
  /** No head either: what it is in already says its title. */
  headless?: boolean;
  /** Fills its box, whose height is known, instead of having one of its own. */
  fills?: boolean;
  /** Instead of the list of series below. */
  legendAs?: ReactNode;
  rules?: readonly Rule[];
  min?: number | null;
  max?: number | null;
  /** Shows this window instead of the page's range: for what has a time of its own, such as an incident. */
  window?: Span;
  /** A drag with the shift key held chooses a time for something else than the page's range. */
  onShiftDrag?: (span: Span) => void;
  /** With `window`: a drag on the chart, or null to go back. */
  onWindow?: (span: Span | null) => void;
}

const NO_MARKERS: readonly Marker[] = [];
const LEAST_HEIGHT = 40;
const CLICK_MS = 240;

/** A time series over the page's range, zoomable, with the page's crosshair. */
export function TimeChart(props: TimeChartProps) {
  const { title, range, series, unit, decimals = null, style = "line", log = false, band, markers = NO_MARKERS, legend = series.length > 1 } = props;
  const scope = useScope();
  const actions = useScopeActions();
  const appearance = useAppearance();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [asTable, setAsTable] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const id = useId();
  const { height = 180, fills } = props;

  const model: ChartModel = { range, series, unit, decimals, style, log, band, markers, utc: scope.utc, rules: props.rules, min: props.min, max: props.max };
  const own = props.window !== undefined;
  const latest = useRef({ model, actions, hidden, onPoint: props.onPoint, own, onWindow: props.onWindow, onShiftDrag: props.onShiftDrag });
  latest.current = { model, actions, hidden, onPoint: props.onPoint, own, onWindow: props.onWindow, onShiftDrag: props.onShiftDrag };

  // A new picture only when its make-up changes; new data goes into the same one.
  const shape = [style, log, unit, decimals, scope.utc, appearance, height, !!band, props.min, props.max, !!props.onShiftDrag, ...series.map((s) => `${s.key}\u0000${s.color ?? ""}`)].join("\u0001");
  useLayoutEffect(() => {
    const el = host.current!;
    const box = el.parentElement!;
    const tall = () => (fills ? Math.max(LEAST_HEIGHT, Math.floor(box.clientHeight)) : height);
    const u = new uPlot(
      optionsOf(() => latest.current.model, el.clientWidth || 300, tall(), {
        onZoom: (from, to) => (latest.current.own ? latest.current.onWindow?.({ from, to }) : latest.current.actions.zoomTo({ from, to })),
        onShiftDrag: props.onShiftDrag && ((from, to) => latest.current.onShiftDrag?.({ from, to })),
        onZoomBack: () => (latest.current.own ? latest.current.onWindow?.(null) : latest.current.actions.zoomBack()),
        onCursor: (chart) => {
          const local = chart.root.matches(":hover");
          if (local) paintTooltip(tip.current!, chart, latest.current.model, latest.current.hidden);
          else tip.current!.hidden = true;
        },
      }),
      dataOf(latest.current.model, latest.current.hidden),
      el,
    );
    plot.current = u;
    const stopClicks = watchClicks(u, (atMs) => latest.current.onPoint?.(atMs, latest.current.model.range.step_ms));
    const resize = new ResizeObserver(() => el.clientWidth && (el.clientWidth !== u.width || tall() !== u.height) && u.setSize({ width: el.clientWidth, height: tall() }));
    resize.observe(fills ? box : el);
    return () => {
      stopClicks();
      resize.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape, height, fills]);

  useLayoutEffect(() => {
    plot.current?.setData(dataOf(latest.current.model, latest.current.hidden), false);
  }, [range, series, band, markers, props.rules, shape, hidden]);

  useLayoutEffect(() => {
    const u = plot.current;
    series.forEach((s, i) => u?.setSeries(drawIndex(latest.current.model, i), { show: !hidden.has(s.key) }, false));
  }, [hidden, shape, series]);

  const fixed = props.window && `${Math.round(props.window.from)} ${Math.round(props.window.to)}`;
  useWindow(plot, fixed ?? `${scope.range.from} ${scope.range.to}`, scope.live && !fixed, shape, range);

  const label = useMemo(() => summary(title, series, unit), [title, series, unit]);
  return (
    <figure className={css.chart} data-bare={props.bare || undefined} data-fills={fills || undefined} aria-labelledby={id} data-testid="time-chart">
      <figcaption className={props.headless ? "visually-hidden" : css.head}>
        {props.headless ? (
          <span id={id}>{title}</span>
        ) : (
          <>
            <h2 id={id} className={css.title}>
              {props.heading ?? title}
            </h2>
            {props.aside}
            <button type="button" className={css.tableToggle} aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
              {asTable ? "Chart" : "Table"}
            </button>
          </>
        )}
      </figcaption>
      <div className={css.plot} style={fills ? undefined : { minHeight: height }}>
        <div ref={host} role="img" aria-label={label} hidden={asTable} data-clickable={props.onPoint ? "" : undefined} className={css.canvas} />
        <div ref={tip} className={css.tip} hidden aria-hidden />
        {asTable && <ChartTable range={range} series={series} unit={unit} decimals={decimals} utc={scope.utc} height={height} label={title} />}
      </div>
      <div className={css.foot}>
        {props.legendAs}
        {legend && !props.legendAs && <Legend series={series} hidden={hidden} onChange={setHidden} />}
        <Footer range={range} freshAt={props.freshAt} />
      </div>
    </figure>
  );
}

/** Keeps the x scale on the page's range; while live it slides by itself, without React. */
function useWindow(plot: { current: uPlot | null }, key: string, live: boolean, shape: string, range: Range) {
  useLayoutEffect(() => {
    const [from, to] = key.split(" ") as [string, string];
    // The server's clock and ours may differ; data is placed by the server's.
    const skew = range.now_ms ? range.now_ms - Date.now() : 0;
    const drift = Math.abs(skew) > 5_000 ? skew : 0;
    const apply = (now: number) => {
      const span = resolve({ from, to }, now + drift);
      plot.current?.setScale("x", { min: span.from / 1000, max: span.to / 1000 });
    };
    apply(Date.now());
    if (!live) return;
    let last = Date.now();
    return onBeat((now) => {
      const u = plot.current;
      if (!u) return;
      const { min, max } = u.scales.x!;
      const pxMs = (((max ?? 0) - (min ?? 0)) * 1000) / Math.max(1, u.bbox.width);
      if (now - last < Math.max(pxMs * 0.5, 200)) return;
      last = now;
      apply(now);
    });
    // range.now_ms moves with every answer; the drift is only read when the window or the picture changes.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, live, shape]);
}

// One click opens what is under it, unless it becomes a double click or was a drag.
function watchClicks(u: uPlot, onClick: (atMs: number) => void): () => void {
  let downX = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const down = (e: MouseEvent) => void (downX = e.clientX);
  const click = (e: MouseEvent) => {
    if (Math.abs(e.clientX - downX) > 4 || u.cursor.left == null) return;
    const at = u.posToVal(u.cursor.left, "x") * 1000;
    clearTimeout(timer);
    timer = setTimeout(() => onClick(at), CLICK_MS);
  };
  const cancel = () => clearTimeout(timer);
  u.over.addEventListener("mousedown", down);
  u.over.addEventListener("click", click);
  u.over.addEventListener("dblclick", cancel);
  return cancel;
}

function summary(title: string, series: readonly ChartSeries[], unit: Unit): string {
  const shown = series.slice(0, 8).map((s) => {
    const { last, min, max } = describeSeries(s.values);
    return last === null ? `${s.label}: no data` : `${s.label}: latest ${format(last, unit)}, from ${format(min, unit)} to ${format(max, unit)}`;
  });
  return `${title}. ${shown.join("; ")}`;
}
