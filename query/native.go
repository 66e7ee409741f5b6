package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Admit waits for a slot for a statement that a package below asks over a connection of its own; leave gives it back.
func (db *DB) Admit(ctx context.Context) (leave func(), err error) { return db.gate.enter(ctx) }

// Limits are the time and the memory, in bytes, that one question may use.
func (db *DB) Limits() (timeout time.Duration, memory uint64) { return db.o.Timeout, db.o.Memory }

// Now is the moment at which questions are asked.
func (db *DB) Now() time.Time { return db.o.Now() }

// Count adds what a statement over another connection made the store read.
func (db *DB) Count(rows, bytes uint64) {
	db.rows.Add(rows)
	db.bytes.Add(bytes)
}

// Each runs a statement with bound parameters, {name:Type} in its text, and calls scan for every row.
func (db *DB) Each(ctx context.Context, sql string, params map[string]any, scan func(driver.Rows) error) error {
	return db.each(ctx, sql, params, scan)
}
