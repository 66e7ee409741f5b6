// When a machine is about to run out of something.
import type { Host } from "@/api/types";
import { format } from "./format";

/** Where a share becomes unusual, and where it is about to break something. */
export const LIMITS = { cpu: [0.85, 0.95], memory: [0.88, 0.96], disk: [0.85, 0.94] } as const;

export interface HostTrouble {
  host: string;
  /** "disk 96 % (/var)" */
  words: string;
}

/** The machines on which something is all but used up, the worst first. */
export function hostTroubles(hosts: readonly Host[]): HostTrouble[] {
  const found = hosts.flatMap((h) => {
    const parts = (["disk", "memory", "cpu"] as const).filter((k) => (h[k] ?? 0) >= LIMITS[k][1]);
    if (parts.length === 0) return [];
    const say = (k: (typeof parts)[number]) => `${k === "cpu" ? "CPU" : k} ${format(h[k], "ratio")}${k === "disk" && h.disk_mount ? ` (${h.disk_mount})` : ""}`;
    return [{ host: h.host, words: parts.map(say).join(", "), worst: Math.max(...parts.map((k) => h[k]!)) }];
  });
  return found.sort((a, b) => b.worst - a.worst).map(({ host, words }) => ({ host, words }));
}
