-- Log records. ts is the record's time, else its observed time.
CREATE TABLE IF NOT EXISTS {{table "logs"}}
(
    ts              DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    observed_ts     DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    service         LowCardinality(String) CODEC(ZSTD(1)),
    severity        UInt8 CODEC(ZSTD(1)),                       -- OpenTelemetry severity number 0..24
    severity_text   LowCardinality(String) CODEC(ZSTD(1)),
    body            String CODEC(ZSTD(1)),                      -- structured bodies as JSON
    event_name      LowCardinality(String) CODEC(ZSTD(1)),
    trace_id        FixedString(16) CODEC(ZSTD(1)),             -- zero bytes: none
    span_id         FixedString(8)  CODEC(ZSTD(1)),
    flags           UInt32 CODEC(ZSTD(1)),
    resource        UInt64 CODEC(ZSTD(1)),
    scope           LowCardinality(String) CODEC(ZSTD(1)),
    `attr.key`      Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `attr.value`    Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `attr.type`     Array(UInt8)  CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    INDEX attr_value_bloom `attr.value` TYPE bloom_filter(0.001) GRANULARITY 1,          -- as in spans
    INDEX body_text lower(body) TYPE text(tokenizer = 'splitByNonAlpha'),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (toStartOfFifteenMinutes(toDateTime(ts)), service, ts)
TTL toDateTime(ts) + INTERVAL 15 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "logs" "cityHash64(service)"}}
