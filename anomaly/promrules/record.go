package promrules

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"

	"github.com/tidemarkhq/tidemark/query/prom"
)

// seriesRefresh is how old the stored last_seen of a series may be: as ingest keeps it.
const seriesRefresh = 10 * time.Minute

// record stores what a rule gave, and ends the series that it gave last time and no more.
func (e *Engine) record(ctx context.Context, r *rule, vector promql.Vector, ts time.Time) error {
	now := make(map[uint64]labels.Labels, len(vector))
	for i := range vector {
		vector[i].T = timestamp.FromTime(ts)
		now[vector[i].Metric.Hash()] = vector[i].Metric
	}
	r.mu.Lock()
	before := r.before
	r.mu.Unlock()
	for h, ls := range before {
		if _, ok := now[h]; !ok {
			vector = append(vector, promql.Sample{Metric: ls, T: timestamp.FromTime(ts), F: math.Float64frombits(value.StaleNaN)})
		}
	}
	if len(vector) == 0 {
		return nil
	}
	if err := e.write(ctx, r, vector); err != nil {
		return fmt.Errorf("store what was recorded: %w", err)
	}
	e.recorded.Add(float64(len(vector)))
	r.mu.Lock()
	r.before = now
	r.mu.Unlock()
	return nil
}

// write stores samples in the layout of remote write.
func (e *Engine) write(ctx context.Context, r *rule, vector promql.Vector) error {
	if err := e.writeSeries(ctx, r, vector); err != nil {
		return err
	}
	samples, err := e.o.Conn.PrepareBatch(ctx, "INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)", driver.WithReleaseConnection())
	if err != nil {
		return err
	}
	var shapes driver.Batch
	for _, s := range vector {
		name, fp, at, v, flags := s.Metric.Get(model.MetricNameLabel), fingerprint(s.Metric), time.UnixMilli(s.T), s.F, uint8(0)
		if s.H != nil {
			if shapes == nil {
				if shapes, err = e.o.Conn.PrepareBatch(ctx, "INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, min, max, bounds, values, counts, negative_counts, scale, zero_count, zero_threshold, flags)", driver.WithReleaseConnection()); err != nil {
					return err
				}
			}
			if err := appendShape(shapes, name, fp, at, s.H); err != nil {
				return err
			}
			v, flags = s.H.Sum, prom.FlagShape
		}
		if value.IsStaleNaN(v) {
			flags |= prom.FlagStale
		}
		if err := samples.Append(name, fp, at, time.UnixMilli(0), v, flags); err != nil {
			return err
		}
	}
	if shapes != nil {
		if err := shapes.Send(); err != nil {
			return err
		}
	}
	return samples.Send()
}

// fingerprint tells recorded series apart; it is no other series' one.
func fingerprint(ls labels.Labels) uint64 { return ls.Hash() ^ 0x70726f6d72756c65 }

// writeSeries stores the rows of series that are new or were stored long ago.
func (e *Engine) writeSeries(ctx context.Context, r *rule, vector promql.Vector) error {
	var due []promql.Sample
	e.mu.Lock()
	for _, s := range vector {
		if time.UnixMilli(s.T).Sub(e.written[fingerprint(s.Metric)]).Abs() >= seriesRefresh {
			due = append(due, s)
		}
	}
	e.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	batch, err := e.o.Conn.PrepareBatch(ctx, "INSERT INTO metric_series (fingerprint, name, type, description, service, scope, attributes, first_seen, last_seen)", driver.WithReleaseConnection())
	if err != nil {
		return err
	}
	for _, s := range due {
		typ := "gauge"
		if s.H != nil {
			typ = "exponential_histogram"
		}
		at := time.UnixMilli(s.T)
		if err := batch.Append(fingerprint(s.Metric), s.Metric.Get(model.MetricNameLabel), typ, "Recorded: "+r.spec.Expr, s.Metric.Get(model.JobLabel), prom.ExactScope, s.Metric.Map(), at, at); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range due {
		e.written[fingerprint(s.Metric)] = time.UnixMilli(s.T)
	}
	return nil
}

// appendShape lays a native histogram out as remote write stores it: counts of the buckets that the spans name, as the
// bits of floats, and the spans.
func appendShape(b driver.Batch, name string, fp uint64, at time.Time, h *histogram.FloatHistogram) error {
	bits := func(all []float64) []uint64 {
		out := make([]uint64, len(all))
		for i, v := range all {
			out[i] = math.Float64bits(v)
		}
		return out
	}
	spans := []float64{float64(len(h.PositiveSpans))}
	for _, all := range [][]histogram.Span{h.PositiveSpans, h.NegativeSpans} {
		for _, s := range all {
			spans = append(spans, float64(s.Offset), float64(s.Length))
		}
	}
	flags := prom.FlagShape | prom.FlagFloat | uint8(h.CounterResetHint)<<prom.HintShift
	bounds := h.CustomValues
	if bounds == nil {
		bounds = []float64{}
	}
	return b.Append(name, fp, at, time.UnixMilli(0), math.Float64bits(h.Count), h.Sum, math.NaN(), math.NaN(), bounds, spans, bits(h.PositiveBuckets), bits(h.NegativeBuckets),
		int8(h.Schema), math.Float64bits(h.ZeroCount), h.ZeroThreshold, flags)
}
