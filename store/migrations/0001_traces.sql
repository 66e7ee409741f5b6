-- Resources: the entity that sent a signal, stored once per distinct attribute set.
-- fingerprint = xxhash64 over service and sorted attributes; every signal refers to it.
CREATE TABLE IF NOT EXISTS {{table "resources"}}
(
    fingerprint  UInt64,
    service      SimpleAggregateFunction(max, LowCardinality(String)),
    env          SimpleAggregateFunction(max, LowCardinality(String)),   -- deployment.environment.name
    version      SimpleAggregateFunction(max, LowCardinality(String)),   -- service.version
    instance     SimpleAggregateFunction(max, String),                   -- service.instance.id, else host.name/k8s.pod.name
    attributes   SimpleAggregateFunction(anyLast, Map(String, String)),
    first_seen   SimpleAggregateFunction(min, DateTime),
    last_seen    SimpleAggregateFunction(max, DateTime)
)
ENGINE = {{engine "AggregatingMergeTree"}}
ORDER BY fingerprint
TTL last_seen + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "resources" "fingerprint"}}

-- Spans. Attributes are three parallel arrays; attr.type is 0 string, 1 bool, 2 int, 3 double, 4 JSON (array or
-- map), 5 bytes (base64). Attribute equality is
--     has(attr.value, 'v') AND attr.value[indexOf(attr.key, 'k')] = 'v'
-- (parameters bound; never for v = ''): the bloom filter over the values skips granules, the second half is exact.
-- Measured on two million spans of ten attributes, one thread, writing the column and its index: a text index over
-- every pair +900 ns a row and 12-17 bytes; a bloom filter over hashed pairs +460 ns; this one +55 ns and under 1 byte.
-- Values are LowCardinality because most repeat: 250 ns and 4.7 bytes a row against 490 ns and 12.5 bytes as plain
-- strings; it costs more than plain strings (up to 2.8 times) only where nearly every value is unique.
-- The name is not part of the order: with it, half a second of a busy minute reads a third of the minute (every name's
-- granules span all of the time), without it about the half second, for 2 bytes a span more.
CREATE TABLE IF NOT EXISTS {{table "spans"}}
(
    ts              DateTime64(9) CODEC(Delta(8), ZSTD(1)),   -- start
    duration_ns     UInt64        CODEC(ZSTD(1)),
    trace_id        FixedString(16) CODEC(NONE),
    span_id         FixedString(8)  CODEC(NONE),
    parent_span_id  FixedString(8)  CODEC(NONE),                -- zero bytes: a root
    trace_state     String CODEC(ZSTD(1)),
    flags           UInt32 CODEC(ZSTD(1)),
    service         LowCardinality(String) CODEC(ZSTD(1)),
    name            LowCardinality(String) CODEC(ZSTD(1)),
    kind            Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5) CODEC(ZSTD(1)),
    status          Enum8('unset' = 0, 'ok' = 1, 'error' = 2) CODEC(ZSTD(1)),
    status_message  String CODEC(ZSTD(1)),
    resource        UInt64 CODEC(ZSTD(1)),                      -- resources.fingerprint
    scope           LowCardinality(String) CODEC(ZSTD(1)),      -- name@version
    `attr.key`      Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `attr.value`    Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `attr.type`     Array(UInt8)  CODEC(ZSTD(1)),
    `event.ts`      Array(DateTime64(9)) CODEC(ZSTD(1)),
    `event.name`    Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `event.attributes` Array(String) CODEC(ZSTD(1)),            -- one JSON object an event
    `link.trace_id` Array(FixedString(16)) CODEC(ZSTD(1)),
    `link.span_id`  Array(FixedString(8))  CODEC(ZSTD(1)),
    `link.attributes` Array(String) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),                   -- by the SDK and by our limits
    dropped_events  UInt32 CODEC(ZSTD(1)),
    dropped_links   UInt32 CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX attr_value_bloom `attr.value` TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (toStartOfFifteenMinutes(toDateTime(ts)), service, ts)
TTL toDateTime(ts) + INTERVAL 15 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "spans" "cityHash64(trace_id)"}}

-- One row a trace (after merging): find a trace by id without knowing its time, and list traces.
CREATE TABLE IF NOT EXISTS {{table "trace_index"}}
(
    trace_id     FixedString(16) CODEC(NONE),
    day          Date,
    start        SimpleAggregateFunction(min, DateTime64(9)) CODEC(ZSTD(1)),
    end          SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1)),
    root_service SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),  -- '' until the root came
    root_name    SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    spans        SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    errors       SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY day
ORDER BY trace_id
TTL day + INTERVAL 15 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 4096, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "trace_index" "cityHash64(trace_id)"}}

-- Bounded autocomplete: attribute values seen, by signal. Ingest writes each at most once an hour.
CREATE TABLE IF NOT EXISTS {{table "attribute_values"}}
(
    signal     LowCardinality(String),      -- traces, logs, metrics, resource
    key        LowCardinality(String),
    value      String,                      -- '' stands for "seen with more values than the cap"
    last_seen  SimpleAggregateFunction(max, DateTime)
)
ENGINE = {{engine "AggregatingMergeTree"}}
ORDER BY (signal, key, value)
TTL last_seen + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "attribute_values" "cityHash64(key)"}}
