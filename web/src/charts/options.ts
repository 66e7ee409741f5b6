// Builds uPlot's options from a chart model. Colours are read from the tokens at
// build time; a change of theme builds anew.
import uPlot from "uplot";
import { colorAt, cssColor, withAlpha } from "@/lib/color";
import { stack } from "@/lib/stack";
import { timesOf } from "@/lib/columns";
import { axisLabels, format } from "@/lib/format";
import { dateTime } from "@/lib/time";
import { type ChartModel, type Column, isolated } from "./model";

/** Charts with this key share their crosshair. */
export const SYNC_KEY = "tidemark-page";

export interface Callbacks {
  onZoom: (fromMs: number, toMs: number) => void;
  onZoomBack: () => void;
  /** A drag with the shift key held; without it such a drag zooms like any other. */
  onShiftDrag?: (fromMs: number, toMs: number) => void;
  onCursor: (u: uPlot) => void;
}

/** The columns as uPlot takes them: times, the series in drawing order, then the band. Hidden series take no room in a stack. */
export function dataOf(m: ChartModel, hidden: ReadonlySet<string>): uPlot.AlignedData {
  const stacked = m.style === "stacked";
  const columns = m.series.map((s) => (stacked && hidden.has(s.key) ? s.values.map(() => 0) : s.values) as (number | null)[]);
  const drawn: readonly Column[] = stacked ? stack(columns).reverse() : columns;
  const band = m.band ? [m.band.upper, m.band.lower] : [];
  return [timesOf(m.range), ...drawn, ...band] as uPlot.AlignedData;
}

/** uPlot's index of the series at a position: stacked charts draw the tallest first. */
export function drawIndex(m: ChartModel, position: number): number {
  return m.style === "stacked" ? m.series.length - position : position + 1;
}

export function colorOfSeries(m: ChartModel, position: number): string {
  return m.series[position]?.color ?? colorAt(position);
}

function seriesOptions(m: ChartModel): uPlot.Series[] {
  const drawn = m.series.map((s, i): uPlot.Series => {
    const color = cssColor(colorOfSeries(m, i));
    if (m.style !== "line") {
      return { label: s.label, stroke: color, width: 0, fill: color, paths: uPlot.paths.bars!({ size: [0.86, 40], align: 1, gap: 0 }), points: { show: false } };
    }
    return {
      label: s.label,
      stroke: color,
      width: s.width ?? 1.5,
      dash: s.dash,
      fill: s.fill ? withAlpha(color, 0.1) : undefined,
      spanGaps: false,
      points: { show: true, size: 4, width: 1, fill: color, filter: (u: uPlot, i: number) => isolated(u.data[i] as Column) },
    };
  });
  if (m.style === "stacked") drawn.reverse();
  const edge: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
  return [{}, ...drawn, ...(m.band ? [{ ...edge }, { ...edge }] : [])];
}

// Zero based, a tenth of headroom; an empty chart still shows a scale.
function yRange(m: ChartModel): uPlot.Range.Function {
  const automatic = (min: number, max: number): [number, number] => {
    if (m.log) return [min > 0 ? min / 1.3 : max > 0 ? max / 1000 : 1, max > 0 ? max * 1.3 : 10];
    if (max == null || !Number.isFinite(max) || (max <= 0 && min >= 0)) return [0, 1];
    return [Math.min(0, min * 1.1), max * 1.12];
  };
  return (_u, low, high) => {
    const [min, max] = automatic(low, high);
    const from = m.min != null && (!m.log || m.min > 0) ? m.min : min;
    const to = m.max ?? max;
    return [from, to > from ? to : from + 1];
  };
}

function xLabels(utc: boolean) {
  return (_u: uPlot, splits: number[], _axis: number, _space: number, incr: number): string[] =>
    splits.map((s, i) => {
      const [day, month, time] = dateTime(s * 1000, utc).split(" ") as [string, string, string];
      if (incr >= 86400) return `${day} ${month}`;
      const shown = incr < 60 ? time : time.slice(0, 5);
      return time === "00:00:00" && (i > 0 || incr >= 3600) ? `${day} ${month}` : shown;
    });
}

const BINARY = Array.from({ length: 50 }, (_, i) => 2 ** i);

