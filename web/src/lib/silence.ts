// A service that sends no spans, in words. Pure.
import type { SilentService } from "@/api/types";
import { lasting } from "./incident";

/** "no telemetry for 5 min", "no requests for 2 h": a service that is not heard is not one that gets no requests. */
export function silenceWords(s: SilentService, now: number): string {
  return `${s.state === "no_data" ? "no telemetry" : "no requests"} for ${lasting(now - Date.parse(s.since))}`;
}

export function silenceTip(s: SilentService): string {
  return s.state === "no_data"
    ? "No spans, metrics or logs of this service arrive: it does not run, or its telemetry does not get here."
    : "Its metrics or logs arrive, so it runs: no requests reach it.";
}
