import { eventsOf } from "@/lib/sse";
import { ApiError, type Problem } from "./client";
import type { Incident, Sensitivity } from "./types";

export interface BacktestRequest {
  from: string;
  to: string;
  sensitivity?: Sensitivity;
}

/** What would have alerted. `onProgress` is told the share done; aborting the signal stops it in the server too. */
export async function backtest(request: BacktestRequest, onProgress: (done: number) => void, signal: AbortSignal): Promise<Incident[]> {
  const res = await fetch("/api/v1/backtest", { method: "POST", signal, headers: { "Content-Type": "application/json", Accept: "text/event-stream" }, body: JSON.stringify(request) });
  if (!res.ok) throw new ApiError({ title: `The server answered ${res.status}`, ...((await res.json().catch(() => ({}))) as object), status: res.status });
  if (!/event-stream/.test(res.headers.get("Content-Type") ?? "") || !res.body) return ((await res.json()) as { incidents: Incident[] }).incidents;
  for await (const e of eventsOf(res.body)) {
    if (e.event === "progress") onProgress((JSON.parse(e.data) as { done: number }).done);
    else if (e.event === "result") return (JSON.parse(e.data) as { incidents: Incident[] }).incidents;
    else if (e.event === "error") throw new ApiError(JSON.parse(e.data) as Problem);
  }
  throw new ApiError({ title: "The backtest ended early", status: 0, detail: "The connection was lost before the result came." });
}
