// Real OTLP over HTTP/JSON: a small shop of four services whose spans call one another.
import { randomBytes } from "node:crypto";

const hex = (bytes: number) => randomBytes(bytes).toString("hex");
const SERVER = 2;
const CLIENT = 3;

interface SpanOptions {
  service: string;
  name: string;
  kind: number;
  startMs: number;
  durationMs: number;
  traceId: string;
  spanId?: string;
  parentId?: string;
  error?: string;
  attributes?: Record<string, string | number>;
}

export interface SentSpan {
  traceId: string;
  spanId: string;
}

const attribute = (key: string, v: string | number) => ({ key, value: typeof v === "number" ? { intValue: String(v) } : { stringValue: v } });
const nanos = (ms: number) => (BigInt(Math.round(ms * 1000)) * 1000n).toString();

/** One request's spans of several services in one export. */
class Batch {
  private readonly byService = new Map<string, object[]>();

  constructor(private readonly version = "1.4.2", private readonly instance?: string) {}

  add(o: SpanOptions): SentSpan {
    const spanId = o.spanId ?? hex(8);
    const list = this.byService.get(o.service) ?? [];
    this.byService.set(o.service, list);
    list.push({
      traceId: o.traceId,
      spanId,
      parentSpanId: o.parentId ?? "",
      name: o.name,
      kind: o.kind,
      startTimeUnixNano: nanos(o.startMs),
      endTimeUnixNano: nanos(o.startMs + o.durationMs),
      attributes: Object.entries(o.attributes ?? {}).map(([k, v]) => attribute(k, v)),
      status: o.error ? { code: 2, message: o.error } : {},
      events: o.error
        ? [{ name: "exception", timeUnixNano: nanos(o.startMs + o.durationMs), attributes: [attribute("exception.type", "TimeoutError"), attribute("exception.message", o.error)] }]
        : [],
    });
    return { traceId: o.traceId, spanId };
  }

  get size(): number {
    return this.byService.size;
  }

  body(): string {
    return JSON.stringify({
      resourceSpans: [...this.byService].map(([service, spans]) => ({
        resource: {
          attributes: [
            attribute("service.name", service),
            attribute("service.version", this.version),
            attribute("service.instance.id", this.instance ?? `${service}-0`),
            attribute("deployment.environment.name", "e2e"),
            attribute("telemetry.sdk.language", service === "frontend" ? "nodejs" : "go"),
          ],
        },
        scopeSpans: [{ scope: { name: "e2e" }, spans }],
      })),
    });
  }
}

/** A visitor's request: frontend → checkout → payment and a database. */
function checkout(batch: Batch, atMs: number, o: { slowMs?: number; error?: string } = {}): SentSpan {
  const traceId = hex(16);
  const pay = o.slowMs ?? 20 + Math.random() * 30;
  const front = batch.add({ service: "frontend", name: "POST /order", kind: SERVER, startMs: atMs, durationMs: pay + 40, traceId, attributes: { "http.route": "/order", "http.response.status_code": o.error ? 500 : 200, region: "eu" } });
  const call = batch.add({ service: "frontend", name: "POST", kind: CLIENT, startMs: atMs + 5, durationMs: pay + 30, traceId, parentId: front.spanId });
  const check = batch.add({ service: "checkout", name: "POST /checkout", kind: SERVER, startMs: atMs + 8, durationMs: pay + 24, traceId, parentId: call.spanId, error: o.error && "payment failed" });
  batch.add({ service: "checkout", name: "SELECT orders", kind: CLIENT, startMs: atMs + 9, durationMs: 3, traceId, parentId: check.spanId, attributes: { "db.system.name": "postgresql", "db.namespace": "orders", "db.query.text": "SELECT * FROM orders WHERE id = $1" } });
  const out = batch.add({ service: "checkout", name: "POST", kind: CLIENT, startMs: atMs + 14, durationMs: pay + 8, traceId, parentId: check.spanId, error: o.error });
  batch.add({ service: "payment", name: "POST /charge", kind: SERVER, startMs: atMs + 17, durationMs: pay, traceId, parentId: out.spanId, error: o.error });
  return front;
}

async function send(otlp: string, body: string): Promise<void> {
  const res = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (!res.ok) throw new Error(`OTLP: ${res.status} ${await res.text()}`);
}

/** Sends `count` orders spread over the last `overMs`; one in twenty fails. Returns the slow one that is among them. */
export async function sendShop(otlp: string, count: number, overMs: number): Promise<SentSpan> {
  const batch = new Batch();
  const now = Date.now();
  for (let i = 0; i < count; i++) checkout(batch, now - 500 - (overMs * i) / count, i % 20 === 7 ? { error: "Read timed out" } : {});
  const slow = checkout(batch, now - Math.min(overMs, 20_000), { slowMs: 1900 });
  await send(otlp, batch.body());
  return slow;
}

/** An even flow of orders that one version of the shop answered; the last one's checkout span is returned. */
export async function sendOrders(otlp: string, o: { version: string; instance: string; fromMs: number; minutes: number; perMinute: number }): Promise<SentSpan> {
  const total = o.minutes * o.perMinute;
  let last: SentSpan | undefined;
  for (let i = 0; i < total; i += 200) {
    const batch = new Batch(o.version, o.instance);
    for (let j = i; j < Math.min(total, i + 200); j++) last = checkout(batch, o.fromMs + (j * 60_000) / o.perMinute);
    await send(otlp, batch.body());
  }
  return last!;
}

/** Sends a burst every 200 ms until stopped, for charts to move by. */
export function keepSending(otlp: string): () => Promise<void> {
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      const batch = new Batch();
      for (let i = 0; i < 10; i++) checkout(batch, Date.now() - 120);
      await send(otlp, batch.body());
      await new Promise((r) => setTimeout(r, 200));
    }
  })();
  return async () => {
    stopped = true;
    await done;
  };
}

/**
 * An even flow of orders over the past, ending now: what detection learns from. One in a hundred fails, as in any shop.
 */
export async function sendHistory(otlp: string, o: { hours: number; perSecond: number }): Promise<void> {
  const now = Date.now();
  const total = Math.round(o.hours * 3600 * o.perSecond);
  const CHUNK = 400;
  for (let i = 0; i < total; i += CHUNK) {
    const batch = new Batch();
    for (let j = i; j < Math.min(total, i + CHUNK); j++) checkout(batch, now - 2_000 - ((total - j) * 1000) / o.perSecond, j % 100 === 42 ? { error: "Read timed out" } : {});
    await send(otlp, batch.body());
  }
}

/** The same flow, live; `trouble` makes payment fail or slow from the next order on. */
export class Flow {
  trouble: { error?: string; slowMs?: number } = {};
  private stopped = false;
  private readonly done: Promise<void>;
  private sent = 0;

  constructor(otlp: string, perSecond: number) {
    const began = Date.now();
    this.done = (async () => {
      while (!this.stopped) {
        const due = Math.floor(((Date.now() - began) * perSecond) / 1000);
        const batch = new Batch();
        for (; this.sent < due; this.sent++) checkout(batch, Date.now() - 120 - (this.trouble.slowMs ?? 0), this.trouble.error || this.trouble.slowMs ? this.trouble : this.sent % 100 === 42 ? { error: "Read timed out" } : {});
        if (batch.size > 0) await send(otlp, batch.body()).catch(() => undefined); // The product may be restarting.
        await new Promise((r) => setTimeout(r, 200));
      }
    })();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }
}
