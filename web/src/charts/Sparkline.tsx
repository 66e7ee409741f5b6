import { memo } from "react";
import type { Column } from "./model";
import css from "./Sparkline.module.css";

interface Props {
  values: Column;
  /** What it shows, for readers who do not see it. */
  label: string;
  color?: string;
  width?: number;
  height?: number;
  /** An expected band behind the line. */
  band?: { lower: Column; upper: Column };
}

/** A line the size of a word. One SVG path, cheap enough for five hundred rows. */
export const Sparkline = memo(function Sparkline({ values, label, color = "var(--faint)", width = 120, height = 24, band }: Props) {
  const max = Math.max(0, ...values.map((v) => v ?? 0), ...(band?.upper.map((v) => v ?? 0) ?? []));
  const line = linePath(values, width, height, max);
  return (
    <svg className={css.spark} width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      {band && <path d={bandPath(band.lower, band.upper, width, height, max)} fill="var(--band)" />}
      <path d={line.area} fill={color} opacity={0.1} />
      <path d={line.stroke} fill="none" stroke={color} strokeWidth={1.25} strokeLinejoin="round" strokeLinecap="round" />
    </svg>
  );
});

/** Stroke and area of the values; a gap lifts the pen, a lone point is a dot. */
export function linePath(values: Column, width: number, height: number, max: number): { stroke: string; area: string } {
  const at = placer(values.length, width, height, max);
  let stroke = "";
  let area = "";
  let start = -1;
  const close = (end: number) => {
    if (start < 0) return;
    if (end === start) stroke += "h0.01";
    area += `L${at.x(end)} ${height}L${at.x(start)} ${height}Z`;
    start = -1;
  };
  values.forEach((v, i) => {
    if (v == null) return close(i - 1);
    const point = `${at.x(i)} ${at.y(v)}`;
    stroke += start < 0 ? `M${point}` : `L${point}`;
    area += start < 0 ? `M${point}` : `L${point}`;
    if (start < 0) start = i;
  });
  close(values.length - 1);
  return { stroke, area };
}

function bandPath(lower: Column, upper: Column, width: number, height: number, max: number): string {
  const at = placer(upper.length, width, height, max);
  const top = upper.map((v, i) => `${at.x(i)} ${at.y(v ?? 0)}`);
  const bottom = lower.map((v, i) => `${at.x(i)} ${at.y(v ?? 0)}`).reverse();
  return `M${[...top, ...bottom].join("L")}Z`;
}

function placer(n: number, width: number, height: number, max: number) {
  const round = (v: number) => Math.round(v * 10) / 10;
  return {
    x: (i: number) => round(n < 2 ? width / 2 : (i / (n - 1)) * (width - 2) + 1),
    y: (v: number) => round(max <= 0 ? height - 1.5 : height - 1.5 - (v / max) * (height - 3)),
  };
}
