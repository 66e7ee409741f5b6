// Processes that profiles are fetched from: the form's text and the API's wish, and a target's state in words.
import type { ProfileTarget, ProfileTargetWish } from "@/api/types";
import { format } from "./format";

export interface TargetForm {
  service: string;
  url: string;
  types: string[];
  labels: string;
  interval: string;
  timeout: string;
  cpu: string;
  auth: "none" | "basic" | "bearer";
  username: string;
  secret: string;
  ca: string;
  cert: string;
  key: string;
  serverName: string;
  insecure: boolean;
}

export const NEW_TARGET: TargetForm = {
  service: "", url: "", types: ["cpu", "heap", "goroutine", "mutex", "block"], labels: "", interval: "60", timeout: "", cpu: "", auth: "none", username: "", secret: "", ca: "", cert: "", key: "", serverName: "", insecure: false,
};

export function formOf(t: ProfileTarget): TargetForm {
  return {
    service: t.service, url: t.url, types: [...t.types], labels: Object.entries(t.labels).map(([k, v]) => `${k}=${v}`).join("\n"), interval: String(t.interval_s), timeout: String(t.timeout_s), cpu: String(t.cpu_s),
    auth: t.auth.kind, username: t.auth.username, secret: "", ca: t.tls.ca, cert: t.tls.cert, key: "", serverName: t.tls.server_name, insecure: t.tls.insecure,
  };
}

/** Lines of KEY=VALUE; null where one is none. */
export function labelsOf(text: string): Record<string, string> | null {
  const out: Record<string, string> = {};
  for (const line of text.split("\n").map((l) => l.trim()).filter(Boolean)) {
    const i = line.indexOf("=");
    if (i < 1 || i === line.length - 1) return null;
    out[line.slice(0, i).trim()] = line.slice(i + 1).trim();
  }
  return out;
}

/** What is wrong before the server is asked, by field. */
export function faultsOf(f: TargetForm): Partial<Record<"service" | "url" | "types" | "labels" | "interval" | "timeout" | "cpu", string>> {
  const out: ReturnType<typeof faultsOf> = {};
  if (!f.service.trim()) out.service = "Profiles need the name of their service.";
  if (!/^https?:\/\/[^/\s]+/.test(f.url.trim())) out.url = "An address such as http://10.0.0.7:6060";
  if (f.types.length === 0) out.types = "Choose at least one.";
  if (labelsOf(f.labels) === null) out.labels = "One KEY=VALUE a line.";
  for (const k of ["interval", "timeout", "cpu"] as const) if (f[k].trim() && !(Number(f[k]) > 0)) out[k] = "A positive number of seconds.";
  return out;
}

export function wishOf(f: TargetForm, paused: boolean): ProfileTargetWish {
  const seconds = (text: string) => (text.trim() ? Number(text) : undefined);
  const auth = f.auth === "basic" ? { kind: f.auth, username: f.username, password: f.secret || undefined } : f.auth === "bearer" ? { kind: f.auth, token: f.secret || undefined } : { kind: f.auth };
  return {
    service: f.service.trim(), url: f.url.trim(), types: f.types, labels: labelsOf(f.labels) ?? {}, interval_s: seconds(f.interval), timeout_s: seconds(f.timeout), cpu_s: seconds(f.cpu), paused,
    auth, tls: { ca: f.ca, cert: f.cert, key: f.key || undefined, server_name: f.serverName, insecure: f.insecure },
  };
}

/** A target as it stands, as a wish: for pausing, and for bringing a removed one back. Secrets are not in it. */
export const sameWish = (t: ProfileTarget, paused: boolean): ProfileTargetWish => wishOf(formOf(t), paused);

export type TargetState = { tone: "ok" | "bad" | "quiet"; words: string };

export function stateOf(t: ProfileTarget, now: number): TargetState {
  if (t.problem) return { tone: "bad", words: t.problem };
  if (t.paused) return { tone: "quiet", words: "Paused" };
  if (t.last_ms === 0 && t.by) return { tone: "quiet", words: "Fetched by another process" };
  if (t.last_ms === 0) return { tone: "quiet", words: t.next_ms > now ? `First fetch in ${format((t.next_ms - now) / 1000, "s")}` : "First fetch under way" };
  if (t.last_error) return { tone: "bad", words: t.last_error };
  return { tone: "ok", words: "Fetched" };
}
