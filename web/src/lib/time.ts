// Time ranges as the URL and people write them: "now-15m" … "now", or instants.
// Pure: the present is always an argument.

export interface Range {
  /** "now-15m", "now", or an instant in Unix milliseconds or RFC 3339. */
  from: string;
  to: string;
}

/** Milliseconds since the epoch. */
export interface Span {
  from: number;
  to: number;
}

export const DEFAULT_RANGE: Range = { from: "now-15m", to: "now" };

export const PRESETS: readonly { value: string; label: string }[] = [
  { value: "1m", label: "1 minute" },
  { value: "5m", label: "5 minutes" },
  { value: "15m", label: "15 minutes" },
  { value: "30m", label: "30 minutes" },
  { value: "1h", label: "1 hour" },
  { value: "3h", label: "3 hours" },
  { value: "6h", label: "6 hours" },
  { value: "12h", label: "12 hours" },
  { value: "1d", label: "1 day" },
  { value: "2d", label: "2 days" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
];

const UNIT_MS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };
const RELATIVE = /^now(?:-(\d+(?:\.\d+)?)(s|m|h|d|w))?$/;

export function isRelative(text: string): boolean {
  return RELATIVE.test(text);
}

/** The moment a piece of a range means, or null when it means none. */
export function parseMoment(text: string, now: number): number | null {
  const trimmed = text.trim();
  const rel = RELATIVE.exec(trimmed);
  if (rel) return rel[1] ? now - Number(rel[1]) * (UNIT_MS[rel[2]!] ?? 0) : now;
  if (/^\d{12,14}$/.test(trimmed)) return Number(trimmed);
  if (/^\d{9,11}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const t = Date.parse(trimmed.replace(" ", "T"));
  return Number.isNaN(t) ? null : t;
}

/** Resolves a range at a moment; a broken or reversed one falls back to the default. */
export function resolve(range: Range, now: number): Span {
  const from = parseMoment(range.from, now);
  const to = parseMoment(range.to, now);
  if (from === null || to === null || from >= to) return resolve(DEFAULT_RANGE, now);
  return { from, to };
}

/**
 * A range as the API understands it: whole relative amounts or Unix
 * milliseconds. One that means nothing becomes the default.
 */
export function normalise(range: Range, now: number): Range {
  const from = parseMoment(range.from, now);
  const to = parseMoment(range.to, now);
  if (from === null || to === null || from >= to) return DEFAULT_RANGE;
  return { from: plainMoment(range.from, now), to: plainMoment(range.to, now) };
}

function plainMoment(text: string, now: number): string {
  if (/^now(-\d{1,6}[smhdw])?$/.test(text)) return text;
  const at = parseMoment(text, now)!;
  return isRelative(text) ? `now-${Math.round((now - at) / 1000)}s` : String(Math.round(at));
}

/** Does the range end at the present, so that live data moves it? */
export function followsNow(range: Range): boolean {
  return range.to === "now" && isRelative(range.from);
}

/**
 * What a person types into the picker: "3h", "now-3h", "last 3 hours", "90 min",
 * "14:00 - 14:30", "2026-11-20", "2026-11-20 10:00 to 2026-11-20 12:00". Null when not understood.
 */
export function parseTyped(text: string, now: number, utc: boolean): Range | null {
  const t = text.trim().toLowerCase();
  if (!t) return null;
  const quick = /^(?:now\s*-\s*|last\s+|past\s+|-)?(\d+(?:\.\d+)?)\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hr|hrs|hours?|d|days?|w|weeks?)$/.exec(t);
  if (quick) return { from: `now-${Number(quick[1])}${quick[2]![0]}`, to: "now" };
  if (t === "today") return { from: String(dayStart(now, utc)), to: "now" };
  if (t === "yesterday") {
    const today = dayStart(now, utc);
    return { from: String(dayStart(today - 1, utc)), to: String(today) };
  }
  const pair = t.split(/\s+(?:to|-|–|until)\s+|\s*\.\.\s*/);
  if (pair.length === 2) {
    const from = typedMoment(pair[0]!, now, utc);
    const to = typedMoment(pair[1]!, now, utc);
    if (!from || !to) return null;
    const a = parseMoment(from, now)!;
    const b = parseMoment(to, now)!;
    return a < b ? { from, to } : null;
  }
  const day = /^\d{4}-\d{2}-\d{2}$/.test(t) ? typedMoment(t, now, utc) : null;
  return day ? { from: day, to: String(Number(day) + 86400e3) } : null;
}

