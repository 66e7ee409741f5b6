package query

import (
	"math"
	"sort"
)

// shape is one histogram point, explicit (bounds) or exponential (scale and offsets).
type shape struct {
	count          uint64
	sum, min, max  float64
	bounds         []float64
	counts         []uint64
	scale          int32
	zero           uint64
	offset         int32
	negativeOffset int32
	negative       []uint64
}

// since is what was added to a cumulative point after an earlier one. A fall means a restart: then all of it is new.
// So does a change of the explicit bounds or of the scale.
func (s shape) since(before shape) shape {
	if s.count < before.count || s.scale != before.scale || !equal(s.bounds, before.bounds) {
		return s
	}
	d := s
	d.count -= before.count
	d.sum -= before.sum
	d.zero -= min(before.zero, d.zero)
	d.counts = subtract(s.counts, s.offset, before.counts, before.offset)
	d.negative = subtract(s.negative, s.negativeOffset, before.negative, before.negativeOffset)
	return d
}

func equal(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func subtract(a []uint64, aOffset int32, b []uint64, bOffset int32) []uint64 {
	out := append([]uint64(nil), a...)
	for i := range out {
		if j := i + int(aOffset-bOffset); j >= 0 && j < len(b) {
			out[i] -= min(out[i], b[j])
		}
	}
	return out
}

// merger adds up points of one line and step.
type merger struct {
	g       []string
	i       int64
	count   uint64
	sum     float64
	min     float64
	max     float64
	any     bool
	buckets map[[2]float64]float64 // (lower, upper] to count
}

func (m *merger) add(s shape) {
	if m.buckets == nil {
		m.buckets = map[[2]float64]float64{}
		m.min, m.max = math.Inf(1), math.Inf(-1)
	}
	m.any = true
	m.count += s.count
	m.sum += s.sum
	if !math.IsNaN(s.min) {
		m.min = min(m.min, s.min)
	}
	if !math.IsNaN(s.max) {
		m.max = max(m.max, s.max)
	}
	put := func(low, high float64, n uint64) {
		if n > 0 {
			m.buckets[[2]float64{low, high}] += float64(n)
		}
	}
	if len(s.bounds) > 0 || len(s.counts) == 1 && s.scale == 0 && s.offset == 0 && s.zero == 0 {
		for k, n := range s.counts {
			low, high := math.Inf(-1), math.Inf(1)
			if k > 0 {
				low = s.bounds[k-1]
			}
			if k < len(s.bounds) {
				high = s.bounds[k]
			}
			put(low, high, n)
		}
		return
	}
	bound := func(k int32) float64 { return math.Exp2(float64(k) * math.Exp2(-float64(s.scale))) }
	put(0, 0, s.zero)
	for k, n := range s.counts {
		put(bound(s.offset+int32(k)), bound(s.offset+int32(k)+1), n)
	}
	for k, n := range s.negative {
		put(-bound(s.negativeOffset+int32(k)+1), -bound(s.negativeOffset+int32(k)), n)
	}
}

// value reads one number from what was merged; nil where there is none.
func (m *merger) value(agg string, seconds float64) *float64 {
	switch agg {
	case "count":
		return finite(float64(m.count) / seconds)
	case "rate":
		return finite(float64(m.count) / seconds)
	case "sum":
		return finite(m.sum)
	}
	if m.count == 0 {
		return nil
	}
	switch agg {
	case "avg":
		return finite(m.sum / float64(m.count))
	case "min":
		return finite(m.min)
	case "max":
		return finite(m.max)
	}
	q := map[string]float64{"p50": .5, "p90": .9, "p95": .95, "p99": .99}[agg]
	return finite(m.quantile(q))
}

// quantile interpolates linearly within the bucket that holds the rank, as Prometheus' histogram_quantile does; in
// an open bucket it is the known bound.
func (m *merger) quantile(q float64) float64 {
	type bucket struct{ low, high, n float64 }
	all := make([]bucket, 0, len(m.buckets))
	var total float64
	for b, n := range m.buckets {
		all = append(all, bucket{b[0], b[1], n})
		total += n
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].high != all[j].high {
			return all[i].high < all[j].high
		}
		return all[i].low < all[j].low
	})
	rank := q * total
	for _, b := range all {
		if rank > b.n {
			rank -= b.n
			continue
		}
		low := b.low
		switch {
		case math.IsInf(b.high, 1):
			return b.low
		case math.IsInf(low, -1):
			if b.high <= 0 {
				return b.high
			}
			low = 0
		}
		return low + (b.high-low)*rank/b.n
	}
	if len(all) == 0 {
		return math.NaN()
	}
	return all[len(all)-1].low
}
