package ingest

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// customBuckets is the schema of native histograms with bounds of their own; the others are exponential, from least to
// most of these.
const (
	customBuckets = -53
	leastSchema   = -4
	mostSchema    = 8
)

// Flags of a row of metric_distributions that came by remote write, and of its row in metric_samples: the layout is
// Prometheus' own. counts and negative_counts are the counts of the buckets that the spans name, bounds the custom
// bounds, and values the spans: how many positive ones, then offset and length of each, the positive ones first.
const (
	flagPrometheus = 2
	flagFloat      = 4 // count, zero_count, counts and negative_counts are the bits of floats
	flagHintShift  = 3 // of the hint whether the counter was reset, two bits
)

// promHistogram is one native histogram being read.
type promHistogram struct {
	float              bool
	count, zero        uint64 // the bits of floats in float histograms
	sum, zeroThreshold float64
	schema             int32
	hint               uint64
	ts, start          int64
	custom             []uint64 // bits
	positive, negative promBuckets
	spans              []float64 // as stored
}

// promBuckets are the spans and buckets of one side.
type promBuckets struct {
	spans  []promSpan
	counts []uint64 // absolute; the bits of floats in float histograms
	deltas []int64
}

type promSpan struct {
	offset int32
	length uint32
}

func (b *promBuckets) reset() {
	b.spans, b.counts, b.deltas = b.spans[:0], b.counts[:0], b.deltas[:0]
}

