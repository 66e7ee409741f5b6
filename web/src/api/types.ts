// The JSON contract of Tidemark's HTTP API (base path /api/v1). The Go handlers in query/api answer in exactly these
// shapes; a Go test holds the OpenAPI document against the handlers.
//
// Conventions
// - Times in requests: `from`, `to` are RFC 3339, Unix milliseconds, or relative (`now`, `now-15m`). Default: the last 15 minutes.
// - Times in answers: Unix milliseconds (number), unless the name ends in _ns (string of Unix nanoseconds: exact).
// - Durations: nanoseconds (number), names end in _ns. Rates: per second. Ratios: 0..1.
// - Ids: lower-case hex.
// - Lists are never null. Missing numbers are null, never NaN.
// - Errors: RFC 9457 application/problem+json (Problem).
// - Every answer over time carries `range`; time series are columns aligned with `range`: index i is from_ms + i*step_ms.

export interface Problem { type: string; title: string; status: number; detail?: string; field?: string; request_id: string }

export interface Range {
  from_ms: number; to_ms: number     // aligned to the step
  step_ms: number                    // width of one point
  resolution: '10s' | '1m' | '1h' | 'raw' // the rollup that was read
  now_ms: number                     // server clock when answered
  complete_to_ms: number             // points from here on are still filling
}

// GET /status
export interface Status {
  version: string; now_ms: number; started_ms: number
  has_data: boolean                  // any span, log or metric stored (besides Tidemark's own)
  first_span_ms: number | null
  otlp_grpc: string; otlp_http: string // as a client on this machine would use: "127.0.0.1:4317", "http://127.0.0.1:4318"
  role: 'all' | 'ingest' | 'query'
  store: { ready: boolean; embedded: boolean; version: string; error: string | null }
  ingest_keys: { required: boolean; active: number }
  retention_days: Record<string, number>
  environments: string[]
}

// GET /settings/ingest-keys ; POST IngestKeyWish → IngestKeyMade ; POST /settings/ingest-keys/{id}/revoke|restore → IngestKey
export type KeySignal = 'traces' | 'metrics' | 'logs' | 'profiles'
export interface IngestKeysAnswer { keys: IngestKey[]; required: boolean; now_ms: number }
export interface IngestKey {
  id: string; name: string; state: 'active' | 'expired' | 'revoked'; signals: KeySignal[]
  items_per_second: number; bytes_per_second: number // 0: no limit
  created_ms: number; expires_ms: number | null; revoked_ms: number | null; last_use_ms: number | null
  requests: number; items: number; bytes: number; refused: Record<string, number> // requests by reason
}
export interface IngestKeyWish { name: string; signals: KeySignal[]; items_per_second: number; bytes_per_second: number; expires_ms: number | null }
export interface IngestKeyMade { key: IngestKey; secret: string }

export interface Red {               // over the whole range
  calls: number; rate: number; errors: number; error_ratio: number
  p50_ns: number | null; p95_ns: number | null; p99_ns: number | null; max_ns: number | null
}

// GET /services?from&to&env&q
export interface ServicesAnswer { range: Range; services: ServiceRow[] }
export interface ServiceRow extends Red {
  service: string; envs: string[]; versions: string[] /* newest first */; instances: number
  language: string                   // telemetry.sdk.language: go, nodejs, java, python, dotnet, … or ''
  sparkline: { rate: (number | null)[]; error_ratio: (number | null)[]; p95_ns: (number | null)[] } // ~40 points over the range
  last_seen_ms: number
  previous: Red | null               // the same span of time just before: for words such as "2.3x slower"
}

// GET /services/{service}?from&to&env   (404 Problem when never seen)
export interface ServiceAnswer {
  range: Range; service: string; envs: string[]; language: string
  total: Red; previous: Red | null
  instances: InstanceRow[]; versions: VersionRow[]
  resource: Record<string, string>   // attributes of the newest resource
}
export interface InstanceRow extends Red { instance: string; version: string; env: string; first_seen_ms: number; last_seen_ms: number }
export interface VersionRow extends Red { version: string; env: string; first_seen_ms: number; last_seen_ms: number }