function axes(m: ChartModel): uPlot.Axis[] {
  const text = cssColor("var(--faint)");
  const grid = cssColor("var(--grid)");
  const font = "11px Inter, system-ui, sans-serif";
  const base = { stroke: text, font, ticks: { show: false } } as const;
  const bytes = m.unit === "bytes" || m.unit === "bytes/s";
  return [
    { ...base, grid: { show: false }, size: 24, gap: 6, space: 64, values: xLabels(m.utc) },
    {
      ...base,
      grid: { stroke: grid, width: 1 },
      size: 58,
      gap: 8,
      space: 28,
      ...(bytes && !m.log ? { incrs: BINARY } : {}),
      // On a logarithmic axis each tick has the unit that suits it.
      values: (_u, splits) => (m.log ? splits.map((v) => (v == null ? "" : format(v, m.unit))) : axisLabels(splits, m.unit)),
    },
  ];
}

function drawMarkers(u: uPlot, m: ChartModel) {
  const { ctx, bbox } = u;
  const dpr = devicePixelRatio;
  ctx.save();
  ctx.font = `${10 * dpr}px Inter, system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  for (const marker of m.markers) {
    const x = Math.round(u.valToPos(marker.at / 1000, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    if (marker.kind === "deploy") {
      ctx.strokeStyle = cssColor("var(--line-strong)");
      ctx.lineWidth = dpr;
      ctx.setLineDash([3 * dpr, 3 * dpr]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillStyle = cssColor("var(--faint)");
      ctx.fillText(marker.label, x + 4 * dpr, bbox.top + 10 * dpr);
    } else if (marker.kind === "anomaly") {
      const base = bbox.top + bbox.height;
      ctx.fillStyle = cssColor("var(--bad)");
      drawMark(ctx, x, base, dpr);
    }
  }
  ctx.restore();
}

function drawRules(u: uPlot, m: ChartModel) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const { at, level } of m.rules ?? []) {
    const y = Math.round(u.valToPos(at, "y", true)) + 0.5;
    if (!Number.isFinite(y) || y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = cssColor(level === "ok" ? "var(--line-strong)" : `var(--${level})`);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** Tints what lies between an anomaly's beginning and end. */
function drawSpans(u: uPlot, m: ChartModel) {
  const { ctx, bbox } = u;
  ctx.save();
  for (const { kind, at, to } of m.markers) {
    if (kind === "deploy" || to === undefined) continue;
    ctx.fillStyle = kind === "other" ? withAlpha(cssColor("var(--accent)"), 0.16) : withAlpha(cssColor("var(--bad)"), 0.07);
    const left = Math.max(bbox.left, u.valToPos(at / 1000, "x", true));
    const right = Math.min(bbox.left + bbox.width, u.valToPos(to / 1000, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

function drawMark(ctx: CanvasRenderingContext2D, x: number, base: number, dpr: number) {
  ctx.beginPath();
  ctx.moveTo(x - 4 * dpr, base);
  ctx.lineTo(x + 4 * dpr, base);
  ctx.lineTo(x, base - 7 * dpr);
  ctx.fill();
}

/** `model` is asked anew at every draw, so that markers may change without a rebuild. */
export function optionsOf(model: () => ChartModel, width: number, height: number, on: Callbacks): uPlot.Options {
  const m = model();
  const bandAt = m.series.length + 1;
  let shifted = false;
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, 16, 0, 0],
    tzDate: (s) => (m.utc ? uPlot.tzDate(new Date(s * 1000), "Etc/UTC") : new Date(s * 1000)),
    scales: { x: { time: true, auto: false }, y: { distr: m.log ? 3 : 1, range: yRange(m) } },
    axes: axes(m),
    series: seriesOptions(m),
    bands: m.band ? [{ series: [bandAt, bandAt + 1], fill: cssColor("var(--band)") }] : undefined,
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: m.style === "line" ? { size: 7, width: 1.5 } : { show: false },
      sync: {
        key: SYNC_KEY,
        scales: ["x", null],
        setSeries: false,
        // Only the crosshair is shared: a drag belongs to the chart it is on.
        filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: (type) => type === "mousemove" || type === "mouseleave" },
      },
      bind: {
        mousedown: (_u, _el, handler) => (e) => {
          shifted = e.shiftKey;
          return handler(e);
        },
        dblclick: () => () => {
          on.onZoomBack();
          return null;
        },
      },
    },
    hooks: {
      setCursor: [on.onCursor],
      setSelect: [
        (u) => {
          const { left, width: w } = u.select;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (w > 4) (shifted && on.onShiftDrag ? on.onShiftDrag : on.onZoom)(u.posToVal(left, "x") * 1000, u.posToVal(left + w, "x") * 1000);
        },
      ],
      drawClear: [
        (u) => {
          drawSpans(u, model());
          drawMarkers(u, model());
          drawRules(u, model());
        },
      ],
    },
  };
}
