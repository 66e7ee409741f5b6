import { expect, it } from "vitest";
import type { Host } from "@/api/types";
import { hostTroubles } from "./hosts";

const host = (name: string, p: Partial<Host>): Host => ({ host: name, os: "linux", cpus: 8, cpu: 0.2, memory: 0.4, memory_used: null, memory_total: null, disk: 0.5, disk_mount: "/", load: 1, disk_read: null, disk_write: null, receive: null, transmit: null, services: [], last_seen_ms: 0, ...p });

it("names what is all but used up, the worst first", () => {
  const found = hostTroubles([host("calm", {}), host("full", { disk: 0.95, disk_mount: "/var" }), host("hot", { cpu: 0.99, memory: 0.97 }), host("silent", { cpu: null, memory: null, disk: null })]);
  expect(found).toEqual([
    { host: "hot", words: "memory 97\u202f%, CPU 99\u202f%" },
    { host: "full", words: "disk 95\u202f% (/var)" },
  ]);
});
