// Writes pprof profiles (profile.proto) from stacks, for journeys that need real ones without running a Go program.
import { gzipSync } from "node:zlib";

/** Calls from the root, joined with ";", and their values: one for each sample type. */
export type Stacks = Record<string, number | readonly number[]>;

export interface ProfileOptions {
  /** "cpu/nanoseconds" and so on. */
  sampleTypes?: readonly string[];
  timeMs: number;
  durationMs?: number;
  /** Labels of every sample, or by stack. */
  labels?: Record<string, string> | ((stack: string) => Record<string, string>);
}

class Writer {
  private readonly bytes: number[] = [];

  varint(v: number | bigint): void {
    for (let n = BigInt(v); ; n >>= 7n) {
      if (n < 128n) return void this.bytes.push(Number(n));
      this.bytes.push(Number(n & 127n) | 128);
    }
  }
  number(field: number, v: number | bigint): void {
    if (!v) return;
    this.varint(field << 3);
    this.varint(v);
  }
  data(field: number, b: Uint8Array): void {
    this.varint((field << 3) | 2);
    this.varint(b.length);
    for (const x of b) this.bytes.push(x);
  }
  packed(field: number, list: readonly number[]): void {
    const w = new Writer();
    for (const v of list) w.varint(v);
    this.data(field, w.take());
  }
  take(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

const message = (fill: (w: Writer) => void): Uint8Array => {
  const w = new Writer();
  fill(w);
  return w.take();
};

/** One profile, compressed as SDKs send it. A call may say its file and line: "shop/tax.Lookup@tax/lookup.go:42". */
export function pprof(stacks: Stacks, o: ProfileOptions): Buffer {
  const strings = [""];
  const ids = new Map([["", 0]]);
  const text = (s: string): number => {
    let id = ids.get(s);
    if (id === undefined) ids.set(s, (id = strings.push(s) - 1));
    return id;
  };
  const w = new Writer();
  const types = (o.sampleTypes ?? ["cpu/nanoseconds"]).map((t) => t.split("/") as [string, string]);
  const valueType = ([type, unit]: [string, string]) => message((m) => (m.number(1, text(type)), m.number(2, text(unit))));
  for (const t of types) w.data(1, valueType(t));
  const locations = new Map<string, number>();
  const location = (call: string): number => {
    let id = locations.get(call);
    if (id === undefined) locations.set(call, (id = locations.size + 1));
    return id;
  };
  for (const [stack, v] of Object.entries(stacks)) {
    const labels = typeof o.labels === "function" ? o.labels(stack) : (o.labels ?? {});
    w.data(2, message((m) => {
      m.packed(1, stack.split(";").map(location).reverse());
      m.packed(2, (typeof v === "number" ? [v] : v).map(Math.round));
      for (const [k, s] of Object.entries(labels)) m.data(3, message((l) => (l.number(1, text(k)), l.number(2, text(s)))));
    }));
  }
  for (const [call, id] of locations) {
    const [name, at = ""] = call.split("@") as [string, string?];
    const [file, line = "1"] = (at || `${name.split(".")[0]}.go:1`).split(":") as [string, string?];
    w.data(4, message((m) => (m.number(1, id), m.number(3, 0x400000 + id * 16), m.data(4, message((l) => (l.number(1, id), l.number(2, Number(line))))))));
    w.data(5, message((m) => (m.number(1, id), m.number(2, text(name)), m.number(3, text(name)), m.number(4, text(file)), m.number(5, Number(line)))));
  }
  w.number(9, BigInt(Math.round(o.timeMs)) * 1_000_000n);
  w.number(10, BigInt(Math.round(o.durationMs ?? 60_000)) * 1_000_000n);
  w.data(11, valueType(types[types.length - 1]!));
  w.number(12, 10_000_000);
  for (const s of strings) w.data(6, Buffer.from(s));
  return gzipSync(w.take());
}

/** Pushes a profile to POST /v1/pprof; attributes of the resource by OpenTelemetry's names. */
export async function pushProfile(otlp: string, service: string, type: string, attributes: Record<string, string>, body: Buffer): Promise<void> {
  const params = new URLSearchParams({ service, type, ...Object.fromEntries(Object.entries(attributes).map(([k, v]) => [`label.${k}`, v])) });
  const res = await fetch(`${otlp}/v1/pprof?${params}`, { method: "POST", body: new Uint8Array(body) });
  if (!res.ok) throw new Error(`pprof: ${res.status} ${await res.text()}`);
}
