package prom

import (
	"context"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
)

// readNatives reads distributions as native histograms.
func (q *querier) readNatives(ctx context.Context, p picked, w window) ([]*series, error) {
	shapes, err := q.natives(ctx, p, w)
	if err != nil {
		return nil, err
	}
	var out []*series
	for i, all := range shapes {
		if len(all) > 0 {
			out = append(out, &series{labels: p.named(p.entries[i]), points: points{shapes: all}})
		}
	}
	return out, nil
}

// natives reads the native histograms of the picked series, an element for each entry.
func (q *querier) natives(ctx context.Context, p picked, w window) ([][]histogramSample, error) {
	out := make([][]histogramSample, len(p.entries))
	wide := w
	if p.kind == kindExact { // the one before the first tells whether the counter fell
		wide.from = max(earliest, w.from-q.e.o.Lookback.Milliseconds())
	}
	err := q.shapes(ctx, p, wide, func(s *shape) error {
		if p.kind == kindExact && s.flags&FlagShape == 0 {
			return nil
		}
		h := histogramSample{t: s.t, start: s.start}
		switch p.kind {
		case kindExact:
			h.i, h.f = s.exact()
		case kindCustom:
			h.i = s.custom()
		default:
			if h.i = s.exponential(); h.i == nil {
				return nil
			}
		}
		if !q.e.o.StartTimestamps && p.temporality != "delta" {
			h.start = 0
		}
		out[s.entry] = append(out[s.entry], h)
		return q.take(1+int64(len(s.counts)+len(s.negative)), int64(200+8*(len(s.counts)+len(s.negative))))
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		s := points{shapes: out[i]}
		s.sortShapes()
		if p.temporality == "delta" {
			s.accumulateShapes(w)
		}
		if p.kind == kindExact {
			hint(s.shapes)
			s.shapes = slices.DeleteFunc(s.shapes, func(h histogramSample) bool { return h.t < w.from })
		}
		out[i] = s.shapes
	}
	return out, nil
}

const (
	leastSchema = -4
	mostSchema  = 8
	zeroWidth   = 1e-128 // where the sender says no width of the zero bucket, as Prometheus assumes
)

// exponential is an OpenTelemetry exponential histogram. Its bucket 0 is (1, base], Prometheus' is (1/base, 1]. A
// finer scale than Prometheus knows is merged; nil for a coarser one.
func (s *shape) exponential() *histogram.Histogram {
	if s.scale < leastSchema {
		return nil
	}
	down := max(0, int32(s.scale)-mostSchema)
	h := &histogram.Histogram{Schema: int32(s.scale) - down, ZeroThreshold: s.threshold, ZeroCount: s.zero, Count: s.count, Sum: s.sum}
	if h.ZeroThreshold == 0 {
		h.ZeroThreshold = zeroWidth
	}
	h.PositiveSpans, h.PositiveBuckets = spans(s.counts, s.offset, down, 1)
	h.NegativeSpans, h.NegativeBuckets = spans(s.negative, s.negativeOffset, down, 1)
	return s.ended(h)
}

// custom is an explicit histogram as a native one with custom buckets.
func (s *shape) custom() *histogram.Histogram {
	h := &histogram.Histogram{Schema: histogram.CustomBucketsSchema, Count: s.count, Sum: s.sum, CustomValues: append([]float64(nil), s.bounds...)}
	h.PositiveSpans, h.PositiveBuckets = spans(s.counts, 0, 0, 0)
	return s.ended(h)
}

func (s *shape) ended(h *histogram.Histogram) *histogram.Histogram {
	if s.stale() {
		return &histogram.Histogram{Sum: math.Float64frombits(value.StaleNaN)}
	}
	return h
}

// maxGap is how many empty buckets lie in a span before another span is cheaper.
const maxGap = 2

// spans lays dense counts out as Prometheus does: spans, and for each bucket the difference to the one before it.
// 2^down buckets become one; shift is added to each position.
func spans(counts []uint64, offset, down, shift int32) (out []histogram.Span, deltas []int64) {
	before, next := int64(0), int32(0) // the count before, the position after the last bucket
	add := func(at int32, count int64) {
		gap := at - next
		switch {
		case len(out) == 0 || gap > maxGap:
			out = append(out, histogram.Span{Offset: gap})
		default:
			for range gap {
				out[len(out)-1].Length++
				deltas = append(deltas, -before)
				before = 0
			}
		}
		out[len(out)-1].Length++
		deltas = append(deltas, count-before)
		before, next = count, at+1
	}
	for i := 0; i < len(counts); {
		at, sum := (offset+int32(i))>>down, uint64(0)
		for i < len(counts) && (offset+int32(i))>>down == at {
			sum += counts[i]
			i++
		}
		if sum > 0 {
			add(at+shift, int64(sum))
		}
	}
	return out, deltas
}

// exact is a native histogram as remote write sent it.
func (s *shape) exact() (*histogram.Histogram, *histogram.FloatHistogram) {
	positive, negative := unpackSpans(s.values)
	reset := histogram.CounterResetHint(s.flags >> HintShift & 3)
	var custom []float64
	if int32(s.scale) == histogram.CustomBucketsSchema {
		custom = append([]float64{}, s.bounds...)
	}
	if s.flags&FlagFloat != 0 {
		return nil, &histogram.FloatHistogram{
			CounterResetHint: reset, Schema: int32(s.scale), ZeroThreshold: s.threshold, ZeroCount: math.Float64frombits(s.zero), Count: math.Float64frombits(s.count), Sum: s.sum,
			PositiveSpans: positive, NegativeSpans: negative, PositiveBuckets: floatCounts(s.counts), NegativeBuckets: floatCounts(s.negative), CustomValues: custom,
		}
	}
	return &histogram.Histogram{
		CounterResetHint: reset, Schema: int32(s.scale), ZeroThreshold: s.threshold, ZeroCount: s.zero, Count: s.count, Sum: s.sum,
		PositiveSpans: positive, NegativeSpans: negative, PositiveBuckets: deltas(s.counts), NegativeBuckets: deltas(s.negative), CustomValues: custom,
	}, nil
}

// unpackSpans reads [number of positive spans, offset, length, …, the negative ones' offset, length, …].
func unpackSpans(packed []float64) (positive, negative []histogram.Span) {
	if len(packed) == 0 {
		return nil, nil
	}
	n, packed := int(packed[0]), packed[1:]
	for i := 0; i+1 < len(packed); i += 2 {
		s := histogram.Span{Offset: int32(packed[i]), Length: uint32(packed[i+1])}
		if i/2 < n {
			positive = append(positive, s)
		} else {
			negative = append(negative, s)
		}
	}
	return positive, negative
}

func deltas(counts []uint64) []int64 {
	if len(counts) == 0 {
		return nil
	}
	out := make([]int64, len(counts))
	before := int64(0)
	for i, c := range counts {
		out[i] = int64(c) - before
		before = int64(c)
	}
	return out
}

func floatCounts(bits []uint64) []float64 {
	if len(bits) == 0 {
		return nil
	}
	out := make([]float64, len(bits))
	for i, b := range bits {
		out[i] = math.Float64frombits(b)
	}
	return out
}

// accumulateShapes turns increases into counters, as accumulate does for floats.
func (p *points) accumulateShapes(w window) {
	var sum *histogram.FloatHistogram
	var out []histogramSample
	for _, s := range p.shapes {
		if value.IsStaleNaN(s.i.Sum) {
			out = append(out, s)
			continue
		}
		f := s.i.ToFloat(nil)
		if sum == nil {
			if s.start > 0 && s.start >= w.from && s.start < s.t {
				zero := &histogram.FloatHistogram{Schema: f.Schema, ZeroThreshold: f.ZeroThreshold, CustomValues: f.CustomValues}
				out = append(out, histogramSample{t: s.start, f: zero})
			}
			sum = f
		} else {
			next := sum.Copy()
			if _, _, _, err := next.Add(f); err != nil {
				continue // custom buckets and exponential ones under one name
			}
			sum = next
		}
		out = append(out, histogramSample{t: s.t, f: sum.Copy()})
	}
	p.shapes = out
}

// hint says of each histogram that follows another without a fall of any counter that it does so, as Prometheus does
// for those of a chunk. Of others nothing is said but what the sender said.
func hint(all []histogramSample) {
	for i := 1; i < len(all); i++ {
		switch before, now := &all[i-1], &all[i]; {
		case now.i != nil && before.i != nil:
			if now.i.CounterResetHint == histogram.UnknownCounterReset && continues(now.i.ToFloat(nil), before.i.ToFloat(nil)) {
				now.i.CounterResetHint = histogram.NotCounterReset
			}
		case now.f != nil && before.f != nil:
			if now.f.CounterResetHint == histogram.UnknownCounterReset && continues(now.f, before.f) {
				now.f.CounterResetHint = histogram.NotCounterReset
			}
		}
	}
}

func continues(now, before *histogram.FloatHistogram) bool {
	return before.CounterResetHint != histogram.GaugeType && !value.IsStaleNaN(now.Sum) && !value.IsStaleNaN(before.Sum) &&
		now.Schema == before.Schema && now.ZeroThreshold == before.ZeroThreshold && !now.DetectReset(before)
}
