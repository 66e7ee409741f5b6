package query

import (
	"math"
	"sort"
)

// shape is one histogram point, explicit (bounds) or exponential (scale and offsets).
type shape struct {
	count, sum, min, max float64
	bounds               []float64
	counts               []float64
	scale                int32
	zero                 float64
	offset               int32 // of the first count: bucket k is (base^k, base^(k+1)]
	negativeOffset       int32
	negative             []float64
}

// shapeColumns are what of metric_distributions makes a shape, in the order of shapeRow's fields.
const shapeColumns = "count, sum, min, max, bounds, values, counts, toInt32(scale), zero_count, positive_offset, negative_offset, negative_counts, flags"

// shapeRow is a histogram point as it is stored.
type shapeRow struct {
	count, zero            uint64
	sum, min, max          float64
	bounds, values         []float64
	counts, negative       []uint64
	scale                  int32
	offset, negativeOffset int32
	flags                  uint8
}

func (r *shapeRow) fields() []any {
	return []any{&r.count, &r.sum, &r.min, &r.max, &r.bounds, &r.values, &r.counts, &r.scale, &r.zero, &r.offset, &r.negativeOffset, &r.negative, &r.flags}
}

// Flags of points that came by remote write: they are in Prometheus' own layout (ingest/remotewrite_histogram.go).
const (
	flagPrometheus = 2
	flagFloat      = 4 // counts are the bits of floats
	customBuckets  = -53
)

// shape reads a point in either layout.
func (r *shapeRow) shape() shape {
	s := shape{count: float64(r.count), sum: r.sum, min: r.min, max: r.max, bounds: r.bounds, scale: r.scale, zero: float64(r.zero), offset: r.offset, negativeOffset: r.negativeOffset}
	if r.flags&flagPrometheus == 0 {
		s.counts, s.negative = floats(r.counts, false), floats(r.negative, false)
		return s
	}
	bits := r.flags&flagFloat != 0
	if bits {
		s.count, s.zero = math.Float64frombits(r.count), math.Float64frombits(r.zero)
	}
	counts, negative := floats(r.counts, bits), floats(r.negative, bits)
	var spans []float64
	positive := 0
	if len(r.values) > 0 {
		positive, spans = 2*int(r.values[0]), r.values[1:]
	}
	positive = min(max(positive, 0), len(spans))
	s.counts, s.offset = dense(spans[:positive], counts)
	s.negative, s.negativeOffset = dense(spans[positive:], negative)
	if r.scale == customBuckets {
		s.scale = 0
		s.counts = append(make([]float64, max(0, s.offset)), s.counts...)
		s.counts = append(s.counts, make([]float64, max(0, len(r.bounds)+1-len(s.counts)))...)
		s.offset = 0
		return s
	}
	// OTLP names a bucket by its lower bound, Prometheus by its upper.
	s.offset, s.negativeOffset = s.offset-1, s.negativeOffset-1
	return s
}

func floats(counts []uint64, bits bool) []float64 {
	out := make([]float64, len(counts))
	for i, n := range counts {
		if out[i] = float64(n); bits {
			out[i] = math.Float64frombits(n)
		}
	}
	return out
}

// mostDense is how many buckets, empty ones among them, are laid out; the finest scale needs 32,768 for all numbers.
const mostDense = 1 << 16

// dense lays counts out over spans, each an offset from the end of the one before and a length, and says at which
// bucket they begin.
func dense(spans, counts []float64) (out []float64, first int32) {
	for i := 0; i+1 < len(spans); i += 2 {
		offset, length := int(spans[i]), int(spans[i+1])
		if i == 0 {
			first = int32(offset)
		} else if offset >= 0 && len(out)+offset < mostDense {
			out = append(out, make([]float64, offset)...)
		}
		n := min(max(length, 0), len(counts))
		out, counts = append(out, counts[:n]...), counts[n:]
	}
	return out, first
}

// since is what was added to a cumulative point after an earlier one. A fall means a restart: then all of it is new.
// So does a change of the explicit bounds; of two scales the coarser one is taken.
func (s shape) since(before shape) shape {
	if s.count < before.count || !equal(s.bounds, before.bounds) {
		return s
	}
	d := s.coarsened(before.scale)
	before = before.coarsened(s.scale)
	d.count -= before.count
	d.sum -= before.sum
	d.zero = max(0, d.zero-before.zero)
	d.counts = subtract(d.counts, d.offset, before.counts, before.offset)
	d.negative = subtract(d.negative, d.negativeOffset, before.negative, before.negativeOffset)
	return d
}

// coarsened is an exponential histogram at a scale, where that is coarser than its own.
func (s shape) coarsened(scale int32) shape {
	if scale >= s.scale || len(s.bounds) > 0 {
		return s
	}
	by := uint32(s.scale - scale)
	merge := func(counts []float64, offset int32) ([]float64, int32) {
		first := offset >> by
		out := make([]float64, 0, len(counts)>>by+2)
		for i, n := range counts {
			at := int((offset+int32(i))>>by - first)
			for len(out) <= at {
				out = append(out, 0)
			}
			out[at] += n
		}
		return out, first
	}
	s.counts, s.offset = merge(s.counts, s.offset)
	s.negative, s.negativeOffset = merge(s.negative, s.negativeOffset)
	s.scale = scale
	return s
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

func subtract(a []float64, aOffset int32, b []float64, bOffset int32) []float64 {
	out := append([]float64(nil), a...)
	for i := range out {
		if j := i + int(aOffset-bOffset); j >= 0 && j < len(b) {
			out[i] = max(0, out[i]-b[j])
		}
	}
	return out
}

// merger adds up points of one line and step.
type merger struct {
	g       []string
	i       int64
	count   float64
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
	put := func(low, high, n float64) {
		if n > 0 {
			m.buckets[[2]float64{low, high}] += n
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
		return finite(m.count / seconds)
	case "rate":
		return finite(m.count / seconds)
	case "sum":
		return finite(m.sum)
	}
	if m.count == 0 {
		return nil
	}
	switch agg {
	case "avg":
		return finite(m.sum / m.count)
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