func (h *promHistogram) read(b []byte) bool {
	h.positive.reset()
	h.negative.reset()
	*h = promHistogram{custom: h.custom[:0], positive: h.positive, negative: h.negative, spans: h.spans[:0]}
	ok := true
	r := reader{b: b}
	for r.more() && ok {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			h.count, h.float = r.uvarint(), false
		case 2<<3 | wireFixed64:
			h.count, h.float = r.fixed64(), true
		case 3<<3 | wireFixed64:
			h.sum = math.Float64frombits(r.fixed64())
		case 4<<3 | wireVarint:
			h.schema = zigzag(r.uvarint())
		case 5<<3 | wireFixed64:
			h.zeroThreshold = math.Float64frombits(r.fixed64())
		case 6<<3 | wireVarint:
			h.zero = r.uvarint()
		case 7<<3 | wireFixed64:
			h.zero = r.fixed64()
		case 8<<3 | wireBytes:
			h.negative.spans, ok = appendSpan(h.negative.spans, r.bytes())
		case 9<<3 | wireBytes:
			h.negative.deltas, ok = packedZigzag(r.bytes(), h.negative.deltas)
		case 9<<3 | wireVarint:
			h.negative.deltas = append(h.negative.deltas, zigzag64(r.uvarint()))
		case 10<<3 | wireBytes:
			h.negative.counts = packedFixed64(r.bytes(), h.negative.counts)
		case 10<<3 | wireFixed64:
			h.negative.counts = append(h.negative.counts, r.fixed64())
		case 11<<3 | wireBytes:
			h.positive.spans, ok = appendSpan(h.positive.spans, r.bytes())
		case 12<<3 | wireBytes:
			h.positive.deltas, ok = packedZigzag(r.bytes(), h.positive.deltas)
		case 12<<3 | wireVarint:
			h.positive.deltas = append(h.positive.deltas, zigzag64(r.uvarint()))
		case 13<<3 | wireBytes:
			h.positive.counts = packedFixed64(r.bytes(), h.positive.counts)
		case 13<<3 | wireFixed64:
			h.positive.counts = append(h.positive.counts, r.fixed64())
		case 14<<3 | wireVarint:
			h.hint = r.uvarint() & 3
		case 15<<3 | wireVarint:
			h.ts = int64(r.uvarint())
		case 16<<3 | wireBytes:
			h.custom = packedFixed64(r.bytes(), h.custom)
		case 16<<3 | wireFixed64:
			h.custom = append(h.custom, r.fixed64())
		case 17<<3 | wireVarint:
			h.start = int64(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	return ok && !r.bad
}

func appendSpan(spans []promSpan, b []byte) ([]promSpan, bool) {
	var s promSpan
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			s.offset = zigzag(r.uvarint())
		case 2<<3 | wireVarint:
			s.length = uint32(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	return append(spans, s), !r.bad
}

// zigzag64 is the value of a sint64 field.
func zigzag64(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func packedZigzag(b []byte, dst []int64) ([]int64, bool) {
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return dst, false
		}
		dst = append(dst, zigzag64(v))
		b = b[n:]
	}
	return dst, true
}

// check resolves the deltas and says whether a histogram is one, by the rules that Prometheus has for it.
func (h *promHistogram) check() bool {
	if h.schema == customBuckets {
		if !h.checkCustom() {
			return false
		}
	} else if h.schema < leastSchema || h.schema > mostSchema || len(h.custom) > 0 {
		return false
	}
	positive, ok1 := h.positive.resolve(h.float)
	negative, ok2 := h.negative.resolve(h.float)
	if !ok1 || !ok2 {
		return false
	}
	if h.float { // sums of floats are not exact
		return !(math.Float64frombits(h.count) < 0) && !(math.Float64frombits(h.zero) < 0)
	}
	total := positive + negative + h.zero
	if math.IsNaN(h.sum) {
		return total <= h.count
	}
	return total == h.count
}

// checkCustom looks at what only histograms with bounds of their own have.
func (h *promHistogram) checkCustom() bool {
	if h.zero != 0 || h.zeroThreshold != 0 || len(h.negative.spans)+len(h.negative.deltas)+len(h.negative.counts) > 0 {
		return false
	}
	before := math.Inf(-1)
	for i, bits := range h.custom {
		bound := math.Float64frombits(bits)
		if math.IsNaN(bound) || i > 0 && bound <= before {
			return false
		}
		before = bound
	}
	reach := int64(0)
	for _, s := range h.positive.spans {
		if s.offset < 0 {
			return false
		}
		reach += int64(s.offset) + int64(s.length)
	}
	return !math.IsInf(before, 1) && reach <= int64(len(h.custom))+1
}

// resolve makes absolute counts of deltas. It reports their sum, and whether they fit the spans.
func (b *promBuckets) resolve(float bool) (sum uint64, ok bool) {
	if float {
		if len(b.deltas) > 0 {
			return 0, false
		}
		for _, bits := range b.counts {
			if math.Float64frombits(bits) < 0 {
				return 0, false
			}
		}
	} else {
		if len(b.counts) > 0 {
			return 0, false
		}
		last := int64(0)
		for _, d := range b.deltas {
			if last += d; last < 0 {
				return 0, false
			}
			b.counts = append(b.counts, uint64(last))
			sum += uint64(last)
		}
	}
	named := uint64(0)
	for i, s := range b.spans {
		if i > 0 && s.offset < 0 {
			return 0, false
		}
		named += uint64(s.length)
	}
	return sum, named == uint64(len(b.counts))
}

// writeHistogram appends one native histogram.
func (d *decoder) writeHistogram(c *metricColumns, w *writeRequest, m []byte) bool {
	h := &w.histogram
	if !h.read(m) {
		return false
	}
	reason := ""
	switch {
	case len(h.positive.deltas)+len(h.positive.counts)+len(h.negative.deltas)+len(h.negative.counts) > d.limits.Buckets+1,
		len(h.positive.spans)+len(h.negative.spans) > d.limits.Buckets+1, len(h.custom) > d.limits.Buckets:
		reason = rejectBuckets
	case !h.check():
		reason = rejectHistogram
	default:
		reason = d.checkWritten(w.info, h.ts, xxhash.Sum64(m)|1)
	}
	if reason != "" {
		d.tally.reject(reason, []byte(w.info.name))
		return true
	}
	if h.start == 0 {
		h.start = w.created
	}
	flags := byte(flagPrometheus)
	if math.Float64bits(h.sum) == staleNaN {
		flags |= flagNoValue
	}
	d.appendWritten(c, w, h.ts, h.start, h.sum, flags)
	if h.float {
		flags |= flagFloat
	}
	c.distributions.addNative(w.nameID, w.info.fingerprint, h, flags|byte(h.hint)<<flagHintShift)
	d.tally.histograms++
	return true
}

func (c *distributionColumns) addNative(name uint32, series uint64, h *promHistogram, flags byte) {
	if n := len(h.positive.spans) + len(h.negative.spans); n > 0 {
		h.spans = append(h.spans, float64(len(h.positive.spans)))
		for _, side := range [...]*promBuckets{&h.positive, &h.negative} {
			for _, s := range side.spans {
				h.spans = append(h.spans, float64(s.offset), float64(s.length))
			}
		}
	}
	c.name = append(c.name, name)
	c.series = append(c.series, series)
	c.ts = append(c.ts, h.ts)
	c.start = append(c.start, max(h.start, 0))
	c.count = append(c.count, h.count)
	c.sum = append(c.sum, h.sum)
	c.min = append(c.min, math.NaN())
	c.max = append(c.max, math.NaN())
	for _, bits := range h.custom {
		c.bounds = append(c.bounds, math.Float64frombits(bits))
	}
	c.values = append(c.values, h.spans...)
	c.counts = append(c.counts, h.positive.counts...)
	c.negative = append(c.negative, h.negative.counts...)
	c.boundsEnd = append(c.boundsEnd, uint32(len(c.bounds)))
	c.valuesEnd = append(c.valuesEnd, uint32(len(c.values)))
	c.countsEnd = append(c.countsEnd, uint32(len(c.counts)))
	c.negativeEnd = append(c.negativeEnd, uint32(len(c.negative)))
	c.scale = append(c.scale, byte(int8(h.schema)))
	c.zeroCount = append(c.zeroCount, h.zero)
	c.zeroThreshold = append(c.zeroThreshold, h.zeroThreshold)
	c.positiveOff = append(c.positiveOff, uint32(h.positive.first()))
	c.negativeOff = append(c.negativeOff, uint32(h.negative.first()))
	c.flags = append(c.flags, flags)
}

// first is where OTLP's buckets would begin: it counts from the lower bound, Prometheus from the upper.
func (b *promBuckets) first() int32 {
	if len(b.spans) == 0 {
		return 0
	}
	return b.spans[0].offset - 1
}
