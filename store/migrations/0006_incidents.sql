-- Incidents: the newest row of an id counts. body is the whole incident as JSON, alarms and causes included.
CREATE TABLE IF NOT EXISTS {{table "incidents"}}
(
    id          String,
    started_at  DateTime64(3),
    detected_at DateTime64(3),
    resolved_at DateTime64(3),                     -- 1970: open
    severity    LowCardinality(String),
    services    Array(LowCardinality(String)),
    title       String,
    body        String CODEC(ZSTD(1)),
    updated_at  DateTime64(3)
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY id
TTL toDateTime(started_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "incidents" "cityHash64(id)"}}

-- What people and the product did about an incident: opened, updated, note, muted, notified, resolved, …
CREATE TABLE IF NOT EXISTS {{table "incident_events"}}
(
    incident   String,
    ts         DateTime64(3),
    kind       LowCardinality(String),
    text       String,
    body       String CODEC(ZSTD(1))               -- JSON, by kind
)
ENGINE = {{engine "MergeTree"}}
ORDER BY (incident, ts)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "incident_events" "cityHash64(incident)"}}

-- Deployments: noticed from a change of service.version, or posted.
CREATE TABLE IF NOT EXISTS {{table "deployments"}}
(
    service    LowCardinality(String),
    env        LowCardinality(String),
    version    String,
    ts         DateTime64(3),                      -- when the first span of it came, or as posted
    previous   String,
    source     LowCardinality(String),             -- noticed, posted
    text       String,                             -- a change log line, as posted
    link       String,
    updated_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY (service, env, version, ts)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "deployments" "cityHash64(service)"}}

-- Messages to chat: one row an attempt; the newest row of an id counts.
CREATE TABLE IF NOT EXISTS {{table "deliveries"}}
(
    id         String,                             -- channel, incident, state: a message goes once
    channel    String,
    incident   String,
    state      LowCardinality(String),             -- firing, updated, resolved, test
    status     LowCardinality(String),             -- pending, delivered, failed, suppressed
    attempts   UInt32,
    answer     String,                             -- what the receiver said, shortened
    next_try   DateTime64(3),
    body       String CODEC(ZSTD(1)),              -- the notification as JSON, so that a restart can send it
    created_at DateTime64(3),
    updated_at DateTime64(3)
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY id
TTL toDateTime(created_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
{{distributed "deliveries" "cityHash64(id)"}}
