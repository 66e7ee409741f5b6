-- Profiles. A stack is stored once a service, as the hashes of its locations from the root to the leaf, and a location
-- once, with its functions, files and lines (inlined ones first); samples refer to stacks. Content hashes (xxhash64)
-- identify all of them; addresses are relative to their mapping, so that a binary loaded elsewhere is the same.
--
-- One profile has up to four values a sample (a profile of more sample types is stored as several). value1..4 are as
-- reported; where they count since the process began (cumulative), increase1..4 are what they grew by since the same
-- process's profile before. sample_types names them: 'samples/count,cpu/nanoseconds'.
CREATE TABLE IF NOT EXISTS {{table "profiles"}}
(
    ts           DateTime64(9) CODEC(Delta(8), ZSTD(1)),        -- start
    duration_ns  UInt64 CODEC(ZSTD(1)),                         -- 0: a moment
    service      LowCardinality(String) CODEC(ZSTD(1)),
    type         LowCardinality(String) CODEC(ZSTD(1)),         -- cpu, heap, goroutine, mutex, block, …
    sample_types LowCardinality(String) CODEC(ZSTD(1)),
    resource     UInt64 CODEC(ZSTD(1)),                         -- resources.fingerprint
    cumulative   Bool CODEC(ZSTD(1)),
    source       LowCardinality(String) CODEC(ZSTD(1)),         -- push, pyroscope, otlp, scrape
    period_type  LowCardinality(String) CODEC(ZSTD(1)),
    period       Int64 CODEC(ZSTD(1)),
    default_sample_type LowCardinality(String) CODEC(ZSTD(1)),
    drop_frames  String CODEC(ZSTD(1)),
    keep_frames  String CODEC(ZSTD(1)),
    doc_url      String CODEC(ZSTD(1)),
    comments     Array(String) CODEC(ZSTD(1)),
    mapping      UInt64 CODEC(ZSTD(1)),                         -- profile_mappings.hash of the main binary
    samples      UInt32 CODEC(ZSTD(1)),
    bytes        UInt32 CODEC(ZSTD(1)),                         -- of the pprof encoding, uncompressed
    totals       Array(Int64) CODEC(ZSTD(1))                    -- by value; of the increases where cumulative
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (service, type, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '';
{{distributed "profiles" "cityHash64(service)"}}

CREATE TABLE IF NOT EXISTS {{table "profile_samples"}}
(
    ts           DateTime CODEC(ZSTD(1)),                       -- its profile's start
    service      LowCardinality(String) CODEC(ZSTD(1)),
    type         LowCardinality(String) CODEC(ZSTD(1)),
    sample_types LowCardinality(String) CODEC(ZSTD(1)),
    resource     UInt64 CODEC(ZSTD(1)),
    stack        UInt64 CODEC(ZSTD(1)),                         -- profile_stacks.hash
    {{range $i := list "1" "2" "3" "4"}}
    value{{$i}}    Int64 CODEC(ZSTD(1)),
    increase{{$i}} Int64 CODEC(ZSTD(1)),
    {{end}}
    `label.key`   Array(LowCardinality(String)) CODEC(LZ4),
    `label.value` Array(String) CODEC(ZSTD(1)),
    `label.unit`  Array(LowCardinality(String)) CODEC(LZ4),
    `label.type`  Array(UInt8) CODEC(LZ4),                      -- 0 text, 2 integer
    INDEX label_bloom `label.value` TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (toStartOfHour(ts), service, type, stack, ts)
TTL ts + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '',
    min_parts_to_merge_at_once = 16, merge_max_block_size = 65536;
{{distributed "profile_samples" "cityHash64(service)"}}

-- The same by the hour, for ranges of days: without labels.
CREATE TABLE IF NOT EXISTS {{table "profile_samples_1h"}}
(
    ts           DateTime CODEC(ZSTD(1)),
    service      LowCardinality(String) CODEC(ZSTD(1)),
    type         LowCardinality(String) CODEC(ZSTD(1)),
    sample_types LowCardinality(String) CODEC(ZSTD(1)),
    resource     UInt64 CODEC(ZSTD(1)),
    stack        UInt64 CODEC(ZSTD(1)),
    {{range $i := list "1" "2" "3"}}
    value{{$i}}    SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    increase{{$i}} SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    {{end}}
    value4       SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    increase4    SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1))
)
ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY toYYYYMM(ts)
ORDER BY (service, type, toStartOfDay(ts), stack, sample_types, resource, ts)
TTL ts + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '';
{{distributed "profile_samples_1h" "cityHash64(service)"}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{view "profile_samples_1h_mv"}} TO {{local "profile_samples_1h"}} AS
SELECT toStartOfHour(s.ts) AS ts, service, type, sample_types, resource, stack,
       sum(s.value1) AS value1, sum(s.value2) AS value2, sum(s.value3) AS value3, sum(s.value4) AS value4,
       sum(s.increase1) AS increase1, sum(s.increase2) AS increase2, sum(s.increase3) AS increase3, sum(s.increase4) AS increase4
FROM {{local "profile_samples"}} AS s
GROUP BY ts, service, type, sample_types, resource, stack;

-- Ordered by the locations from the root, neighbours share most of their bytes.
CREATE TABLE IF NOT EXISTS {{table "profile_stacks"}}
(
    service   LowCardinality(String) CODEC(ZSTD(1)),
    hash      UInt64 CODEC(NONE),
    locations Array(UInt64) CODEC(ZSTD(3)),
    last_seen DateTime CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "last_seen"}}
PRIMARY KEY service
ORDER BY (service, locations)
TTL last_seen + INTERVAL 401 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '';
{{distributed "profile_stacks" "cityHash64(service)"}}

CREATE TABLE IF NOT EXISTS {{table "profile_locations"}}
(
    service   LowCardinality(String) CODEC(ZSTD(1)),
    hash      UInt64 CODEC(NONE),
    mapping   UInt64 CODEC(ZSTD(1)),                            -- profile_mappings.hash, 0 without
    address   UInt64 CODEC(ZSTD(1)),                            -- from the start of the mapping
    folded    Bool CODEC(ZSTD(1)),
    `line.function`    Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `line.system_name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `line.file`        Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `line.start`       Array(Int64) CODEC(ZSTD(1)),             -- of the function
    `line.line`        Array(Int64) CODEC(ZSTD(1)),
    `line.column`      Array(Int64) CODEC(ZSTD(1)),
    last_seen DateTime CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "last_seen"}}
PRIMARY KEY service
ORDER BY (service, mapping, address, hash)
TTL last_seen + INTERVAL 401 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '';
{{distributed "profile_locations" "cityHash64(service)"}}

CREATE TABLE IF NOT EXISTS {{table "profile_mappings"}}
(
    hash      UInt64,
    start     UInt64,
    limit     UInt64,
    offset    UInt64,
    file      String,
    build_id  String,
    flags     UInt8,                                            -- 1 functions, 2 file names, 4 line numbers, 8 inlined frames
    last_seen DateTime
)
ENGINE = {{engine "ReplacingMergeTree" "last_seen"}}
ORDER BY hash
TTL last_seen + INTERVAL 401 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '';
{{distributed "profile_mappings" "hash"}}
