-- RED rollups, written by ingest per batch at 10 s and folded to 1 m and 1 h by views.
-- level 'service': entry spans (server, consumer, or without a parent), by instance; name = '' and kind = 'unspecified'.
-- level 'operation': every span by name and kind; instance = ''. Names over the cap fold into '(other)'.
-- duration_hist: bucket -> count; bucket b holds 2^((b-1)/32) < ns <= 2^(b/32), i.e. b = ceil(32*log2(ns)); ns = 0 is b = 0.
-- The bucket's geometric middle is within 1.1 % of every value in it (OpenTelemetry exponential histogram, scale 5).
{{range $r := list "10s" "1m" "1h"}}
CREATE TABLE IF NOT EXISTS {{table (print "red_" $r)}}
(
    level     Enum8('service' = 1, 'operation' = 2),
    ts        DateTime CODEC(Delta(4), ZSTD(1)),               -- start of the step
    service   LowCardinality(String),
    name      LowCardinality(String),
    kind      Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
    env       LowCardinality(String),
    version   LowCardinality(String),
    instance  LowCardinality(String),
    calls     SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    errors    SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    duration_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),   -- ns
    duration_max SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),   -- ns
    duration_hist SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY {{if eq $r "1h"}}toYYYYMM(ts){{else}}toDate(ts){{end}}
ORDER BY (level, {{if eq $r "10s"}}toStartOfHour(ts){{else}}toStartOfDay(ts){{end}}, service, name, kind, env, version, instance, ts)
TTL ts + INTERVAL {{if eq $r "10s"}}3{{else if eq $r "1m"}}30{{else}}400{{end}} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed (print "red_" $r) "cityHash64(service)"}}
{{end}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{view "red_1m_mv"}} TO {{local "red_1m"}} AS
SELECT level, toStartOfMinute(r.ts) AS ts, service, name, kind, env, version, instance,
       sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.duration_sum) AS duration_sum, max(r.duration_max) AS duration_max,
       sumMap(r.duration_hist) AS duration_hist
FROM {{local "red_10s"}} AS r
GROUP BY level, ts, service, name, kind, env, version, instance;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{view "red_1h_mv"}} TO {{local "red_1h"}} AS
SELECT level, toStartOfHour(r.ts) AS ts, service, name, kind, env, version, instance,
       sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.duration_sum) AS duration_sum, max(r.duration_max) AS duration_max,
       sumMap(r.duration_hist) AS duration_hist
FROM {{local "red_1m"}} AS r
GROUP BY level, ts, service, name, kind, env, version, instance;

-- Edges: caller -> callee, recomputed per minute over closed (or still young) minutes; the newest computation of a
-- minute replaces older ones: read with the rows of the greatest `computed` per ts (argMax or FINAL).
-- target_kind 'service' is another instrumented service, else a node known only from the caller's attributes.
CREATE TABLE IF NOT EXISTS {{table "edges"}}
(
    ts          DateTime CODEC(Delta(4), ZSTD(1)),              -- start of the minute
    env         LowCardinality(String),
    client      LowCardinality(String),
    target      LowCardinality(String),
    target_kind Enum8('service' = 1, 'database' = 2, 'messaging' = 3, 'external' = 4),
    target_system LowCardinality(String),                       -- postgresql, redis, kafka, http, …
    calls       UInt64 CODEC(ZSTD(1)),
    errors      UInt64 CODEC(ZSTD(1)),
    duration_sum UInt64 CODEC(ZSTD(1)),                         -- ns, as the caller saw it
    duration_hist Map(Int16, UInt64) CODEC(ZSTD(1)),
    sample_rate Float64 DEFAULT 1 CODEC(ZSTD(1)),               -- calls are already scaled up by it
    computed    DateTime64(3) CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "computed"}}
PARTITION BY toDate(ts)
ORDER BY (toStartOfHour(ts), client, target, target_kind, env, ts)
TTL ts + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "edges" "cityHash64(client)"}}
