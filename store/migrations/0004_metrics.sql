-- One row a metric series: fingerprint = xxhash64 over name, type, temporality, unit, resource, scope and attributes.
CREATE TABLE IF NOT EXISTS {{table "metric_series"}}
(
    fingerprint UInt64,
    name        LowCardinality(String),
    type        SimpleAggregateFunction(max, LowCardinality(String)),      -- gauge sum histogram exponential_histogram summary
    temporality SimpleAggregateFunction(max, LowCardinality(String)),      -- '' delta cumulative
    monotonic   SimpleAggregateFunction(max, UInt8),
    unit        SimpleAggregateFunction(max, LowCardinality(String)),
    description SimpleAggregateFunction(max, String),
    service     SimpleAggregateFunction(max, LowCardinality(String)),
    resource    SimpleAggregateFunction(max, UInt64),
    scope       SimpleAggregateFunction(max, LowCardinality(String)),
    attributes  SimpleAggregateFunction(anyLast, Map(String, String)),
    first_seen  SimpleAggregateFunction(min, DateTime),
    last_seen   SimpleAggregateFunction(max, DateTime)
)
ENGINE = {{engine "AggregatingMergeTree"}}
ORDER BY (name, fingerprint)
TTL last_seen + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "metric_series" "fingerprint"}}

-- Every metric point is one row here. For a histogram or summary, value is its sum and the shape is in
-- metric_distributions under the same (series, ts). flags bit 0: no recorded value (stale marker).
CREATE TABLE IF NOT EXISTS {{table "metric_samples"}}
(
    name     LowCardinality(String) CODEC(ZSTD(1)),
    series   UInt64 CODEC(ZSTD(1)),
    ts       DateTime64(3) CODEC(DoubleDelta, ZSTD(1)),
    start_ts DateTime64(3) CODEC(DoubleDelta, ZSTD(1)),      -- 1970-01-01: unknown
    value    Float64 CODEC(Gorilla, ZSTD(1)),                -- bits exact
    flags    UInt8 CODEC(ZSTD(1))
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (name, series, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "metric_samples" "series"}}

-- Histograms, exponential histograms and summaries, kept as such.
-- histogram: bounds are the upper bounds, counts has one more (the last is +Inf).
-- exponential_histogram: scale, zero_count, zero_threshold, counts from positive_offset, negative_counts from negative_offset.
-- summary: bounds are quantiles 0..1, values their values.
CREATE TABLE IF NOT EXISTS {{table "metric_distributions"}}
(
    name     LowCardinality(String) CODEC(ZSTD(1)),
    series   UInt64 CODEC(ZSTD(1)),
    ts       DateTime64(3) CODEC(DoubleDelta, ZSTD(1)),
    start_ts DateTime64(3) CODEC(DoubleDelta, ZSTD(1)),
    count    UInt64 CODEC(ZSTD(1)),
    sum      Float64 CODEC(ZSTD(1)),
    min      Float64 CODEC(ZSTD(1)),                         -- NaN: not given
    max      Float64 CODEC(ZSTD(1)),
    bounds   Array(Float64) CODEC(ZSTD(1)),
    values   Array(Float64) CODEC(ZSTD(1)),
    counts   Array(UInt64) CODEC(ZSTD(1)),
    scale    Int8 CODEC(ZSTD(1)),
    zero_count UInt64 CODEC(ZSTD(1)),
    zero_threshold Float64 CODEC(ZSTD(1)),
    positive_offset Int32 CODEC(ZSTD(1)),
    negative_offset Int32 CODEC(ZSTD(1)),
    negative_counts Array(UInt64) CODEC(ZSTD(1)),
    flags    UInt8 CODEC(ZSTD(1))
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (name, series, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "metric_distributions" "series"}}

CREATE TABLE IF NOT EXISTS {{table "metric_exemplars"}}
(
    name     LowCardinality(String),
    series   UInt64,
    ts       DateTime64(3) CODEC(DoubleDelta, ZSTD(1)),
    value    Float64,
    trace_id FixedString(16),
    span_id  FixedString(8),
    attributes Map(LowCardinality(String), String)
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (name, series, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "metric_exemplars" "series"}}