// GET /services/{service}/operations?from&to&env&kind=entry|all   (kind=entry: server, consumer, root-like)
export interface OperationsAnswer { range: Range; operations: OperationRow[]; folded: boolean /* "(other)" present */ }
export interface OperationRow extends Red { name: string; kind: SpanKind; time_share: number /* of the service's summed duration, 0..1 */; sparkline: (number | null)[] /* rate */ }
export type SpanKind = 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'

// GET /services/{service}/dependencies?from&to&env
export interface DependenciesAnswer { range: Range; callers: EdgeRow[]; callees: EdgeRow[] }
export type NodeKind = 'service' | 'database' | 'messaging' | 'external'
export interface EdgeRow extends Red { source: string; source_kind: 'service' | 'messaging'; target: string; target_kind: NodeKind; target_system: string; time_share: number }

// GET /services/{service}/errors?from&to&env
export interface ErrorsAnswer { range: Range; groups: ErrorGroup[]; truncated: boolean }
export interface ErrorGroup { type: string; message: string; operation: string; count: number; first_seen_ms: number; last_seen_ms: number; trace_id: string; span_id: string }

// GET /red?from&to&service&operation&kind&env&version&instance&by=none|service|operation|version|instance&step
// Series of one selection. `service` empty: all services together (or one series each with by=service, at most 50 by calls).
export interface RedAnswer { range: Range; series: RedSeries[] }
export interface RedSeries {
  key: string                        // value of `by`, '' when by=none
  rate: (number | null)[]; error_ratio: (number | null)[]
  p50_ns: (number | null)[]; p95_ns: (number | null)[]; p99_ns: (number | null)[]
  total: Red
}

// GET /heatmap?from&to&service&operation&kind&env&version
export interface HeatmapAnswer {
  range: Range
  bounds_ns: number[]                // n+1 ascending edges of n latency rows
  cells: number[]                    // counts, column-major: cells[x*n + y]; x over time
  p50_ns: (number | null)[]; p95_ns: (number | null)[]; p99_ns: (number | null)[]
}

// GET /map?from&to&env&focus&depth
export interface MapAnswer { range: Range; nodes: MapNode[]; edges: EdgeRow[]; fresh_to_ms: number; sampled: boolean }
export interface MapNode extends Red { id: string; name: string; kind: NodeKind; system: string }

// ---- traces. q is the search language (see GET /traces/fields): terms joined by space (and), OR, -negation, ( ).
//   service:checkout name:"GET /x" kind:server status:error duration>500ms trace:HEX env:prod version:1.2 instance:pod-1
//   root:true  http.response.status_code>=500  url.path:/a/*  region:eu  has:db.statement  -status:error  "free text in the span name"
// GET /traces?q&from&to&limit=50&cursor&sort=newest|slowest
export interface TracesAnswer { range: Range; spans: SpanHit[]; next_cursor: string | null; scanned_to_ms: number; partial: boolean }
export interface SpanHit {           // the best matching span of a trace, one per trace; trace_* describe the whole
  trace_id: string; span_id: string; ts_ns: string; duration_ns: number
  service: string; name: string; kind: SpanKind; status: SpanStatus; status_message: string
  root_service: string; root_name: string; trace_start_ns: string; trace_duration_ns: number; trace_spans: number; trace_errors: number
  matched_spans: number
  attributes: Record<string, string> // a few telling ones: http.route, http.response.status_code, db.query.text …
}
export type SpanStatus = 'unset' | 'ok' | 'error'
// GET /traces/heatmap?q&from&to  → HeatmapAnswer of matching spans (raw; may be sampled: `sampled`)
export interface TraceHeatmapAnswer extends HeatmapAnswer { errors: number[] /* per column */; sampled: boolean }
// GET /traces/facets?q&from&to
export interface FacetsAnswer { facets: Facet[]; sampled: boolean; total: number }
export interface Facet { key: string; values: { value: string; count: number }[] }
// GET /traces/compare?q&from&to&sel_from&sel_to&min_ns&max_ns : what is over-represented inside the selection against the rest
export interface CompareAnswer { selected: number; baseline: number; rows: { key: string; value: string; selected_share: number; baseline_share: number; score: number }[] }

