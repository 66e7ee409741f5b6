// Numbers as people read them: three significant digits and a unit in a
// separate part, so that views can set the unit in a lighter tone.

export interface Parts {
  value: string;
  unit: string;
}

/**
 * What a number measures. Durations name the unit they are given in, "ratio" is
 * 0…1 shown as percent, "rate" is per second. Any other string is printed as is.
 */
export type Unit =
  | "ns" | "us" | "ms" | "s"
  | "rate" | "ratio" | "percent" | "count" | "bytes" | "bytes/s"
  | (string & {});

const NONE: Parts = { value: "–", unit: "" };

/** Three significant digits, no exponent, no trailing zeros: 0.00123, 1.5, 142, 1234 (rounded to an integer). */
export function sig3(n: number): string {
  if (n === 0) return "0";
  const abs = Math.abs(n);
  if (abs >= 100) return String(Math.round(n));
  const digits = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(abs))));
  const text = n.toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") || "0" : text;
}

const SI: readonly (readonly [number, string])[] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const IEC: readonly (readonly [number, string])[] = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

/** Of how many of the base unit the shown one is, and its name. */
interface Scale {
  by: number;
  unit: string;
}

// 999.6 k would round to "1000 k": the step up happens at the rounded value.
function scaled(abs: number, steps: readonly (readonly [number, string])[], base: string, end = ""): Scale {
  for (const [size, name] of steps) if (abs >= size * 0.9995) return { by: size, unit: name + end };
  return { by: 1, unit: base + end };
}

const TO_NS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

function duration(abs: number): Scale {
  if (abs < 999.5) return { by: 1, unit: "ns" };
  if (abs < 999.5e3) return { by: 1e3, unit: "µs" };
  if (abs < 999.5e6) return { by: 1e6, unit: "ms" };
  const s = abs / 1e9;
  if (s < 119.5) return { by: 1e9, unit: "s" };
  if (s < 2 * 3600) return { by: 60e9, unit: "min" };
  if (s < 2 * 86400) return { by: 3600e9, unit: "h" };
  return { by: 86400e9, unit: "d" };
}

/** The unit in which a number of this size reads best. */
function scaleOf(abs: number, unit: Unit): Scale {
  const ns = TO_NS[unit];
  if (ns !== undefined) {
    if (abs === 0) return { by: 1, unit: unit === "us" ? "µs" : unit };
    const d = duration(abs * ns);
    return { by: d.by / ns, unit: d.unit };
  }
  switch (unit) {
    case "ratio":
      return { by: 0.01, unit: "%" };
    case "percent":
      return { by: 1, unit: "%" };
    case "count":
      return scaled(abs, SI, "");
    case "rate":
      return rate(abs);
    case "bytes":
      return scaled(abs, IEC, "B");
    case "bytes/s":
      return scaled(abs, IEC, "B", "/s");
    default: {
      const p = scaled(abs, SI, "");
      return { by: p.by, unit: p.unit ? `${p.unit} ${unit}`.trim() : unit };
    }
  }
}

// Rare things read better by the minute or the hour: "4.9 /min", not "0.0817 /s".
function rate(abs: number): Scale {
  if (abs !== 0 && abs < 0.1 / 60) return { by: 1 / 3600, unit: "/h" };
  if (abs !== 0 && abs < 0.1) return { by: 1 / 60, unit: "/min" };
  return scaled(abs, SI, "", "/s");
}

/** A number and its unit, apart. null, undefined and NaN become an en dash. */
export function parts(n: number | null | undefined, unit: Unit = "count", decimals: number | null = null): Parts {
  if (n == null || !Number.isFinite(n)) return NONE;
  const s = scaleOf(Math.abs(n), unit);
  const shown = n / s.by;
  if (decimals !== null) return { value: shown.toFixed(decimals), unit: s.unit };
  // Below a hundredth of a percent digits stop meaning anything to a reader.
  if (s.unit === "%" && shown !== 0 && Math.abs(shown) < 0.01) return { value: shown < 0 ? ">-0.01" : "<0.01", unit: "%" };
  return { value: sig3(shown), unit: s.unit };
}

/** The labels of an axis with even ticks: all in the unit that suits the largest, with as many digits as the ticks need. */
export function axisLabels(ticks: readonly number[], unit: Unit = "count"): string[] {
  const { by, unit: name } = scaleOf(Math.max(0, ...ticks.map(Math.abs)), unit);
  const apart = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) / by : 1;
  // 0.25 needs two digits, 0.2 one.
  const digits = [0, 1, 2, 3, 4, 5, 6].find((d) => Math.abs(apart * 10 ** d - Math.round(apart * 10 ** d)) < 1e-6 * apart * 10 ** d) ?? 6;
  return ticks.map((t) => {
    const text = (t / by).toFixed(digits);
    return Number(text) === 0 ? "0" : name ? `${text}\u202f${name}` : text;
  });
}

/** One string, value and unit joined by a narrow no-break space: "142 ms". Without decimals, three digits that count. */
export function format(n: number | null | undefined, unit: Unit = "count", decimals: number | null = null): string {
  const p = parts(n, unit, decimals);
  return p.unit ? `${p.value}\u202f${p.unit}` : p.value;
}

/** An OTel/UCUM unit ("By", "s", "{request}", "1") as one of ours. */
export function unitFromUCUM(ucum: string): Unit {
  switch (ucum) {
    case "By": return "bytes";
    case "By/s": return "bytes/s";
    case "s": case "ms": case "us": case "ns": return ucum;
    case "%": return "percent";
    case "1": case "": return "count";
  }
  const annotation = /^\{(.+)\}$/.exec(ucum);
  return annotation ? "count" : ucum;
}

/** Whole numbers with thin separators: 1 234 567. */
export function integer(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** How long ago, for freshness: "0.8 s ago", "3 min ago". */
export function ago(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)}\u202fs ago`;
  if (s < 120) return `${Math.round(s)}\u202fs ago`;
  if (s < 7200) return `${Math.round(s / 60)}\u202fmin ago`;
  if (s < 172800) return `${Math.round(s / 3600)}\u202fh ago`;
  return `${Math.round(s / 86400)}\u202fd ago`;
}

/** A chart step in words: 10 → "10 s", 300 → "5 min". Seconds in. */
export function stepName(seconds: number): string {
  if (seconds < 60) return `${sig3(seconds)}\u202fs`;
  if (seconds < 3600) return `${sig3(seconds / 60)}\u202fmin`;
  if (seconds < 86400) return `${sig3(seconds / 3600)}\u202fh`;
  return `${sig3(seconds / 86400)}\u202fd`;
}

export function plural(n: number, one: string, many = one + "s"): string {
  return `${integer(n)} ${n === 1 ? one : many}`;
}
