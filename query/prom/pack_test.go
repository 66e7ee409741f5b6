package prom

import (
	"math"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
)

// pack lays a native histogram out as remote write stores it.
func pack(h *histogram.Histogram, fh *histogram.FloatHistogram) (s shape) {
	s.counts, s.negative, s.bounds, s.values = []uint64{}, []uint64{}, []float64{}, []float64{}
	s.flags = FlagShape
	spans := func(positive, negative []histogram.Span) {
		s.values = append(s.values, float64(len(positive)))
		for _, span := range append(append([]histogram.Span{}, positive...), negative...) {
			s.values = append(s.values, float64(span.Offset), float64(span.Length))
		}
	}
	if fh != nil {
		s.flags |= FlagFloat | uint8(fh.CounterResetHint)<<HintShift
		s.scale, s.threshold, s.sum = int8(fh.Schema), fh.ZeroThreshold, fh.Sum
		s.zero, s.count = math.Float64bits(fh.ZeroCount), math.Float64bits(fh.Count)
		spans(fh.PositiveSpans, fh.NegativeSpans)
		for _, c := range fh.PositiveBuckets {
			s.counts = append(s.counts, math.Float64bits(c))
		}
		for _, c := range fh.NegativeBuckets {
			s.negative = append(s.negative, math.Float64bits(c))
		}
		s.bounds = append(s.bounds, fh.CustomValues...)
	} else {
		s.flags |= uint8(h.CounterResetHint) << HintShift
		s.scale, s.threshold, s.sum = int8(h.Schema), h.ZeroThreshold, h.Sum
		s.zero, s.count = h.ZeroCount, h.Count
		spans(h.PositiveSpans, h.NegativeSpans)
		sum := int64(0)
		for _, d := range h.PositiveBuckets {
			sum += d
			s.counts = append(s.counts, uint64(sum))
		}
		sum = 0
		for _, d := range h.NegativeBuckets {
			sum += d
			s.negative = append(s.negative, uint64(sum))
		}
		s.bounds = append(s.bounds, h.CustomValues...)
	}
	if value.IsStaleNaN(s.sum) {
		s.flags |= FlagStale
	}
	return s
}
