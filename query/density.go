package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// density is about how many spans lie when, the newest first: so that a list of the newest looks at as many rows first,
// whether a million came in the last seconds or the last one an hour ago.
type density []denseBin

type denseBin struct {
	from, to time.Time
	rows     float64
}

// A list looks at about sliceRows rows first, and at sliceGrowth times as many each time that was not enough.
const (
	sliceRows   = 400_000
	sliceGrowth = 4
	leastSlice  = 100 * time.Millisecond
)

// density asks the rollups about a window: by 10 seconds for the newest hour that has spans, by hours before.
func (db *DB) density(ctx context.Context, from, to time.Time) (density, error) {
	a := args{"from": from.Truncate(time.Hour).Unix(), "to": to.Unix()}
	var hours density
	err := db.each(ctx, `SELECT toInt64(toUnixTimestamp(ts)), toFloat64(sum(calls)) AS n FROM red_1h
WHERE level = 'service' AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) GROUP BY ts HAVING n > 0 ORDER BY ts DESC LIMIT 1000`, a, func(rows driver.Rows) error {
		var at int64
		var n float64
		if err := rows.Scan(&at, &n); err != nil {
			return err
		}
		t := time.Unix(at, 0)
		hours = append(hours, denseBin{t, t.Add(time.Hour), n})
		return nil
	})
	if err != nil || len(hours) == 0 {
		return nil, err
	}
	newest := hours[0]
	a = args{"from": newest.from.Unix(), "to": newest.to.Unix()}
	var fine density
	total := 0.0
	err = db.each(ctx, `SELECT toInt64(toUnixTimestamp(ts)), toFloat64(sum(calls)) FROM red_10s
WHERE level = 'operation' AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) GROUP BY ts ORDER BY ts DESC`, a, func(rows driver.Rows) error {
		var at int64
		var n float64
		if err := rows.Scan(&at, &n); err != nil {
			return err
		}
		t := time.Unix(at, 0)
		fine = append(fine, denseBin{t, t.Add(10 * time.Second), n})
		total += n
		return nil
	})
	if err != nil || len(fine) == 0 {
		return hours, err
	}
	perEntry := total / newest.rows // hours count what came in, not every span
	for i := range hours {
		hours[i].rows *= perEntry
	}
	return append(fine, hours[1:]...), nil
}

// back is how far back of `to` about so many rows lie; false when that is not known.
func (d density) back(to time.Time, rows float64) (time.Time, bool) {
	for _, b := range d {
		if !b.from.Before(to) {
			continue
		}
		have, end := b.rows, b.to
		if b.to.After(to) {
			end = to
			have *= float64(end.Sub(b.from)) / float64(b.to.Sub(b.from))
		}
		if have >= rows {
			width := max(leastSlice, time.Duration(rows/have*float64(end.Sub(b.from))))
			return end.Add(-width), true
		}
		rows -= have
	}
	return time.Time{}, false
}
