// The one websocket. It carries any number of subscriptions, reconnects by
// itself with a jittered back-off, resumes each subscription from what it holds,
// and knows how fresh the data on screen is.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { LiveFrame, LiveQuery, LiveRequest, Problem } from "./types";

/** Idle: nothing on the page is subscribed. */
export type LiveState = "idle" | "connecting" | "live" | "paused" | "offline";

export interface LiveUpdate {
  op: "snapshot" | "update";
  data: unknown;
  /** Newest data seen, as the browser's clock counts (server clock corrected). */
  dataAt: number;
  skipped: number;
}

interface Subscription {
  id: string;
  query: LiveQuery;
  from: string;
  resumeMs: number | undefined;
  onUpdate: (u: LiveUpdate) => void;
  onError: (p: Problem) => void;
}

const BACKOFF_MIN_MS = 400;
const BACKOFF_MAX_MS = 15_000;

/** Full jitter: anywhere up to a ceiling that doubles with every failure. */
export function backoff(failures: number, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** failures);
  return BACKOFF_MIN_MS / 2 + random * ceiling;
}

export interface LiveStatus {
  state: LiveState;
  /** When the newest data on screen was made, browser clock; 0 when none came yet. */
  freshAt: number;
  /** Frames the server skipped because this viewer was slow, since connecting. */
  skipped: number;
}

export class LiveClient {
  private socket: WebSocket | null = null;
  private readonly subs = new Map<string, Subscription>();
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private idle: ReturnType<typeof setTimeout> | undefined;
  private paused = false;
  private next = 1;
  /** Server clock minus browser clock, from hello. */
  private skew = 0;
  private readonly listeners = new Set<() => void>();
  status: LiveStatus = { state: "idle", freshAt: 0, skipped: 0 };

  constructor(private readonly url: string) {}

  subscribe(query: LiveQuery, from: string, onUpdate: Subscription["onUpdate"], onError: Subscription["onError"]): () => void {
    const sub: Subscription = { id: String(this.next++), query, from, resumeMs: undefined, onUpdate, onError };
    this.subs.set(sub.id, sub);
    clearTimeout(this.idle);
    if (this.socket?.readyState === WebSocket.OPEN) this.ask(sub);
    else this.connect();
    return () => {
      this.subs.delete(sub.id);
      this.send({ op: "unsubscribe", id: sub.id });
      if (this.subs.size === 0) this.idle = setTimeout(() => this.close(), 5_000);
    };
  }

  setPaused(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    this.send({ op: paused ? "pause" : "resume" });
    this.update({ state: paused ? "paused" : this.socket?.readyState === WebSocket.OPEN ? "live" : this.subs.size > 0 ? "connecting" : "idle" });
  }

  onStatus = (l: () => void): (() => void) => {
    this.listeners.add(l);
    return () => void this.listeners.delete(l);
  };

  private update(patch: Partial<LiveStatus>) {
    this.status = { ...this.status, ...patch };
    for (const l of this.listeners) l();
  }

  private connect() {
    if (this.socket || this.subs.size === 0) return;
    clearTimeout(this.retry);
    this.update({ state: this.paused ? "paused" : "connecting" });
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      if (this.paused) this.send({ op: "pause" });
      for (const sub of this.subs.values()) this.ask(sub);
      this.update({ state: this.paused ? "paused" : "live", skipped: 0 });
    };
    socket.onmessage = (e) => this.receive(JSON.parse(e.data as string) as LiveFrame);
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private lost() {
    this.socket = null;
    if (this.subs.size === 0) return this.update({ state: "idle", freshAt: 0 });
    this.update({ state: "offline" });
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), backoff(this.failures++, Math.random()));
  }

  /** Tries at once, for when the network or the tab comes back. */
  wake = (): void => {
    if (!this.socket && this.subs.size > 0) this.connect();
  };

  private close() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
    this.update({ state: "idle", freshAt: 0 });
  }

  private ask(sub: Subscription) {
    this.send({ op: "subscribe", id: sub.id, query: sub.query, from: sub.from, resume_ms: sub.resumeMs });
  }

  private send(msg: LiveRequest) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(msg));
  }

  private receive(frame: LiveFrame) {
    if (frame.op === "hello") {
      this.skew = frame.now_ms - Date.now();
      return;
    }
    const sub = this.subs.get(frame.id);
    if (!sub) return;
    if (frame.op === "error") return sub.onError(frame.problem);
    const complete = (frame.data as { range?: { complete_to_ms?: number } } | null)?.range?.complete_to_ms;
    if (complete) sub.resumeMs = complete;
    const dataAt = frame.data_ms > 0 ? frame.data_ms - this.skew : 0;
    sub.onUpdate({ op: frame.op, data: frame.data, dataAt, skipped: frame.skipped });
    // The badge is on every page: it says nothing of how fresh the page's own data is.
    if (sub.query.kind === "incidents") return;
    this.update({ freshAt: Math.max(this.status.freshAt, dataAt), skipped: this.status.skipped + frame.skipped });
  }
}

let client: LiveClient | undefined;

/** The page's client, made at first use. */
export function liveClient(): LiveClient {
  if (!client) {
    client = new LiveClient(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
    addEventListener("online", client.wake);
    document.addEventListener("visibilitychange", () => document.hidden || client!.wake());
  }
  return client;
}

export function useLiveStatus(): LiveStatus {
  const c = liveClient();
  return useSyncExternalStore(c.onStatus, () => c.status);
}

export interface LiveResult<T> {
  data: T | undefined;
  error: Problem | undefined;
  /** Browser clock of the newest data; 0 before any. */
  freshAt: number;
}

/** How often to ask over HTTP while the websocket is away. */
const FALLBACK_MS = 5_000;

/** What a query beside a subscription should use as refetchInterval: asks only while the live stream cannot serve. */
export function useFallback(enabled: boolean, live: { error: Problem | undefined }): number | false {
  const { state } = useLiveStatus();
  return enabled && (live.error !== undefined || state === "offline") ? FALLBACK_MS : false;
}

/** The newer of what the stream and what the query brought, by the server's clock. */
export function newest<T extends { range: { now_ms: number } }>(live: T | undefined, asked: T | undefined): T | undefined {
  if (!live || !asked) return live ?? asked;
  return asked.range.now_ms > live.range.now_ms ? asked : live;
}

/**
 * Subscribes while `enabled` and the component is mounted. `merge` lays an update
 * over the snapshot held (default: replace). Only the calling component renders,
 * at the server's tick, so call it close to the chart.
 */
export function useLive<T>(
  query: LiveQuery,
  options: { from: string; enabled: boolean; merge?: (held: T, update: T) => T },
): LiveResult<T> {
  const [result, setResult] = useState<LiveResult<T> & { key: string }>({ key: "", data: undefined, error: undefined, freshAt: 0 });
  const key = JSON.stringify([query, options.from]);
  const merge = useRef(options.merge);
  merge.current = options.merge;
  const { enabled, from } = options;
  useEffect(() => {
    if (!enabled) return;
    return liveClient().subscribe(
      query,
      from,
      (u) =>
        setResult((old) => {
          const held = old.key === key ? old.data : undefined;
          const data = u.op === "update" && held !== undefined && merge.current ? merge.current(held, u.data as T) : (u.data as T);
          return { key, data, error: undefined, freshAt: u.dataAt };
        }),
      (error) => setResult((old) => ({ ...old, key, error })),
    );
    // The key stands for query and from.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, enabled]);
  return enabled && result.key === key ? result : { data: undefined, error: undefined, freshAt: 0 };
}