// GET /traces/{trace_id}   (404 Problem)
export interface TraceAnswer {
  trace_id: string; start_ns: string; end_ns: string; spans: Span[]; services: string[]
  truncated: boolean                 // more than 20,000 spans: the first by time
  resources: Record<string, Record<string, string>> // by fingerprint
  now_ms: number
}
export interface Span {
  span_id: string; parent_span_id: string /* '' for a root */; ts_ns: string; duration_ns: number
  service: string; name: string; kind: SpanKind; status: SpanStatus; status_message: string; scope: string; resource: string
  attributes: Attr[]; events: SpanEvent[]; links: SpanLink[]; dropped: { attributes: number; events: number; links: number }
}
export interface Attr { key: string; value: string; type: 'string' | 'bool' | 'int' | 'double' | 'json' | 'bytes' }
export interface SpanEvent { ts_ns: string; name: string; attributes: Record<string, unknown> }
export interface SpanLink { trace_id: string; span_id: string; attributes: Record<string, unknown> }
// GET /spans/usual?service&name&kind&duration_ns&env → where this duration stands among its kind in the last 24 h
export interface UsualAnswer { count: number; percentile: number | null /* 0..100: that share was quicker */; p50_ns: number | null; p95_ns: number | null; p99_ns: number | null }

// ---- logs. q as above with severity>=warn, service:, trace:, body text ("free words" match the body)
// GET /logs?q&from&to&limit=100&cursor&order=newest|oldest
export interface LogsAnswer { range: Range; logs: LogRecord[]; next_cursor: string | null; scanned_to_ms: number; partial: boolean }
export interface LogRecord {
  id: string; ts_ns: string; observed_ts_ns: string; service: string; severity: number; severity_text: string; body: string; event_name: string
  trace_id: string; span_id: string; scope: string; attributes: Attr[]; resource: Record<string, string>
}
// GET /logs/histogram?q&from&to
export interface LogHistogramAnswer { range: Range; series: { severity: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'unset'; counts: number[] }[]; sampled: boolean }
// GET /logs/facets?q&from&to → FacetsAnswer

// ---- search help
// GET /fields?signal=traces|logs|metrics&q=prefix            keys
export interface FieldsAnswer { fields: { key: string; kind: 'builtin' | 'attribute' | 'resource'; operators: string[]; description: string }[] }
// GET /fields/values?signal&key&q=prefix&from&to             values
export interface FieldValuesAnswer { values: { value: string; count: number | null }[]; more: boolean }

// ---- metrics
// GET /metrics?q&service&from&to
export interface MetricsAnswer { metrics: MetricInfo[]; more: boolean }
export interface MetricInfo {
  name: string; type: 'gauge' | 'sum' | 'histogram' | 'exponential_histogram' | 'summary'; unit: string; description: string
  temporality: '' | 'delta' | 'cumulative'; monotonic: boolean; series: number; services: string[]; labels: string[]; last_seen_ms: number
}
// GET /metrics/chart?name&from&to&agg=auto|avg|sum|min|max|rate|p50|p90|p95|p99|count&by=label,label&filter=k:v (repeatable)&limit=20
export interface MetricChartAnswer { range: Range; unit: string; agg: string; series: { labels: Record<string, string>; values: (number | null)[] }[]; more: number /* series not shown */ }

// GET /hosts?from&to : machines as hostmetrics tells them, at the end of the range; null: not told
export interface HostsAnswer { range: Range; hosts: Host[] }
export interface Host {
  host: string; os: string; cpus: number; cpu: number | null /* in use, 0..1, as memory and disk */
  memory: number | null; memory_used: number | null; memory_total: number | null; disk: number | null; disk_mount: string; load: number | null
  disk_read: number | null; disk_write: number | null; receive: number | null; transmit: number | null // bytes per second
  services: { service: string; instances: number }[]; last_seen_ms: number
}

