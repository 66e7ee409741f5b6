package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// WatchMetric is one series of a metric by which services are known.
type WatchMetric struct {
	Env, Service, Instance        string
	Name, Type, Temporality, Unit string
	Monotonic                     bool
	Attributes                    map[string]string
}

// WatchSample is what came of one metric series in one minute. Of a histogram or summary, values are its sums.
type WatchSample struct {
	Series    uint64
	At        int64 // Unix seconds at which the minute begins
	N         uint64
	Sum, Last float64
	LastMS    int64  // Unix milliseconds of the last point
	Count     uint64 // of a histogram: observations in the last point
	CountSum  uint64 // of a histogram: observations in all points
}

// seriesStale is by how many seconds the stored last_seen of a series may be behind.
const seriesStale = 7200

// WatchMetricNames names the series of some metrics that had points in a window, at most limit of them; of those left
// out it tells how many there are.
func (db *DB) WatchMetricNames(ctx context.Context, names []string, w Window, limit int) (series map[uint64]WatchMetric, more int, err error) {
	series = map[uint64]WatchMetric{}
	var all uint64
	err = db.each(ctx, fmt.Sprintf(`
SELECT s.fingerprint, s.name, t, p, u, m, a, s.v, r.env, r.instance, count() OVER ()
FROM (SELECT fingerprint, toString(name) AS name, toString(max(type)) AS t, toString(max(temporality)) AS p, toString(max(unit)) AS u, max(monotonic) AS m, anyLast(attributes) AS a, toString(max(service)) AS v, max(resource) AS resource
      FROM metric_series WHERE name IN {names:Array(String)} GROUP BY name, fingerprint HAVING max(last_seen) >= toDateTime({from:Int64})) AS s
LEFT JOIN (SELECT fingerprint, toString(max(env)) AS env, max(instance) AS instance FROM resources GROUP BY fingerprint) AS r ON s.resource = r.fingerprint
WHERE s.v != '' ORDER BY s.v, s.name, s.fingerprint LIMIT %d`, limit),
		args{"names": names, "from": max(0, w.From.Unix()-seriesStale)}, func(rows driver.Rows) error {
			var id uint64
			var s WatchMetric
			var monotonic uint8
			if err := rows.Scan(&id, &s.Name, &s.Type, &s.Temporality, &s.Unit, &monotonic, &s.Attributes, &s.Service, &s.Env, &s.Instance, &all); err != nil {
				return err
			}
			s.Monotonic = monotonic == 1
			series[id] = s
			return nil
		})
	return series, int(all) - len(series), err
}

// watchMinute is the minute of a point.
const watchMinute = "toInt64(intDiv(toUnixTimestamp(ts), 60) * 60)"

// WatchSamples reads every series of some metrics in a window by the minute, in the order of time: one query for all.
func (db *DB) WatchSamples(ctx context.Context, names []string, w Window) ([]WatchSample, error) {
	return db.watchSamples(ctx, "", args{"names": names}, w)
}

// WatchSamplesOf reads some of these series.
func (db *DB) WatchSamplesOf(ctx context.Context, names []string, series []uint64, w Window) ([]WatchSample, error) {
	return db.watchSamples(ctx, " AND series IN {series:Array(UInt64)}", args{"names": names, "series": series}, w)
}

