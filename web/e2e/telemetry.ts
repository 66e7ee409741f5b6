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

  body(): string {
    return JSON.stringify({
      resourceSpans: [...this.byService].map(([service, spans]) => ({
        resource: {
          attributes: [
            attribute("service.name", service),
            attribute("service.version", "1.4.2"),
            attribute("service.instance.id", `${service}-0`),
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
