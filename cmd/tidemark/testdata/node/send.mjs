// Sends known telemetry with the OpenTelemetry SDK for Node and prints what it sent as one JSON object.
// Usage: node send.mjs json|protobuf http://HOST:PORT SERVICE
import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'

const [encoding, endpoint, service] = process.argv.slice(2)
const suffix = { json: 'http', protobuf: 'proto' }[encoding]
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${suffix}`)
const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${suffix}`)
const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${suffix}`)

const resource = resourceFromAttributes({
  'service.name': service,
  'service.version': '3.2.1',
  'service.instance.id': 'node-1',
  'deployment.environment.name': 'test',
  'telemetry.sdk.language': 'nodejs',
  'host.cpus': 4,
})
const traces = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }))],
})
traces.register()
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${endpoint}/v1/metrics` }),
    exportIntervalMillis: 3_600_000,
  })],
  views: [{ instrumentName: 'queue.wait', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
})
metrics.setGlobalMeterProvider(meters)
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${endpoint}/v1/logs` }) })],
})

const failures = []
process.on('unhandledRejection', (e) => failures.push(String(e)))

const tracer = trace.getTracer('shop', '0.9.0')
const root = tracer.startSpan('GET /cart/:id', {
  kind: SpanKind.SERVER,
  attributes: { 'http.response.status_code': 500, ratio: 0.25, cached: false, 'user.name': 'Žofie', tags: ['a', 'b'] },
})
const inRoot = trace.setSpan(context.active(), root)
const child = tracer.startSpan('SELECT cart', {
  kind: SpanKind.CLIENT,
  attributes: { 'db.system.name': 'postgresql' },
  links: [{ context: { traceId: '0123456789abcdef0123456789abcdef', spanId: '0123456789abcdef', traceFlags: 1 }, attributes: { why: 'batch' } }],
}, inRoot)
child.recordException(new Error('no such cart'))
child.setStatus({ code: SpanStatusCode.ERROR, message: 'no such cart' })
child.end()
root.addEvent('cache miss', { 'cache.key': 'cart:7', size: 12 })
root.end()

const meter = metrics.getMeter('shop', '0.9.0')
meter.createCounter('orders', { unit: '{order}', description: 'orders placed' }).add(7, { region: 'eu' })
meter.createUpDownCounter('connections').add(-3)
meter.createGauge('temperature', { unit: 'Cel' }).record(21.5)
const histogram = meter.createHistogram('request.duration', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } })
const wait = meter.createHistogram('queue.wait', { unit: 's' })
for (const v of [0.05, 0.5, 0.5, 5, 50]) { histogram.record(v); wait.record(v) }

const logger = logs.getLogger('shop', '0.9.0')
logger.emit({
  severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: 'cart 7 not found',
  attributes: { 'cart.id': 7, retried: true }, context: inRoot,
})
logger.emit({ severityNumber: SeverityNumber.INFO, severityText: 'INFO', body: { action: 'retry', after: 2 } })

await traces.forceFlush()
await meters.forceFlush()
await logs.forceFlush()
await Promise.all([traces.shutdown(), meters.shutdown(), logs.shutdown()])
const id = (s) => s.spanContext().spanId
console.log(JSON.stringify({ traceId: root.spanContext().traceId, root: id(root), child: id(child), failures }))
