-- A row a sample cost the engine 17 µs each, most of it merges and the rollup. A row now holds the samples of one
-- profile that have the same labels, which is all of them where there are none: two thousand stacks are one row, which
-- costs as little as its bytes. Samples of before are given up.
DROP VIEW IF EXISTS {{view "profile_samples_1h_mv"}};
DROP TABLE IF EXISTS {{view "profile_samples_1h"}};
DROP TABLE IF EXISTS {{table "profile_samples_1h"}};
DROP TABLE IF EXISTS {{view "profile_samples"}};
DROP TABLE IF EXISTS {{table "profile_samples"}};
TRUNCATE TABLE IF EXISTS {{table "profiles"}};

-- stacks are in order of their hashes; values1..4 are parallel to them, or empty where the profile has fewer sample
-- types; increases1..4 likewise, and empty where values are not cumulative. See 0008 for what they mean.
CREATE TABLE IF NOT EXISTS {{table "profile_values"}}
(
    ts           DateTime CODEC(Delta(4), ZSTD(1)),             -- its profile's start
    service      LowCardinality(String) CODEC(ZSTD(1)),
    type         LowCardinality(String) CODEC(ZSTD(1)),
    sample_types LowCardinality(String) CODEC(ZSTD(1)),
    resource     UInt64 CODEC(ZSTD(1)),
    stacks       Array(UInt64) CODEC(ZSTD(1)),                  -- profile_stacks.hash
    {{range $i := list "1" "2" "3" "4"}}
    values{{$i}}    Array(Int64) CODEC(ZSTD(1)),
    increases{{$i}} Array(Int64) CODEC(ZSTD(1)),
    {{end}}
    `label.key`   Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `label.value` Array(String) CODEC(ZSTD(1)),
    `label.unit`  Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `label.type`  Array(UInt8) CODEC(ZSTD(1)),                  -- 0 text, 2 integer
    INDEX label_bloom `label.value` TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(ts)
ORDER BY (service, type, toStartOfHour(ts), resource, ts)
TTL ts + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '',
    min_parts_to_merge_at_once = 8, merge_max_block_size = 1024;
{{distributed "profile_values" "cityHash64(service)"}}

-- The same added up by the hour and by the day, for ranges of days, without labels: written when an hour or a day is
-- over, and again when profiles of it come late. The row of the most profiles counts.
CREATE TABLE IF NOT EXISTS {{table "profile_rollups"}}
(
    span         UInt32 CODEC(ZSTD(1)),                         -- seconds: 3600 or 86400
    ts           DateTime CODEC(Delta(4), ZSTD(1)),
    service      LowCardinality(String) CODEC(ZSTD(1)),
    type         LowCardinality(String) CODEC(ZSTD(1)),
    sample_types LowCardinality(String) CODEC(ZSTD(1)),
    resource     UInt64 CODEC(ZSTD(1)),
    profiles     UInt32 CODEC(ZSTD(1)),
    stacks       Array(UInt64) CODEC(ZSTD(1)),
    {{range $i := list "1" "2" "3" "4"}}
    values{{$i}}    Array(Int64) CODEC(ZSTD(1)),
    increases{{$i}} Array(Int64) CODEC(ZSTD(1)){{if ne $i "4"}},{{end}}
    {{end}}
)
ENGINE = {{engine "ReplacingMergeTree" "profiles"}}
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (service, type, span, ts)
ORDER BY (service, type, span, ts, sample_types, resource)
TTL ts + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, auto_statistics_types = '',
    min_parts_to_merge_at_once = 4, merge_max_block_size = 256;
{{distributed "profile_rollups" "cityHash64(service)"}}

-- For questions of one's own, and where speed does not matter: a row a sample.
CREATE VIEW IF NOT EXISTS {{view "profile_samples"}} AS
SELECT ts, service, type, sample_types, resource, stack, value1, value2, value3, value4, increase1, increase2, increase3, increase4,
       `label.key`, `label.value`, `label.unit`, `label.type`
FROM profile_values
ARRAY JOIN stacks AS stack{{range $i := list "1" "2" "3" "4"}},
    arrayResize(values{{$i}}, length(stacks)) AS value{{$i}}, arrayResize(increases{{$i}}, length(stacks)) AS increase{{$i}}{{end}};

CREATE VIEW IF NOT EXISTS {{view "profile_samples_1h"}} AS
SELECT ts, service, type, sample_types, resource, stack, value1, value2, value3, value4, increase1, increase2, increase3, increase4
FROM profile_rollups FINAL
ARRAY JOIN stacks AS stack{{range $i := list "1" "2" "3" "4"}},
    arrayResize(values{{$i}}, length(stacks)) AS value{{$i}}, arrayResize(increases{{$i}}, length(stacks)) AS increase{{$i}}{{end}}
WHERE span = 3600;

-- The list of profiles is kept as long as what is added up of them, and stacks are written once in most cases.
ALTER TABLE {{table "profiles"}} MODIFY TTL toDateTime(ts) + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE {{table "profiles"}} MODIFY SETTING min_parts_to_merge_at_once = 8;
ALTER TABLE {{table "profile_stacks"}} MODIFY SETTING min_parts_to_merge_at_once = 8, merge_max_block_size = 65536;
ALTER TABLE {{table "profile_stacks"}} MODIFY COLUMN locations CODEC(ZSTD(1));
ALTER TABLE {{table "profile_locations"}} MODIFY SETTING min_parts_to_merge_at_once = 8;
