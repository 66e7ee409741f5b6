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
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// Options bound what questions may cost. Zero fields take the defaults in brackets.
type Options struct {
	Concurrent int           // statements that run at once; others wait (4)
	Waiting    int           // statements that may wait; others are refused (200)
	Patience   time.Duration // how long one waits before it is refused (15 s)
	Timeout    time.Duration // of one question (30 s)
	Memory     uint64        // bytes one question may use (2 GiB)
	// ProfileMemory is how many bytes of the stacks of profiles are kept, about: half as trees of calls, for flame graphs,
	// half as places in programs, for pprof (128 MiB).
	ProfileMemory int
	Now           func() time.Time
	Registerer    prometheus.Registerer // nil: nothing is counted
}

// DB asks questions of one store.
type DB struct {
	conn        driver.Conn
	o           Options
	gate        *gate
	kept        kept
	stacks      stacks
	calls       callIndexes
	rows, bytes atomic.Uint64 // read by the store to answer
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
	if o.ProfileMemory == 0 {
		o.ProfileMemory = 128 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Waiting == 0 {
		o.Waiting = 200
	}
	if o.Patience == 0 {
		o.Patience = 15 * time.Second
	}
	db := &DB{conn: conn, o: o, gate: newGate(o.Concurrent, o.Waiting, o.Patience)}
	if o.Registerer != nil {
		db.register(o.Registerer)
	}
	return db
}

func (db *DB) register(r prometheus.Registerer) {
	counter := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "tidemark_query_" + name, Help: help}, f))
	}
	counter("statements_total", "Statements asked of the store.", func() float64 { return float64(db.gate.passed.Load()) })
	counter("waited_total", "Statements that waited for a slot.", func() float64 { return float64(db.gate.waited.Load()) })
	counter("wait_seconds_total", "Time statements waited for a slot.", func() float64 { return float64(db.gate.waitedNS.Load()) / 1e9 })
	counter("refused_total", "Statements refused because too many waited.", func() float64 { return float64(db.gate.refused.Load()) })
	counter("rows_read_total", "Rows the store read to answer.", func() float64 { return float64(db.rows.Load()) })
	counter("bytes_read_total", "Bytes the store read to answer, uncompressed.", func() float64 { return float64(db.bytes.Load()) })
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
	leave, err := db.gate.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, db.o.Timeout+time.Second)
	defer cancel()
	params := clickhouse.Parameters{}
	for name, v := range a {
		params[name] = literal(v)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(params), clickhouse.WithProgress(db.progress), clickhouse.WithSettings(clickhouse.Settings{
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

func (db *DB) progress(p *clickhouse.Progress) {
	db.rows.Add(p.Rows)
	db.bytes.Add(p.Bytes)
}

// finite is nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
