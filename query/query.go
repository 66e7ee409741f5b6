// Package query answers every question that the product asks of what is stored: one typed function each, its SQL
// beside it. Its main type is DB, a pool of read-only connections behind a gate that lets a few questions run at
// once, interactive ones first. Its invariants: values reach SQL as bound parameters only; charts read rollups, and
// every answer over time names the resolution it used; a question ends when its asker has gone.
package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Options bound what questions may cost. Zero fields take the defaults in brackets.
type Options struct {
	Concurrent int           // questions that run at once; others wait (4)
	Timeout    time.Duration // of one question (30 s)
	Memory     uint64        // bytes one question may use (2 GiB)
	Now        func() time.Time
}

// DB asks questions of one store.
type DB struct {
	conn driver.Conn
	o    Options
	gate chan struct{}
}

// New asks over conn, which must not be used for changes.
func New(conn driver.Conn, o Options) *DB {
	if o.Concurrent == 0 {
		o.Concurrent = 4
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Memory == 0 {
		o.Memory = 2 << 30
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &DB{conn, o, make(chan struct{}, o.Concurrent)}
}

// ErrNotFound is the answer about something that is not stored.
var ErrNotFound = errors.New("not found")

// InputError is a question that cannot be understood. Field names the parameter.
type InputError struct{ Field, Reason string }

func (e *InputError) Error() string { return e.Field + ": " + e.Reason }

// args are the bound parameters of a statement: {name:Type} in its text.
type args map[string]any

// each runs a statement and calls scan for every row.
func (db *DB) each(ctx context.Context, sql string, a args, scan func(driver.Rows) error) error {
	select {
	case db.gate <- struct{}{}:
		defer func() { <-db.gate }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, db.o.Timeout+time.Second)
	defer cancel()
	params := clickhouse.Parameters{}
	for name, v := range a {
		params[name] = literal(v)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(params), clickhouse.WithSettings(clickhouse.Settings{
		"readonly": 2, "max_execution_time": db.o.Timeout.Seconds(), "max_memory_usage": db.o.Memory,
		"timeout_before_checking_execution_speed": 0, "optimize_read_in_order": 1,
	}))
	rows, err := db.conn.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("ask the store: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read the store's answer: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the store's answer: %w", err)
	}
	return nil
}

// finite is nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
