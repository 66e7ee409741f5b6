package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// WatchSeries is one row series of the RED rollups: the entry spans of a service by version and instance, or one
// operation by version.
type WatchSeries struct {
	Entry                                       bool // level 'service'
	Env, Service, Name, Kind, Version, Instance string
}

// WatchRow is what a rollup holds of one series in one step. Of a series and step there may be several rows, which
// add up.
type WatchRow struct {
	Series        uint64 // as WatchNames tells it
	At            int64  // Unix seconds at which the step begins
	Calls, Errors uint64
	Buckets       []int16 // of the latency histogram; see store.LatencyBucket
	Counts        []uint64
}

// watchID identifies a row series within one store.
const watchID = "cityHash64(level, env, service, name, kind, version, instance)"

func watchTable(step time.Duration) (string, error) {
	switch step {
	case 10 * time.Second:
		return "red_10s", nil
	case time.Minute:
		return "red_1m", nil
	}
	return "", fmt.Errorf("no rollup has steps of %s", step)
}

// WatchNames names the series of a rollup in a window.
func (db *DB) WatchNames(ctx context.Context, step time.Duration, w Window) (map[uint64]WatchSeries, error) {
	table, err := watchTable(step)
	if err != nil {
		return nil, err
	}
	names := map[uint64]WatchSeries{}
	err = db.each(ctx, fmt.Sprintf(`
SELECT DISTINCT %s AS id, level = 'service', toString(env), toString(service), toString(name), toString(kind), toString(version), toString(instance)
FROM %s WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})`, watchID, table),
		args{"from": w.From.Unix(), "to": w.To.Unix()}, func(rows driver.Rows) error {
			var id uint64
			var entry uint8
			var s WatchSeries
			if err := rows.Scan(&id, &entry, &s.Env, &s.Service, &s.Name, &s.Kind, &s.Version, &s.Instance); err != nil {
				return err
			}
			s.Entry = entry == 1
			names[id] = s
			return nil
		})
	return names, err
}

// WatchRows reads every series of a rollup in a window, in the order of time: one query for all.
func (db *DB) WatchRows(ctx context.Context, step time.Duration, w Window) ([]WatchRow, error) {
	return db.watchRows(ctx, step, w, "ts")
}

// WatchNewest reads the same in the order of series and then of time: who looks up what is known of a series does so
// once for all of its rows.
func (db *DB) WatchNewest(ctx context.Context, step time.Duration, w Window) ([]WatchRow, error) {
	return db.watchRows(ctx, step, w, "id, ts")
}

// watchRows reads histograms as text, because each element of an array costs the driver a hundred times what parsing a
// number does.
func (db *DB) watchRows(ctx context.Context, step time.Duration, w Window, order string) ([]WatchRow, error) {
	table, err := watchTable(step)
	if err != nil {
		return nil, err
	}
	var out []WatchRow
	var slab histogramSlab
	var text string
	err = db.each(ctx, fmt.Sprintf(`
SELECT %s AS id, toInt64(toUnixTimestamp(ts)), calls, errors, toString(duration_hist)
FROM %s WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) ORDER BY %s`, watchID, table, order),
		args{"from": w.From.Unix(), "to": w.To.Unix()}, func(rows driver.Rows) error {
			var r WatchRow
			if err := rows.Scan(&r.Series, &r.At, &r.Calls, &r.Errors, &text); err != nil {
				return err
			}
			if r.Buckets, r.Counts, err = slab.parse(text); err != nil {
				return err
			}
			out = append(out, r)
			return nil
		})
	return out, err
}

// WatchCount is how many rows a rollup holds in a window.
func (db *DB) WatchCount(ctx context.Context, step time.Duration, w Window) (n uint64, err error) {
	table, err := watchTable(step)
	if err != nil {
		return 0, err
	}
	err = db.each(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})", table),
		args{"from": w.From.Unix(), "to": w.To.Unix()}, func(rows driver.Rows) error { return rows.Scan(&n) })
	return n, err
}

// WatchBounds is the first and last step that a rollup holds since a moment; zero times where it holds nothing.
func (db *DB) WatchBounds(ctx context.Context, step time.Duration, since time.Time) (first, last time.Time, err error) {
	table, err := watchTable(step)
	if err != nil {
		return first, last, err
	}
	err = db.each(ctx, fmt.Sprintf(`
SELECT toInt64(toUnixTimestamp(min(ts))), toInt64(toUnixTimestamp(max(ts))) FROM %s WHERE level = 'service' AND ts >= toDateTime({from:Int64})`, table),
		args{"from": since.Unix()}, func(rows driver.Rows) error {
			var a, b int64
			if err := rows.Scan(&a, &b); err != nil {
				return err
			}
			if b > 0 {
				first, last = time.Unix(a, 0), time.Unix(b, 0)
			}
			return nil
		})
	return first, last, err
}