function typedMoment(text: string, now: number, utc: boolean): string | null {
  const t = text.trim();
  if (isRelative(t)) return t;
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(t);
  if (clock) {
    const ms = Number(clock[1]) * 3600e3 + Number(clock[2]) * 60e3 + Number(clock[3] ?? 0) * 1e3;
    return ms < 86400e3 ? String(dayStart(now, utc) + ms) : null;
  }
  const full = /^(\d{4}-\d{2}-\d{2})(?:[t ](\d{2}:\d{2}(?::\d{2})?)(z)?)?$/.exec(t);
  if (!full) return parseMoment(t, now) === null ? null : String(parseMoment(t, now));
  const iso = `${full[1]}T${full[2] ?? "00:00"}${utc || full[3] ? "Z" : ""}`;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? null : String(ms);
}

function dayStart(t: number, utc: boolean): number {
  const d = new Date(t);
  if (utc) d.setUTCHours(0, 0, 0, 0);
  else d.setHours(0, 0, 0, 0);
  return d.getTime();
}

const pad = (n: number, w = 2) => String(n).padStart(w, "0");

/** Calendar fields of an instant in the chosen zone. */
function fields(t: number, utc: boolean) {
  const d = new Date(t);
  return utc
    ? { y: d.getUTCFullYear(), mo: d.getUTCMonth(), d: d.getUTCDate(), h: d.getUTCHours(), mi: d.getUTCMinutes(), s: d.getUTCSeconds(), ms: d.getUTCMilliseconds() }
    : { y: d.getFullYear(), mo: d.getMonth(), d: d.getDate(), h: d.getHours(), mi: d.getMinutes(), s: d.getSeconds(), ms: d.getMilliseconds() };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 14:03:09, with milliseconds when asked. */
export function clock(t: number, utc: boolean, millis = false): string {
  const f = fields(t, utc);
  return `${pad(f.h)}:${pad(f.mi)}:${pad(f.s)}${millis ? "." + pad(f.ms, 3) : ""}`;
}

/** 21 Nov 14:03:09 */
export function dateTime(t: number, utc: boolean, millis = false): string {
  const f = fields(t, utc);
  return `${f.d} ${MONTHS[f.mo]} ${clock(t, utc, millis)}`;
}

/** 2026-11-21T14:03:09 in the chosen zone, as datetime-local inputs want it. */
export function inputValue(t: number, utc: boolean): string {
  const f = fields(t, utc);
  return `${f.y}-${pad(f.mo + 1)}-${pad(f.d)}T${pad(f.h)}:${pad(f.mi)}:${pad(f.s)}`;
}

export function fromInputValue(text: string, utc: boolean): number | null {
  const t = Date.parse(utc ? text + "Z" : text);
  return Number.isNaN(t) ? null : t;
}

/** Both zones, for a hover: "21 Nov 14:03:09.120 local · 13:03:09.120 UTC". */
export function bothZones(t: number): string {
  return `${dateTime(t, false, true)} local · ${dateTime(t, true, true)} UTC`;
}

/** The range in words for the picker's button. */
export function describe(range: Range, now: number, utc: boolean): string {
  if (range.to === "now") {
    const rel = /^now-(\d+(?:\.\d+)?)(s|m|h|d|w)$/.exec(range.from);
    if (rel) {
      const preset = PRESETS.find((p) => `now-${p.value}` === range.from);
      const word = { s: "seconds", m: "minutes", h: "hours", d: "days", w: "weeks" }[rel[2]!];
      return `Last ${preset ? preset.label : `${rel[1]} ${word}`}`;
    }
  }
  const { from, to } = resolve(range, now);
  const sameDay = fields(from, utc).d === fields(to, utc).d && to - from < 86400e3;
  return `${dateTime(from, utc)} – ${sameDay ? clock(to, utc) : dateTime(to, utc)}`;
}

/** Moves a range by a share of its width: -1 is one width back. */
export function shift(range: Range, now: number, by: number): Range {
  const { from, to } = resolve(range, now);
  const d = (to - from) * by;
  if (by > 0 && to + d >= now) {
    const width = widthText(to - from);
    if (width) return { from: `now-${width}`, to: "now" };
  }
  return { from: String(Math.round(from + d)), to: String(Math.round(to + d)) };
}

/** Doubles the width; a range that follows the present keeps doing so. */
export function zoomOut(range: Range, now: number): Range {
  const { from, to } = resolve(range, now);
  if (followsNow(range)) {
    const width = widthText((to - from) * 2);
    if (width) return { from: `now-${width}`, to: "now" };
  }
  const half = (to - from) / 2;
  return { from: String(Math.round(from - half)), to: String(Math.round(Math.min(now, to + half))) };
}

/** A width as "90m" when it is a whole number of seconds, minutes, hours or days. */
function widthText(ms: number): string | null {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNIT_MS[unit]!;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return null;
}
