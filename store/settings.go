package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Settings reads the product's own settings whose keys begin with prefix, as key → value.
func Settings(ctx context.Context, conn driver.Conn, prefix string) (map[string]string, error) {
	rows, err := conn.Query(ctx, `
SELECT key, argMax(value, updated_at) FROM settings WHERE startsWith(key, ?)
GROUP BY key HAVING argMax(deleted, updated_at) = 0 ORDER BY key`, prefix)
	if err != nil {
		return nil, fmt.Errorf("read settings %s…: %w", prefix, err)
	}
	defer rows.Close()
	settings := map[string]string{}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, fmt.Errorf("read settings %s…: %w", prefix, err)
		}
		settings[key] = value
	}
	return settings, rows.Err()
}

// DeleteSetting removes one of the product's own settings; removing what is not there is no error.
func DeleteSetting(ctx context.Context, conn driver.Conn, key string) error {
	if err := conn.Exec(ctx, "INSERT INTO settings (key, value, deleted) VALUES (?, '', 1)", key); err != nil {
		return fmt.Errorf("delete setting %s: %w", key, err)
	}
	return nil
}
