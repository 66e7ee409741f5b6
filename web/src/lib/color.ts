// A service keeps its colour on every page because the colour is a hash of its
// name. The palette is Okabe-Ito, eight colours that stay apart for colour-blind
// readers; the values live in styles/tokens.css, one set a theme.

export const PALETTE_SIZE = 8;

/** FNV-1a, 32 bit: small, stable, spreads short names well. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  // Final mixing, as in MurmurHash3: the low bits of plain FNV repeat for names that differ at the end.
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** 1…8: the index into --series-N. */
export function seriesIndex(name: string): number {
  return (hash32(name) % PALETTE_SIZE) + 1;
}

/** CSS colour of a named thing (a service, usually). */
export function colorOf(name: string): string {
  return `var(--series-${seriesIndex(name)})`;
}

/** CSS colour by position, for series that have no lasting identity. */
export function colorAt(i: number): string {
  return i < PALETTE_SIZE ? `var(--series-${i + 1})` : "var(--series-other)";
}

/** Reads `var(--x)` against the document for canvases, which know no variables. */
export function cssColor(color: string): string {
  const name = /^var\((--[\w-]+)\)$/.exec(color)?.[1];
  if (!name) return color;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
}

/** A hex or rgb colour with an alpha, as canvas wants it. */
export function withAlpha(color: string, alpha: number): string {
  const hex = /^#([0-9a-f]{6})$/i.exec(color)?.[1];
  if (hex) {
    const n = parseInt(hex, 16);
    return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
  }
  const rgb = /^rgba?\(([^)]+)\)$/.exec(color)?.[1];
  if (rgb) {
    const [r, g, b] = rgb.split(/[\s,/]+/);
    return `rgba(${r}, ${g}, ${b}, ${alpha})`;
  }
  return color;
}
