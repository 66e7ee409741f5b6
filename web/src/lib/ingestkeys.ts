// What the page says about ingest keys, and how a new one is asked for.
import type { IngestKey, IngestKeyWish, KeySignal } from "@/api/types";
import { format, integer } from "./format";

export const KEY_SIGNALS: readonly { id: KeySignal; label: string }[] = [
  { id: "traces", label: "Traces" },
  { id: "metrics", label: "Metrics" },
  { id: "logs", label: "Logs" },
  { id: "profiles", label: "Profiles" },
];

export const LIFETIMES = [
  { id: "", label: "Never" },
  { id: "30", label: "In 30 days" },
  { id: "90", label: "In 90 days" },
  { id: "365", label: "In a year" },
] as const;
export type Lifetime = (typeof LIFETIMES)[number]["id"];

/** How long a revocation can be undone, as the server has it. */
export const UNDO_MS = 3600_000;

export interface KeyForm {
  name: string;
  signals: KeySignal[];
  lifetime: Lifetime;
  /** As typed; empty for no limit. Megabytes for bytes. */
  items: string;
  megabytes: string;
}

export const emptyKey: KeyForm = { name: "", signals: ["traces", "metrics", "logs", "profiles"], lifetime: "", items: "", megabytes: "" };

/** Why a limit cannot be meant, or null. */
export function limitError(text: string): string | null {
  if (text.trim() === "") return null;
  const n = Number(text.trim());
  return Number.isFinite(n) && n > 0 && n <= 1e6 * 1e3 ? null : "Enter a positive number, or leave it empty for no limit.";
}

export function keyWish(f: KeyForm, now: number): IngestKeyWish {
  return {
    name: f.name.trim(),
    signals: f.signals,
    items_per_second: Number(f.items.trim()) || 0,
    bytes_per_second: (Number(f.megabytes.trim()) || 0) * 1e6,
    expires_ms: f.lifetime === "" ? null : now + Number(f.lifetime) * 86400_000,
  };
}

/** "traces and logs · 500 items/s": what a key may do. */
export function keyMay(k: Pick<IngestKey, "signals" | "items_per_second" | "bytes_per_second">): string {
  const all = k.signals.length === KEY_SIGNALS.length;
  const limits = [k.items_per_second > 0 && `${format(k.items_per_second)} items/s`, k.bytes_per_second > 0 && format(k.bytes_per_second, "bytes/s")].filter(Boolean);
  return [all ? "everything" : k.signals.join(", "), ...limits].join(" · ");
}

const REASONS: Record<string, string> = { revoked_key: "after it was revoked", expired_key: "after it expired", wrong_signal: "of another signal", rate_limited: "beyond the rate" };

/** "3 requests refused: 2 beyond the rate, 1 of another signal", or "". */
export function keyRefused(refused: Record<string, number>): string {
  const by = Object.entries(refused).filter(([, n]) => n > 0);
  if (by.length === 0) return "";
  const total = by.reduce((sum, [, n]) => sum + n, 0);
  const parts = by.sort((a, b) => b[1] - a[1]).map(([reason, n]) => `${by.length > 1 ? `${integer(n)} ` : ""}${REASONS[reason] ?? reason}`);
  return `${integer(total)} ${total === 1 ? "request" : "requests"} refused: ${parts.join(", ")}`;
}