// ---- incidents: times are RFC 3339 here. Values are in `unit`: "ns" (latency), "1" (ratios 0..1), "/s" (rates), else a metric's own
export type Severity = 'critical' | 'warning' | 'info'
export type Symptom = 'latency' | 'errors' | 'traffic' | 'saturation' | 'cpu' | 'alloc' /* a function's cost a request */ | 'code' /* of root causes */
export interface Subject {           // empty fields play no part
  env?: string; service: string; operation?: string; span_kind?: string; peer?: string; peer_kind?: string
  version?: string; instance?: string; metric?: string; label?: string /* the metric's pool, queue group or cache */; rule?: string
  function?: string
}
export interface Alarm {
  id: string; subject: Subject; symptom: Symptom; channel: string; began: string; detected: string; ended: string /* year 1 while it lasts */
  unit: string; observed: number; expected: number; lower: number; upper: number
  score: number; once_in_days: number; sample: number; history_days: number; paging: boolean
  what?: string /* of a watched metric, in words: "memory", "connections in use of pool orders" */
  code?: CodeChange                  // of alarms about a function
  name?: string; severity?: Severity; labels?: Record<string, string> | null
}
/** What profiles say of a function that cost is newly spent in: ns of CPU or bytes allocated a request, else the share of all that the service took. */
export interface CodeChange {
  function: { name: string; file?: string; line?: number }; caller?: string; cost: 'cpu' | 'alloc'; type: string /* of the profiles */
  version?: string; previous?: string /* compared with; '' the same one before */; deployed: boolean /* it came with version */; beside: boolean /* both ran in the same minutes */
  per_request: boolean; now: number; was: number; rise: number /* newly spent */; share: number /* of what the service took before */
  service_now: number; service_was: number; per_day: number /* CPU seconds or bytes more a day; 0: not known */; samples: [number, number]
  confidence: number; new: boolean; since: string; from: string; to: string; base_from: string; base_to: string
}
export interface Incident {
  id: string; status: 'open' | 'resolved'; severity: Severity; title: string
  started_at: string; detected_at: string; resolved_at: string | null; updated_at: string
  env?: string; services: string[]; root_causes: RootCause[]; alarms?: Alarm[] /* likely cause first */
  affected?: number /* share of the entry point's requests */; requests?: number; flaps?: number; summary?: string
}
export interface RootCause {
  rank: number; service: string; operation: string; kind: Symptom
  attribute: { key: string; value: string } | null; version: string | null; function: string | null
  confidence: number; summary: string; evidence: Evidence[]
}
export interface Evidence { type: 'trace' | 'series' | 'attribute' | 'deployment' | 'profile' | 'log'; link: string; text?: string }
// GET /incidents?from&to&status&service&severity&limit&cursor ; live kind "incidents": the open ones, whole
export interface IncidentsAnswer { incidents: Incident[]; next: string }
// GET /incidents/{id}
export interface IncidentAnswer {
  incident: Incident; events: IncidentEvent[]; series: AffectedSeries[]; deployments: Deployment[]; restarts?: Restart[]
  logs: LogRecord[]; traces: { failing: SpanHit[]; slowest: SpanHit[] }
}
export interface IncidentEvent { ts: string; kind: string /* opened, updated, note, acknowledged, muted, normal, notified, resolved … */; text: string; body: unknown }
export interface AffectedSeries {
  subject: Subject; symptom: Symptom; what?: string; unit: string; ts: number[]; value: (number | null)[]
  expected: (number | null)[]; lower: (number | null)[]; upper: (number | null)[]; began: string; ended: string | null
}
export interface Deployment { ts: string; service: string; env: string; version: string; previous: string; source: 'noticed' | 'posted'; text: string; link: string }
export interface Restart { ts: string; service: string; env: string; version: string; instances: number }
// GET /deployments?from&to&service&env
export interface DeploymentsAnswer { deployments: Deployment[] }
// GET /bands?service&operation&span_kind&symptom&from&to&step ; symptom cpu|alloc with function (and file, version): a function's cost a request, with its values ; with metric (and label, peer) of a watched metric, then with its values
export interface BandsAnswer {
  unit: string; ts: number[]; value: (number | null)[]; expected: (number | null)[]; lower: (number | null)[]; upper: (number | null)[]; history_days: number
  incidents: { id: string; title: string; from: string; to: string | null; severity: Severity }[]
  deployments: { ts: string; version: string; service: string }[]
}
// GET /services/{service}/watched?env: the metrics it is known by
export interface WatchedAnswer { metrics: WatchedMetric[] }
export interface WatchedMetric { env: string; metric: string; label: string; peer: string; what: string; unit: string; history_days: number }
// GET/POST /mutes, DELETE /mutes/{id}
export interface Mute { id: string; subject: { service: string; operation?: string; symptom?: Symptom }; until: string | null; reason: string; created_at?: string }
export interface MutesAnswer { mutes: Mute[] }
// GET /normal: what POST /incidents/{id}/normal has taught, until DELETE takes it back
export interface Learned { incident: string; alarms: Alarm[]; at: string }
export interface NormalAnswer { normal: Learned[] }
// GET /detection
export interface DetectionState {
  learned: boolean /* history has been read */; leads: boolean /* this process opens incidents */; series: number; calls: number; metrics: number
  ready: number /* series known long enough to be judged */; history_days: number; silent: SilentService[]
}
/** A service that usually gets requests and sends no spans: it lives and gets none, or nothing of it is heard. */
export interface SilentService { env: string; service: string; state: 'no_data' | 'no_traffic'; since: string }
// GET/PUT /sensitivity: budgets are expected false alarms a day
export interface Sensitivity { default: number; overrides: { service: string; operation?: string; budget: number }[] }
// POST /backtest {from, to, sensitivity?} → {incidents}; as text/event-stream: progress {done}, result, error

