import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backoff, LiveClient } from "./live";

class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: { op: string; id?: string; resume_ms?: number }[] = [];
  onopen?: () => void;
  onclose?: () => void;
  onmessage?: (e: { data: string }) => void;
  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  drop() {
    this.readyState = 3;
    this.onclose?.();
  }
  frame(f: object) {
    this.onmessage?.({ data: JSON.stringify(f) });
  }
}

const last = () => FakeSocket.all.at(-1)!;
const data = (complete: number) => ({ range: { complete_to_ms: complete } });

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(100_000);
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("subscribes when open, reconnects by itself and resumes from what it holds", () => {
  const client = new LiveClient("ws://x");
  const updates: string[] = [];
  client.subscribe({ kind: "red", service: "a" }, "now-15m", (u) => updates.push(u.op), () => {});
  expect(client.status.state).toBe("connecting");
  last().open();
  expect(last().sent).toEqual([{ op: "subscribe", id: "1", query: { kind: "red", service: "a" }, from: "now-15m" }]);
  last().frame({ op: "snapshot", id: "1", seq: 1, data: data(90_000), sent_ms: 0, data_ms: 0, skipped: 0 });
  last().drop();
  expect(client.status.state).toBe("offline");
  vi.advanceTimersByTime(2_000);
  expect(FakeSocket.all).toHaveLength(2);
  last().open();
  expect(last().sent[0]).toMatchObject({ op: "subscribe", id: "1", resume_ms: 90_000 });
  last().frame({ op: "update", id: "1", seq: 2, data: data(95_000), sent_ms: 0, data_ms: 0, skipped: 0 });
  expect(updates).toEqual(["snapshot", "update"]);
});

test("freshness is told by the browser's clock, whatever the server's says", () => {
  const client = new LiveClient("ws://x");
  client.subscribe({ kind: "status" }, "now-1m", () => {}, () => {});
  last().open();
  last().frame({ op: "hello", now_ms: 160_000, tick_ms: 1000, session: "s" }); // a minute ahead
  last().frame({ op: "snapshot", id: "1", seq: 1, data: {}, sent_ms: 0, data_ms: 159_200, skipped: 3 });
  expect(client.status).toMatchObject({ freshAt: 99_200, skipped: 3 });
});

test("pause is told, also after a reconnect; a subscriber that left hears nothing", () => {
  const client = new LiveClient("ws://x");
  let heard = 0;
  const leave = client.subscribe({ kind: "status" }, "now-1m", () => heard++, () => {});
  client.subscribe({ kind: "services", window_ms: 1 }, "now-1m", () => {}, () => {});
  last().open();
  client.setPaused(true);
  expect(last().sent.at(-1)).toEqual({ op: "pause" });
  last().drop();
  vi.advanceTimersByTime(2_000);
  last().open();
  expect(last().sent[0]).toEqual({ op: "pause" });
  leave();
  last().frame({ op: "update", id: "1", seq: 1, data: {}, sent_ms: 0, data_ms: 0, skipped: 0 });
  expect(heard).toBe(0);
});

test("the last to leave closes the socket after a while", () => {
  const client = new LiveClient("ws://x");
  const leave = client.subscribe({ kind: "status" }, "now-1m", () => {}, () => {});
  last().open();
  leave();
  expect(last().readyState).toBe(1);
  vi.advanceTimersByTime(5_000);
  expect(last().readyState).toBe(3);
  expect(client.status.state).toBe("idle");
  vi.advanceTimersByTime(60_000);
  expect(FakeSocket.all).toHaveLength(1);
});

test("back-off doubles, is spread, and has a ceiling", () => {
  expect(backoff(0, 1)).toBe(600);
  expect(backoff(3, 1)).toBe(3_400);
  expect(backoff(30, 1)).toBe(15_200);
  expect(backoff(30, 0)).toBe(200);
});
