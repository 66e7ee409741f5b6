-- The product's own small state: the newest row of a key counts; value is JSON; deleted rows are tombstones.
CREATE TABLE IF NOT EXISTS {{table "settings"}}
(
    key        String,
    value      String,
    deleted    UInt8 DEFAULT 0,
    updated_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY key;
{{distributed "settings" "cityHash64(key)"}}