// ---- notifications
export interface ChannelField { name: string; label: string; help: string; secret: boolean; required: boolean; default: string; options: string[] }
export interface ChannelKind { type: string; label: string; image: boolean; fields: ChannelField[] }
export interface Channel { id: string; name: string; type: string; enabled: boolean; fields: Record<string, string> /* secrets shortened */; problem?: string /* why nothing can be sent */; created_at: string; updated_at: string }
// GET /channels
export interface ChannelsAnswer { channels: Channel[]; kinds: ChannelKind[] }
// GET /deliveries?incident&limit
export interface Delivery {
  id: string; channel: string; incident: string; state: 'firing' | 'updated' | 'repeated' | 'resolved' | 'test'
  status: 'pending' | 'delivered' | 'failed' | 'suppressed'; attempts: number; answer: string; next_try: string; created_at: string; updated_at: string; title: string
}
export interface DeliveriesAnswer { deliveries: Delivery[] }

// POST /channels/{id}/test
export interface TestAnswer { ok: boolean; code: number /* HTTP or SMTP status, 0 without an answer */; text: string /* what the receiver said */ }
// GET/PUT /routing: the routes are tried in their order
export interface Routing { routes: Route[]; inhibit: Inhibition[]; zone: string /* of the times in messages; '': UTC */ }
export interface Match { services: string[] /* names or patterns such as pay*; empty: all */; severities: Severity[]; envs: string[] }
export interface Route {
  name: string; match: Match; times: TimeWindow[] /* only then; empty: always */; channels: string[] /* ids; "*" is every enabled one */; continue: boolean
  group_wait_seconds: number; repeat_minutes: number /* 0: never */; skip_resolved: boolean
}
export interface Inhibition { source: Match; target: Match; equal: ('service' | 'env')[] } // target is held back while source is open
export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun'
export interface TimeWindow { days: Weekday[] /* empty: every day */; from: string /* "22:00"; '': 00:00 */; to: string /* '': 24:00 */; zone: string /* '': UTC */ }
// GET/POST /silences, PUT/DELETE /silences/{id}: nothing is told; with `every` it is a maintenance window
export interface Silence {
  id: string; comment: string; match: Match; incidents: string[] /* only these; empty: all that match */
  starts_at: string; ends_at: string | null; every: TimeWindow | null; created_at: string; updated_at: string; active: boolean
}
export interface SilencesAnswer { silences: Silence[] }

