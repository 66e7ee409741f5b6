package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	// metricLag is how many seconds after a minute its points are waited for.
	metricLag = 20
	// metricCatchUp is how many minutes are read at once where rounds were missed.
	metricCatchUp = 10
	// DefaultMetricSeries is how many stored series of metrics are watched unless told otherwise.
	DefaultMetricSeries = 50_000
)

// metricRows is what is stored of the watched metrics in a window.
type metricRows struct {
	names   map[uint64]query.WatchMetric
	samples []query.WatchSample // in the order of time
}

// readMetrics reads the watched metrics in a window: one query for the points of all, and one for the observations
// that stand behind those of histograms. Names are asked for where some series is not known, or named is false.
func (w *Watch) readMetrics(ctx context.Context, win query.Window, known func(uint64) bool) (out metricRows, err error) {
	if out.samples, err = w.o.DB.WatchSamples(ctx, watchedMetrics, win); err != nil {
		return out, fmt.Errorf("read the watched metrics: %w", err)
	}
	if len(out.samples) == 0 {
		return out, nil
	}
	if err = w.o.DB.WatchCounts(ctx, countedMetrics, win, out.samples); err != nil {
		return out, fmt.Errorf("read the watched histograms: %w", err)
	}
	for i := range out.samples {
		if known(out.samples[i].Series) {
			continue
		}
		var more int
		if out.names, more, err = w.o.DB.WatchMetricNames(ctx, watchedMetrics, win, w.o.MetricSeries); err != nil {
			return out, fmt.Errorf("name the watched metrics: %w", err)
		}
		w.counts.left.Set(float64(more))
		break
	}
	return out, nil
}

// metricsSince is from when on metrics are read for a replay: as many days as their points may be.
func (w *Watch) metricsSince(ctx context.Context, from, to time.Time) (time.Time, error) {
	names, _, err := w.o.DB.WatchMetricNames(ctx, watchedMetrics, query.Window{From: from, To: to}, w.o.MetricSeries)
	if err != nil {
		return from, fmt.Errorf("count the watched metrics: %w", err)
	}
	minutes := mostHistory / max(len(names), 1)
	if at := to.Add(-time.Duration(minutes) * time.Minute); at.After(from) {
		return at, nil
	}
	return from, nil
}

// judgeMetrics takes the minutes that are over into the meters.
func (w *Watch) judgeMetrics(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	w.mu.Lock()
	m := w.beside.meters
	m.settings = w.taught.settings
	from, due := m.minute+60, (now.Unix()-metricLag)/60*60-60
	w.mu.Unlock()
	if due < from {
		return nil, nil
	}
	from = max(from, due-60*metricCatchUp)
	rows, err := w.readMetrics(ctx, query.Window{From: time.Unix(from, 0), To: time.Unix(due+60, 0)}, func(id uint64) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return m.rows[id] != nil
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m.learn(rows.names)
	m.ignore(rows.samples)
	var out []anomaly.Alarm
	for at := from; at <= due; at += 60 {
		var n int
		for n < len(rows.samples) && rows.samples[n].At < at+60 {
			n++
		}
		out = append(out, m.take(at, rows.samples[:n])...)
		rows.samples = rows.samples[n:]
	}
	return out, nil
}

// nameless is in how many minutes a series may have no name before it is not asked for any more: points may be stored
// a moment before the name. What belongs to no service, or is beyond the limit, never has one.
const nameless = 3

// ignore gives up series that have no name.
func (m *meters) ignore(samples []query.WatchSample) {
	for i := range samples {
		id := samples[i].Series
		if m.rows[id] != nil {
			continue
		}
		if m.unnamed[id]++; m.unnamed[id] >= nameless {
			m.rows[id] = &source{}
			delete(m.unnamed, id)
		}
	}
}

// learn registers series in an order that does not depend on the map.
func (m *meters) learn(names map[uint64]query.WatchMetric) {
	for _, id := range sortedIDs(names) {
		m.know(id, names[id])
	}
}
