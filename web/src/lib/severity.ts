// OpenTelemetry's severity numbers (1…24, four to a word) as words and tones.
export const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "unset"] as const;
export type Level = (typeof LEVELS)[number];

export function level(severity: number): Level {
  if (severity <= 0) return "unset";
  if (severity <= 4) return "trace";
  if (severity <= 8) return "debug";
  if (severity <= 12) return "info";
  if (severity <= 16) return "warn";
  if (severity <= 20) return "error";
  return "fatal";
}

/** Status colours only for what is a status: warnings and errors. The rest are greys. */
export const LEVEL_COLOR: Record<Level, string> = {
  fatal: "var(--bad-text)",
  error: "var(--bad)",
  warn: "var(--warn)",
  info: "var(--series-other)",
  debug: "var(--line-strong)",
  trace: "var(--active)",
  unset: "var(--line-strong)",
};