// ---- rules and objectives that people write. Durations in seconds; values in the unit of what is measured
// GET/POST /rules, GET/PUT/DELETE /rules/{id}
export interface Rule {
  id: string; name: string; enabled: boolean; severity: Severity
  signal: 'red' | 'metric' | 'logs'
  service: string; operation: string; env: string; measure: 'rate' | 'error_ratio' | 'latency'; quantile: number   // red
  metric: string; agg: string; filter: string[]                                                                    // metric
  query: string                                                                                                    // logs: records that match, counted
  window_s: number; operator: '>' | '>=' | '<' | '<='; threshold: number; recovery: number | null
  for_s: number; keep_firing_s: number; min_traffic: number; no_data: 'ok' | 'firing' | 'keep'
  labels: Record<string, string>
  state?: RuleState
}
export interface RuleState { status: 'ok' | 'pending' | 'firing' | 'no_data' | 'failed'; value: number | null; since: string | null; error: string; unit: string }
export interface RulesAnswer { rules: Rule[] }
// POST /rules/preview {rule, from, to}
export interface RulePreview { unit: string; ts: number[]; value: (number | null)[]; firing: { from: string; to: string | null }[] }
// GET/POST /slos, GET/PUT/DELETE /slos/{id}
export interface Objective {
  id: string; name: string; enabled: boolean; service: string; operation: string; env: string
  kind: 'availability' | 'latency'; slower_than_ms: number; target: number /* 0..1 */; window_days: number; severity?: Severity; labels: Record<string, string>
  state?: ObjectiveState
}
export interface ObjectiveState {
  total: number; bad: number; ratio: number | null; budget_left: number | null /* share, negative when overspent */
  burn: { name: string; long_s: number; short_s: number; factor: number; long: number | null; short: number | null; firing: boolean }[]
}
export interface ObjectivesAnswer { slos: Objective[] }
// POST /slos/preview {slo, from, to}
export interface ObjectivePreview { ts: number[]; ratio: (number | null)[]; budget_left: (number | null)[]; firing: { from: string; to: string | null; name: string }[]; state: ObjectiveState }

