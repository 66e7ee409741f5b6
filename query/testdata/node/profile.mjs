// Profiles a piece of work with V8 and sends it as the pprof package writes it:
//
//   node profile.mjs URL      POSTs a wall-time and a heap profile to URL/v1/pprof
//
// The package's own profiler needs a native addon, which not every machine can build. V8's inspector takes the same
// profiles; how they become pprof's format is the package's doing.
import inspector from 'node:inspector/promises'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { serializeTimeProfile, serializeHeapProfile } = require('pprof/out/src/profile-serializer.js')
const { encode } = require('pprof/out/src/profile-encoder.js')

const base = process.argv[2]
const session = new inspector.Session()
session.connect()

function priceOrders (until) {
  const orders = []
  while (Date.now() < until) orders.push(JSON.stringify({ id: orders.length, lines: [1, 2, 3].map(n => ({ n, price: Math.sqrt(n) })) }))
  return orders
}

const place = f => ({ name: f.functionName, scriptName: f.url, scriptId: Number(f.scriptId), lineNumber: f.lineNumber + 1, columnNumber: f.columnNumber + 1 })

function timeProfile (profile) {
  const byId = new Map(profile.nodes.map(n => [n.id, { ...place(n.callFrame), hitCount: n.hitCount ?? 0, ids: n.children ?? [], children: [] }]))
  for (const n of byId.values()) n.children = n.ids.map(id => byId.get(id))
  return { topDownRoot: byId.get(profile.nodes[0].id), startTime: profile.startTime, endTime: profile.endTime }
}

function heapProfile (node) {
  return { ...place(node.callFrame), allocations: node.selfSize > 0 ? [{ sizeBytes: node.selfSize, count: 1 }] : [], children: node.children.map(heapProfile) }
}

async function send (profile, type) {
  const res = await fetch(`${base}/v1/pprof?service=node-shop&type=${type}&label.service.version=3.1.0`, { method: 'POST', body: await encode(profile) })
  if (!res.ok) throw new Error(`${type}: ${res.status} ${await res.text()}`)
}

const interval = 1000 // microseconds
await session.post('Profiler.enable')
await session.post('Profiler.setSamplingInterval', { interval })
await session.post('HeapProfiler.startSampling', { samplingInterval: 16 * 1024 })
await session.post('Profiler.start')
const orders = priceOrders(Date.now() + 600)
const { profile } = await session.post('Profiler.stop')
const heap = await session.post('HeapProfiler.stopSampling')
await send(serializeTimeProfile(timeProfile(profile), interval), '')
await send(serializeHeapProfile(heapProfile(heap.profile.head), Date.now() * 1e6, 16 * 1024), '')
console.log(JSON.stringify({ orders: orders.length, hits: profile.nodes.reduce((n, x) => n + (x.hitCount ?? 0), 0) }))