func (db *DB) watchSamples(ctx context.Context, cond string, a args, w Window) ([]WatchSample, error) {
	var out []WatchSample
	a["from"], a["to"] = w.From.UnixMilli(), w.To.UnixMilli()
	err := db.each(ctx, `
SELECT series, `+watchMinute+` AS at, count(), sum(value), argMax(value, ts), toUnixTimestamp64Milli(max(ts))
FROM metric_samples WHERE name IN {names:Array(String)} AND bitAnd(flags, 1) = 0 AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64})`+cond+`
GROUP BY series, at ORDER BY at, series`, a, func(rows driver.Rows) error {
		var s WatchSample
		if err := rows.Scan(&s.Series, &s.At, &s.N, &s.Sum, &s.Last, &s.LastMS); err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// watchKey is one series in one minute.
type watchKey struct {
	series uint64
	at     int64
}

// WatchCounts adds to samples of histograms how many observations stand behind them: one query for all.
func (db *DB) WatchCounts(ctx context.Context, names []string, w Window, samples []WatchSample) error {
	type counts struct{ sum, last uint64 }
	found := map[watchKey]counts{}
	err := db.each(ctx, `
SELECT series, `+watchMinute+` AS at, sum(count), argMax(count, ts)
FROM metric_distributions WHERE name IN {names:Array(String)} AND bitAnd(flags, 1) = 0 AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64})
GROUP BY series, at`, args{"names": names, "from": w.From.UnixMilli(), "to": w.To.UnixMilli()}, func(rows driver.Rows) error {
		var k watchKey
		var c counts
		if err := rows.Scan(&k.series, &k.at, &c.sum, &c.last); err != nil {
			return err
		}
		found[k] = c
		return nil
	})
	for i := range samples {
		if c, ok := found[watchKey{samples[i].Series, samples[i].At}]; ok {
			samples[i].Count, samples[i].CountSum = c.last, c.sum
		}
	}
	return err
}

// WatchLogs tells in which minutes of a window each service logged anything: a sign of life.
func (db *DB) WatchLogs(ctx context.Context, w Window) ([]WatchLife, error) {
	var out []WatchLife
	err := db.each(ctx, `
SELECT l.at, l.v, r.env FROM
    (SELECT `+watchMinute+` AS at, toString(service) AS v, resource FROM logs
     WHERE toStartOfFifteenMinutes(toDateTime(ts)) >= toStartOfFifteenMinutes(toDateTime({from:Int64})) AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) GROUP BY at, v, resource) AS l
LEFT JOIN (SELECT fingerprint, toString(max(env)) AS env FROM resources GROUP BY fingerprint) AS r ON l.resource = r.fingerprint
GROUP BY l.at, l.v, r.env ORDER BY l.at`, args{"from": w.From.Unix(), "to": w.To.Unix()}, func(rows driver.Rows) error {
		var l WatchLife
		if err := rows.Scan(&l.At, &l.Service, &l.Env); err != nil {
			return err
		}
		out = append(out, l)
		return nil
	})
	return out, err
}

// WatchLife is a minute in which a service gave a sign of life.
type WatchLife struct {
	At           int64 // Unix seconds at which the minute begins
	Env, Service string
}

// WatchEdge names who calls whom.
type WatchEdge struct{ Env, Client, Target, Kind string }

// WatchEdges reads the calls between services, databases, queues and hosts in a window by the minute, in the order of
// time, as their callers see them. Rows name edges by their place in the list.
func (db *DB) WatchEdges(ctx context.Context, w Window) (edges []WatchEdge, rows []WatchRow, err error) {
	index := map[WatchEdge]uint64{}
	from, to := w.From.Truncate(time.Minute).Unix(), w.To.Unix()
	err = db.each(ctx, `
SELECT toInt64(toUnixTimestamp(ts)), toString(env), toString(client), toString(target), toString(target_kind), calls, errors, mapKeys(duration_hist), mapValues(duration_hist)
FROM edges WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})
  AND (ts, computed) IN (SELECT ts, max(computed) FROM edges WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) GROUP BY ts)
ORDER BY ts, client, target, target_kind, env`, args{"from": from, "to": to}, func(r driver.Rows) error {
		var e WatchEdge
		var row WatchRow
		if err := r.Scan(&row.At, &e.Env, &e.Client, &e.Target, &e.Kind, &row.Calls, &row.Errors, &row.Buckets, &row.Counts); err != nil {
			return err
		}
		i, ok := index[e]
		if !ok {
			i = uint64(len(edges))
			index[e] = i
			edges = append(edges, e)
		}
		row.Series = i
		rows = append(rows, row)
		return nil
	})
	return edges, rows, err
}