// ---- settings and state
// GET /settings/retention ; PUT the same shape (days per signal) → RetentionAnswer
export interface RetentionAnswer { signals: { signal: 'traces' | 'logs' | 'metrics' | 'profiles' | 'rollup_10s' | 'rollup_1m' | 'rollup_1h' | 'rollup_profiles'; days: number; min_days: number; max_days: number; description: string }[] }
// GET /storage
export interface StorageAnswer { tables: { table: string; signal: string; rows: number; bytes: number; oldest_ms: number | null; newest_ms: number | null }[]; disk_free_bytes: number | null; disk_total_bytes: number | null }
// GET /ingest   (404 when this process has no ingest role): counts since its start, rates over the last 10 to 15 s,
// quantiles over the last one to two minutes
export interface Quantiles { p50_ms: number; p95_ms: number; p99_ms: number }
export interface IngestAnswer {
  now_ms: number; started_ms: number
  signals: {
    signal: 'traces' | 'logs' | 'metrics' | 'profiles'
    requests: number; accepted: number; per_second: number; bytes: number; bytes_per_second: number
    rejected: number /* items */; refused: number /* requests */; duplicates: number
    ack_p50_ms: number | null; ack_p95_ms: number | null; ack_p99_ms: number | null
  }[]
  services: { service: string; signal: string; accepted: number; per_second: number; bytes: number; bytes_per_second: number }[]
  problems: {
    kind: 'rejected' | 'refused' | 'truncated' | 'folded' | 'repeated' | 'set aside'
    signal: string; reason: string; count: number; last_ms: number; service: string; example: string; meaning: string; fix: string
  }[]
  spool: { batches: number; bytes: number; max_bytes: number; oldest_ms: number | null; spooled: number; replayed: number; quarantined: number; set_aside: number; errors: number }
  in_flight_bytes: number; in_flight_max_bytes: number
  flushes: {
    count: number; rows: number /* of the newest */; newest_ms: number | null /* how long its inserts took */
    per_minute: number; rows_p50: number; rows_max: number; bytes_p50: number; bytes_max: number; took: Quantiles | null
  }
  lag_ms: number | null              // newest span's start → stored, of the newest batch
  visible: Quantiles | null          // end of spans → visible
  commit: Quantiles | null           // receipt of a batch's first request → visible
  storing: boolean                   // ClickHouse takes batches at once
  insert_errors: { table: string; count: number }[]
  last_error: string
  clocks: { service: string; instance: string; offset_ms: number /* ahead of ours */; spans: number; rejected: number; last_ms: number }[]
  engine: { restarts: number; rss_bytes: number | null } | null
}
// GET /ingest/history   the last quarter of an hour, oldest first
export interface IngestHistory {
  start_ms: number; step_ms: number
  signals: Record<string, { items_per_s: number[]; bytes_per_s: number[]; refused_per_s: number[]; ack_p99_ms: number[] }>
  lag_p95_ms: number[]; spool_bytes: number[]; in_flight_bytes: number[]
}
// GET /ingest/cardinality   those beyond their caps first, then the nearest to them
export interface Cardinality { name: string; signal: string /* of a key */; kept: number; cap: number; beyond: number /* distinct, about */; times: number; sample: string[]; last: string }
export interface CardinalityAnswer { caps: Caps; operations: Cardinality[]; series: Cardinality[]; values: Cardinality[] }
// GET /settings/caps ; PUT a Caps, where 0 stands for what is configured → CapsAnswer
export interface Caps { operations: number; series: number; values: number; operations_of: Record<string, number>; series_of: Record<string, number>; values_of: Record<string, number> }
export interface CapsAnswer { caps: Caps; configured: Caps; max: Caps }

