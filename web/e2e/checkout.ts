// What a checkout service spends its CPU and memory on, in two versions: 1.5.0 compiles the rules of a tax table at
// every request, and has moved the validation of cards from one function to another.
import { type Stacks, pprof, pushProfile } from "./pprof";

const SERVE = "net/http.(*conn).serve@net/http/server.go:2039;go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp.(*middleware).serveHTTP@otelhttp/handler.go:61";
const ORDER = `${SERVE};shop/checkout.(*Server).order@checkout/server.go:118`;
const HEALTH = `${SERVE};shop/checkout.(*Server).cart@checkout/server.go:74`;

/** Milliseconds of CPU in a minute, by stack. */
const SHARED: Record<string, number> = {
  [`${ORDER};encoding/json.(*Decoder).Decode@encoding/json/stream.go:49;encoding/json.(*decodeState).object@encoding/json/decode.go:598;encoding/json.(*decodeState).object@encoding/json/decode.go:598;encoding/json.(*decodeState).literalStore@encoding/json/decode.go:853`]: 620,
  [`${ORDER};encoding/json.(*Decoder).Decode@encoding/json/stream.go:49;encoding/json.(*decodeState).object@encoding/json/decode.go:598;reflect.Value.SetString@reflect/value.go:2104`]: 190,
  [`${ORDER};shop/price.(*Book).Sum@price/book.go:33;shop/price.(*Book).find@price/book.go:58;runtime.mapaccess2_faststr@runtime/map_faststr.go:108`]: 480,
  [`${ORDER};shop/price.(*Book).Sum@price/book.go:33;math/big.(*Int).Mul@math/big/int.go:168`]: 170,
  [`${ORDER};database/sql.(*DB).QueryContext@database/sql/sql.go:1705;github.com/jackc/pgx/v5.(*Conn).Query@pgx/conn.go:668;internal/poll.(*FD).Write@internal/poll/fd_unix.go:367;syscall.write@syscall/zsyscall_linux_amd64.go:964`]: 340,
  [`${ORDER};database/sql.(*Rows).Scan@database/sql/sql.go:3298;github.com/jackc/pgx/v5/pgtype.(*Map).Scan@pgtype/pgtype.go:1216`]: 260,
  [`${HEALTH};encoding/json.Marshal@encoding/json/encode.go:171;encoding/json.structEncoder.encode@encoding/json/encode.go:664;encoding/json.stringEncoder@encoding/json/encode.go:618`]: 410,
  [`${HEALTH};shop/price.(*Book).Sum@price/book.go:33;shop/price.(*Book).find@price/book.go:58;runtime.mapaccess2_faststr@runtime/map_faststr.go:108`]: 210,
  [`${SERVE};crypto/tls.(*Conn).Read@crypto/tls/conn.go:1364;crypto/tls.(*halfConn).decrypt@crypto/tls/conn.go:312;crypto/internal/fips140/aes/gcm.gcmAesDec@gcm/gcm_asm.go:130`]: 330,
  "runtime.gcBgMarkWorker@runtime/mgc.go:1365;runtime.gcDrain@runtime/mgcmark.go:1191;runtime.scanobject@runtime/mgcmark.go:1437": 560,
  "runtime.mcall@runtime/asm_amd64.s:435;runtime.schedule@runtime/proc.go:3972;runtime.findRunnable@runtime/proc.go:3292;runtime.futex@runtime/sys_linux_amd64.s:557": 240,
};

const OWN: Record<string, Record<string, number>> = {
  "1.4.2": {
    [`${ORDER};shop/tax.(*Table).Lookup@tax/table.go:41;shop/tax.match@tax/match.go:12;strings.HasPrefix@strings/strings.go:523`]: 150,
    [`${ORDER};shop/card.Validate@card/validate.go:20;shop/card.luhn@card/luhn.go:9`]: 280,
  },
  "1.5.0": {
    [`${ORDER};shop/tax.(*Table).Lookup@tax/table.go:47;shop/tax.compileRule@tax/rule.go:18;regexp.compile@regexp/regexp.go:171;regexp/syntax.(*parser).push@regexp/syntax/parse.go:319`]: 260,
    [`${ORDER};shop/tax.(*Table).Lookup@tax/table.go:47;shop/tax.compileRule@tax/rule.go:18`]: 1350,
    [`${ORDER};shop/tax.(*Table).Lookup@tax/table.go:47;shop/tax.match@tax/match.go:12;strings.HasPrefix@strings/strings.go:523`]: 150,
    [`${ORDER};shop/card.Validate@card/validate.go:20;shop/card.checksum@card/checksum.go:5`]: 280,
  },
};

/** A repeatable number from 0 to 1 for a place and a time: load is never even. */
function noise(text: string, i: number): number {
  let h = 2166136261 ^ i;
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 16777619);
  h = Math.imul(h ^ (h >>> 15), 2246822519);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

/** One minute's CPU profile of a version, in nanoseconds; every process and minute a little different. */
export function cpuStacks(version: string, minute: number): Stacks {
  return Object.fromEntries(Object.entries({ ...SHARED, ...OWN[version] }).map(([stack, ms]) => [stack, ms * 1e6 * (0.94 + 0.12 * noise(stack, minute))]));
}

export interface Release {
  version: string;
  instance: string;
  fromMs: number;
  minutes: number;
}

/** Pushes a CPU profile for every minute that a version ran, and a heap profile for every fifth. */
export async function pushRelease(otlp: string, r: Release): Promise<void> {
  const attributes = { "service.version": r.version, "service.instance.id": r.instance, "deployment.environment.name": "e2e" };
  for (let i = 0; i < r.minutes; i++) {
    const timeMs = r.fromMs + i * 60_000;
    const endpoint = (stack: string): Record<string, string> => (stack.includes(".order@") ? { endpoint: "POST /checkout" } : stack.includes(".cart@") ? { endpoint: "GET /cart" } : {});
    await pushProfile(otlp, "checkout", "cpu", attributes, pprof(cpuStacks(r.version, Math.round(timeMs / 60_000)), { timeMs, labels: endpoint }));
    if (i % 5 === 0) await pushProfile(otlp, "checkout", "heap", attributes, pprof(heapStacks(r.version, i), { timeMs, durationMs: 60_000, sampleTypes: ["alloc_space/bytes", "inuse_space/bytes"] }));
  }
}

function heapStacks(version: string, minute: number): Stacks {
  return Object.fromEntries(Object.entries(cpuStacks(version, minute)).map(([stack, ns]) => [stack, [(ns as number) / 10, (ns as number) / 90]]));
}
