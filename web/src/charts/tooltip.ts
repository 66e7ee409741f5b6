// The tooltip is painted without React: it follows the pointer at its own pace.
import type uPlot from "uplot";
import { format } from "@/lib/format";
import { dateTime } from "@/lib/time";
import { type ChartModel, markersNear, valuesAt } from "./model";
import { colorOfSeries } from "./options";
import css from "./TimeChart.module.css";

const MAX_ROWS = 12;
const NEAR_PX = 7;

/** Shows the values under the cursor, largest first, the series nearest to the pointer in bold. */
export function paintTooltip(el: HTMLElement, u: uPlot, m: ChartModel, hidden: ReadonlySet<string>): void {
  const { idx, left, top } = u.cursor;
  if (idx == null || left == null || top == null || left < 0) {
    el.hidden = true;
    return;
  }
  const rows = valuesAt(m.series, idx, hidden);
  const at = m.range.from_ms + idx * m.range.step_ms;
  const nearest = nearestSeries(u, m, rows, top);
  el.replaceChildren(heading(dateTime(at, m.utc)), ...rows.slice(0, MAX_ROWS).map((r) => row(colorOfSeries(m, r.position), r.series.label, format(r.value, m.unit, m.decimals), r.series.key === nearest)));
  if (rows.length === 0) el.append(note("No data here"));
  if (rows.length > MAX_ROWS) el.append(note(`${rows.length - MAX_ROWS} more`));
  if (m.band) el.append(note(`${m.band.label}: ${format(m.band.lower[idx], m.unit)} – ${format(m.band.upper[idx], m.unit)}`));
  const ms = u.posToVal(left, "x") * 1000;
  for (const text of markersNear(m.markers, ms, u.posToVal(left + NEAR_PX, "x") * 1000 - ms)) el.append(note(text));
  el.hidden = false;
  place(el, u, left);
}

function nearestSeries(u: uPlot, m: ChartModel, rows: ReturnType<typeof valuesAt>, top: number): string | undefined {
  if (m.style !== "line") return undefined;
  let best: string | undefined;
  let distance = Infinity;
  for (const r of rows) {
    const d = Math.abs(u.valToPos(r.value, "y") - top);
    if (d < distance) {
      distance = d;
      best = r.series.key;
    }
  }
  return best;
}

function place(el: HTMLElement, u: uPlot, left: number) {
  const area = u.over.getBoundingClientRect();
  const host = el.parentElement!.getBoundingClientRect();
  const x = area.left - host.left + left;
  const w = el.offsetWidth;
  const roomRight = innerWidth - (area.left + left);
  const to = roomRight < w + 24 ? x - w - 12 : x + 12;
  el.style.transform = `translate(${Math.round(Math.max(-area.left + 8, to))}px, 4px)`;
}

function heading(text: string): HTMLElement {
  const el = document.createElement("div");
  el.className = css.tipTime!;
  el.textContent = text;
  return el;
}

function note(text: string): HTMLElement {
  const el = document.createElement("div");
  el.className = css.tipNote!;
  el.textContent = text;
  return el;
}

function row(color: string, label: string, value: string, bold: boolean): HTMLElement {
  const el = document.createElement("div");
  el.className = css.tipRow!;
  if (bold) el.dataset.nearest = "";
  const swatch = document.createElement("span");
  swatch.className = css.swatch!;
  swatch.style.background = color;
  const name = document.createElement("span");
  name.className = css.tipLabel!;
  name.textContent = label;
  const number = document.createElement("span");
  number.className = css.tipValue!;
  number.textContent = value;
  el.append(swatch, name, number);
  return el;
}