// ---- profiles (the answers about flame graphs and comparisons are in profiles.ts)
// GET /profiles/targets ; POST /profiles/targets a ProfileTargetWish → ProfileTarget ; PUT, DELETE /profiles/targets/{id}
export interface ProfileTargetsAnswer { targets: ProfileTarget[]; types: string[] /* that can be asked for */; allow: string /* --scrape-allow */ }
export interface ProfileTarget {
  id: string
  source: 'api' | 'configuration' | 'self' // only those of the API can be changed here
  service: string; url: string; types: string[]; labels: Record<string, string>
  interval_s: number; timeout_s: number; cpu_s: number; paused: boolean
  auth: { kind: 'none' | 'basic' | 'bearer'; username: string; has_secret: boolean }
  tls: { ca: string; cert: string; has_key: boolean; server_name: string; insecure: boolean }
  problem: string                    // why it cannot be fetched from at all: its secrets cannot be read; else ''
  by: string                         // the process that fetches from it, where that is not this one; else ''
  last_ms: number /* 0 before the first attempt */; next_ms: number /* 0: not planned */; took_ms: number /* without the CPU profile's own time */
  profiles: number; bytes: number; last_bytes: number; failures: number; last_error: string // '' if the last attempt went well
}
export interface ProfileTargetWish {  // absent: the default; secrets left empty stay as they are
  service: string; url: string; types?: string[]; labels?: Record<string, string>
  interval_s?: number; timeout_s?: number; cpu_s?: number; paused?: boolean
  auth?: { kind: 'none' | 'basic' | 'bearer'; username?: string; password?: string; token?: string }
  tls?: { ca?: string /* PEM */; cert?: string; key?: string; server_name?: string; insecure?: boolean }
}
// POST /profiles/targets/test {id?, target} → what came, nothing of which is kept; with an id its stored secrets are used where they are left empty
export interface TargetTrial { ok: boolean; profiles: { type: string; sample_types: string[]; samples: number; bytes: number; took_ms: number; error: string }[] }
export interface ProfileChoiceOf { service: string; type: string; sample_type: string; version: string; instance: string; label: string[] }
// GET /profiles/span?trace_id&span_id&type
export interface SpanProfileAnswer {
  found: boolean
  exact: boolean                     // samples carry this span's id: nothing else is in it
  by: 'span_id' | 'trace_id' | 'endpoint' | 'minute' | ''
  sentence: string                   // what it is, honestly, as shown to a person
  choice: ProfileChoiceOf; from_ms: number; to_ms: number // what to ask /profiles/flamegraph for
  total: number; unit: string; profiles: number
}
// GET /profiles/operations?service&type&…&function&file
export interface FrameOperationsAnswer {
  range: Range; function: string; sample_type: string; unit: string
  by: 'endpoint' | 'span_id' | 'trace_id' | 'traffic' | ''; sentence: string
  total: number                      // the function with what it calls, in the selection
  labelled: number                   // how much of it has labels
  operations: FrameOperation[]
}
export interface FrameOperation {
  service: string; name: string; kind: string
  value: number | null; share: number | null // of total; null where only the traffic is known
  requests: number; p95_ns: number | null
}
// GET /profiles/graph?service&type&…&nodecount&nodefraction&edgefraction&focus&ignore
export interface ProfileGraphAnswer {
  range: Range; sample_type: string; unit: string; momentary: boolean; profiles: number; total: number
  node_cutoff: number; edge_cutoff: number; dropped_nodes: number; dropped_edges: number
  nodes: { function: string; package: string; file: string; line: number; flat: number; cum: number }[] // pprof's order
  edges: { from: number; to: number; value: number; residual: boolean; inline: boolean }[] // index in nodes, caller → callee
}

// ---- live: websocket GET /live, JSON text frames
// client → server
export type LiveRequest =
  | { op: 'subscribe'; id: string; query: LiveQuery; from: string /* relative or ms */; resume_ms?: number /* complete_to_ms already held */ }
  | { op: 'unsubscribe'; id: string }
  | { op: 'pause' } | { op: 'resume' }
export type LiveQuery =
  | { kind: 'red'; service?: string; operation?: string; span_kind?: string; env?: string; by?: string; version?: string; instance?: string }
  | { kind: 'heatmap'; service?: string; operation?: string; env?: string }
  | { kind: 'services'; env?: string; window_ms: number }
  | { kind: 'metric'; name: string; agg?: string; by?: string; filter?: string[] }
  | { kind: 'logs'; q?: string }     // newest records, tail
  | { kind: 'map'; env?: string; window_ms: number }
  | { kind: 'profile_series'; service: string; type: string; sample_type?: string; version?: string; instance?: string; env?: string; label?: string[]; members?: number; by?: string } // whole
  | { kind: 'promql'; exprs: string[]; instant?: boolean } // as GET /promql (dashboards.ts); updates of charts are the steps that may have changed
  | { kind: 'incidents' }            // the open ones, as GET /incidents?status=open
  | { kind: 'status' }               // has_data and ingest rates; every 2 s
// server → client
export type LiveFrame =
  // `snapshot` answers a subscribe with the full answer of the matching GET; `update` has the same shape but its range
  // covers only the steps that may have changed: replace those columns. services/map/status updates are whole.
  | { op: 'snapshot' | 'update'; id: string; seq: number; data: unknown; sent_ms: number; data_ms: number /* newest data seen, server clock */; skipped: number /* frames skipped because this viewer was slow */ }
  | { op: 'error'; id: string; problem: Problem }
  | { op: 'hello'; now_ms: number; tick_ms: number; session: string }
