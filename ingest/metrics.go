package ingest

import (
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Metric types as stored.
const (
	typeGauge = iota
	typeSum
	typeHistogram
	typeExponential
	typeSummary
)

var metricTypes = [...]string{"gauge", "sum", "histogram", "exponential_histogram", "summary"}

var temporalities = [...]string{"", "delta", "cumulative"}

// flagNoValue marks a point without a recorded value: the series ended.
const flagNoValue = 1

// metricColumns is the metric points of a batch, in the order of arrival.
type metricColumns struct {
	name   []uint32
	series []uint64
	ts     []int64 // ms
	start  []int64 // ms
	value  []float64
	flags  []byte

	distributions distributionColumns
	exemplars     exemplarColumns
	newSeries     []*seriesInfo // met for the first time, or not stored for long

	names     *dict
	resources resourceTable

	point point // scratch
}

// distributionColumns is the shapes of histograms and summaries.
type distributionColumns struct {
	name                     []uint32
	series                   []uint64
	ts, start                []int64
	count                    []uint64
	sum, min, max            []float64
	bounds, values           []float64
	boundsEnd, valuesEnd     []uint32
	counts, negative         []uint64
	countsEnd, negativeEnd   []uint32
	scale                    []byte
	zeroCount                []uint64
	zeroThreshold            []float64
	positiveOff, negativeOff []uint32 // int32
	flags                    []byte
}

type exemplarColumns struct {
	name    []uint32
	series  []uint64
	ts      []int64 // ms
	value   []float64
	traceID []byte
	spanID  []byte
	attrs   [][]keyValue
}

// point is one data point being read.
type point struct {
	ts, start      uint64
	value          float64
	flags          uint64
	hash           uint64 // over the encoded attributes
	attrs          [][]byte
	exemplars      [][]byte
	count          uint64
	sum, min, max  float64
	bounds, values []uint64 // float bits
	counts         []uint64
	negative       []uint64
	scale          int32
	zeroCount      uint64
	zeroThreshold  float64
	positiveOff    int32
	negativeOff    int32
}

func (p *point) reset() {
	*p = point{attrs: p.attrs[:0], exemplars: p.exemplars[:0], bounds: p.bounds[:0], values: p.values[:0],
		counts: p.counts[:0], negative: p.negative[:0], min: math.NaN(), max: math.NaN()}
}

func newMetricColumns() *metricColumns {
	return &metricColumns{names: newDict(), resources: newResourceTable()}
}

func (c *metricColumns) rows() int { return len(c.ts) }

func (c *metricColumns) reset() {
	clear(c.newSeries)
	c.newSeries = c.newSeries[:0]
	c.truncate(metricMark{})
	c.names.reset()
	c.resources.reset()
}

// metricMark is a state to return to.
type metricMark struct{ points, distributions, exemplars, series int }

func (c *metricColumns) mark() metricMark {
	return metricMark{len(c.ts), len(c.distributions.ts), len(c.exemplars.ts), len(c.newSeries)}
}

func (c *metricColumns) truncate(m metricMark) {
	n := m.points
	c.name, c.series, c.ts, c.start = c.name[:n], c.series[:n], c.ts[:n], c.start[:n]
	c.value, c.flags = c.value[:n], c.flags[:n]
	c.distributions.truncate(m.distributions)
	c.exemplars.truncate(m.exemplars)
	for _, s := range c.newSeries[m.series:] {
		s.lastQueued.Store(0)
	}
	c.newSeries = c.newSeries[:m.series]
}

func (c *distributionColumns) truncate(n int) {
	c.name, c.series, c.ts, c.start, c.count = c.name[:n], c.series[:n], c.ts[:n], c.start[:n], c.count[:n]
	c.sum, c.min, c.max = c.sum[:n], c.min[:n], c.max[:n]
	c.boundsEnd, c.valuesEnd = c.boundsEnd[:n], c.valuesEnd[:n]
	c.countsEnd, c.negativeEnd = c.countsEnd[:n], c.negativeEnd[:n]
	last := func(end []uint32) int {
		if n == 0 {
			return 0
		}
		return int(end[n-1])
	}
	c.bounds, c.values = c.bounds[:last(c.boundsEnd)], c.values[:last(c.valuesEnd)]
	c.counts, c.negative = c.counts[:last(c.countsEnd)], c.negative[:last(c.negativeEnd)]
	c.scale, c.zeroCount, c.zeroThreshold = c.scale[:n], c.zeroCount[:n], c.zeroThreshold[:n]
	c.positiveOff, c.negativeOff, c.flags = c.positiveOff[:n], c.negativeOff[:n], c.flags[:n]
}

func (c *exemplarColumns) truncate(n int) {
	clear(c.attrs[n:])
	c.name, c.series, c.ts, c.value = c.name[:n], c.series[:n], c.ts[:n], c.value[:n]
	c.traceID, c.spanID, c.attrs = c.traceID[:16*n], c.spanID[:8*n], c.attrs[:n]
}

// metrics appends an ExportMetricsServiceRequest.
func (d *decoder) metrics(c *metricColumns, body []byte) error {
	r := reader{b: body}
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.resourceMetrics(c, r.bytes()) {
			return errMalformed
		}
	}
	if r.bad {
		return errMalformed
	}
	return nil
}

func (d *decoder) resourceMetrics(c *metricColumns, b []byte) bool {
	res, ok := d.decodeResource(b)
	if !ok {
		return false
	}
	c.resources.id(res)
	before := d.tally.accepted
	r := reader{b: b}
	for r.more() {
		tag := r.tag()
		if tag != 2<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.scopeMetrics(c, res, r.bytes()) {
			return false
		}
	}
	d.sent(res, Metrics, before, len(b))
	return !r.bad
}

func (d *decoder) scopeMetrics(c *metricColumns, res *resource, b []byte) bool {
	scope, ok := d.findScope(b)
	if !ok {
		return false
	}
	m := metricHead{resource: res, scope: scope}
	r := reader{b: b}
	for r.more() {
		tag := r.tag()
		if tag != 2<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.metric(c, &m, r.bytes()) {
			return false
		}
	}
	return !r.bad
}

// metricHead is what all points of one metric share.
type metricHead struct {
	resource                *resource
	scope                   []byte
	name, description, unit []byte
	typ                     uint8
	temporality             uint64
	monotonic               bool
	hash                    uint64
	nameID                  uint32
}

func (d *decoder) metric(c *metricColumns, m *metricHead, b []byte) bool {
	m.name, m.description, m.unit = nil, nil, nil
	var data []byte
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			m.name = d.name(r.bytes())
		case 2<<3 | wireBytes:
			m.description = d.name(r.bytes())
		case 3<<3 | wireBytes:
			m.unit = d.name(r.bytes())
		case 5<<3 | wireBytes:
			m.typ, data = typeGauge, r.bytes()
		case 7<<3 | wireBytes:
			m.typ, data = typeSum, r.bytes()
		case 9<<3 | wireBytes:
			m.typ, data = typeHistogram, r.bytes()
		case 10<<3 | wireBytes:
			m.typ, data = typeExponential, r.bytes()
		case 11<<3 | wireBytes:
			m.typ, data = typeSummary, r.bytes()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if data == nil {
		return true
	}
	return d.metricData(c, m, data)
}

// metricData reads a Gauge, Sum, Histogram, ExponentialHistogram or Summary: all have their points in field 1.
func (d *decoder) metricData(c *metricColumns, m *metricHead, b []byte) bool {
	m.temporality, m.monotonic = 0, false
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 2<<3 | wireVarint:
			m.temporality = r.uvarint()
		case 3<<3 | wireVarint:
			m.monotonic = r.uvarint() != 0
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if m.typ == typeGauge || m.typ == typeSummary || m.temporality > 2 {
		m.temporality = 0
	}
	if m.typ != typeSum {
		m.monotonic = false
	}
	m.hashHead()
	m.nameID = c.names.id(m.name)
	r = reader{b: b}
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		c.point.reset()
		if !c.point.read(m.typ, r.bytes()) || !d.addPoint(c, m) {
			return false
		}
	}
	return !r.bad
}

// hashHead sums up all that tells metrics apart but the points' attributes.
func (m *metricHead) hashHead() {
	mono := byte('0')
	if m.monotonic {
		mono = '1'
	}
	h := xxhash.Sum64(m.name)
	h = mix(h, xxhash.Sum64(m.unit))
	h = mix(h, xxhash.Sum64(m.scope))
	h = mix(h, m.resource.fingerprint)
	m.hash = mix(h, uint64(m.typ)<<16|m.temporality<<8|uint64(mono))
}

// mix chains two hashes; the order counts.
func mix(a, b uint64) uint64 {
	a ^= b + 0x9E3779B97F4A7C15 + a<<6 + a>>2
	a *= 0xD6E8FEB86659FD93
	return a ^ a>>32
}

// addPoint appends the point just read, or counts why not.
func (d *decoder) addPoint(c *metricColumns, m *metricHead) bool {
	p := &c.point
	reason := d.checkTime(p.ts)
	if reason == "" {
		reason = d.checkPoint(m, p)
	}
	if reason != "" {
		d.tally.reject(reason, m.name)
		return true
	}
	key := mix(m.hash, p.hash)
	s := d.series.get(key)
	if s == nil {
		info, ok := d.newSeries(m, p.attrs)
		if !ok {
			return false
		}
		limit := d.limits.Series
		if d.caps != nil {
			limit = d.caps.series(info.name)
		}
		if s = d.series.put(key, info, limit, int64(p.ts)/nanosPerSecond); s == nil {
			d.tally.reject(rejectSeries, m.name)
			return true
		}
	}
	ts := int64(p.ts) / 1e6
	if s.due(ts / 1000) {
		c.newSeries = append(c.newSeries, s)
	}
	flags := byte(p.flags & flagNoValue)
	value := p.value
	if flags&flagNoValue != 0 {
		value = math.Float64frombits(staleNaN)
	}
	c.name = append(c.name, m.nameID)
	c.series = append(c.series, s.fingerprint)
	c.ts = append(c.ts, ts)
	c.start = append(c.start, int64(p.start)/1e6)
	c.value = append(c.value, value)
	c.flags = append(c.flags, flags)
	if m.typ >= typeHistogram {
		c.distributions.add(m.nameID, s.fingerprint, p)
	}
	d.tally.accepted++
	return d.addExemplars(c, m, s.fingerprint)
}

// staleNaN is Prometheus' marker for the end of a series.
const staleNaN = 0x7ff0000000000002

func (d *decoder) checkPoint(m *metricHead, p *point) string {
	switch {
	case len(m.name) == 0:
		return rejectNoName
	case len(p.bounds) > d.limits.Buckets || len(p.counts)+len(p.negative) > d.limits.Buckets+1:
		return rejectBuckets
	case m.typ == typeHistogram && len(p.counts) != 0 && len(p.counts) != len(p.bounds)+1:
		return rejectShape
	}
	return ""
}

func (c *distributionColumns) add(name uint32, series uint64, p *point) {
	c.name = append(c.name, name)
	c.series = append(c.series, series)
	c.ts = append(c.ts, int64(p.ts)/1e6)
	c.start = append(c.start, int64(p.start)/1e6)
	c.count = append(c.count, p.count)
	c.sum = append(c.sum, p.sum)
	c.min = append(c.min, p.min)
	c.max = append(c.max, p.max)
	for _, v := range p.bounds {
		c.bounds = append(c.bounds, math.Float64frombits(v))
	}
	for _, v := range p.values {
		c.values = append(c.values, math.Float64frombits(v))
	}
	c.counts = append(c.counts, p.counts...)
	c.negative = append(c.negative, p.negative...)
	c.boundsEnd = append(c.boundsEnd, uint32(len(c.bounds)))
	c.valuesEnd = append(c.valuesEnd, uint32(len(c.values)))
	c.countsEnd = append(c.countsEnd, uint32(len(c.counts)))
	c.negativeEnd = append(c.negativeEnd, uint32(len(c.negative)))
	c.scale = append(c.scale, byte(int8(max(min(p.scale, 127), -128))))
	c.zeroCount = append(c.zeroCount, p.zeroCount)
	c.zeroThreshold = append(c.zeroThreshold, p.zeroThreshold)
	c.positiveOff = append(c.positiveOff, uint32(p.positiveOff))
	c.negativeOff = append(c.negativeOff, uint32(p.negativeOff))
	c.flags = append(c.flags, byte(p.flags&flagNoValue))
}

// addExemplars appends the exemplars of the point just read.
func (d *decoder) addExemplars(c *metricColumns, m *metricHead, series uint64) bool {
	for _, b := range c.point.exemplars {
		var ts uint64
		var value float64
		var traceID, spanID []byte
		var attrs []keyValue
		r := reader{b: b}
		for r.more() {
			switch tag := r.tag(); tag {
			case 2<<3 | wireFixed64:
				ts = r.fixed64()
			case 3<<3 | wireFixed64:
				value = math.Float64frombits(r.fixed64())
			case 4<<3 | wireBytes:
				spanID = r.bytes()
			case 5<<3 | wireBytes:
				traceID = r.bytes()
			case 6<<3 | wireFixed64:
				value = float64(int64(r.fixed64()))
			case 7<<3 | wireBytes:
				kv, ok := d.textAttribute(r.bytes())
				if !ok {
					return false
				}
				if len(attrs) < d.limits.Attributes {
					attrs = append(attrs, kv)
				}
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return false
		}
		if d.checkTime(ts) != "" {
			ts = c.point.ts
		}
		e := &c.exemplars
		e.name = append(e.name, m.nameID)
		e.series = append(e.series, series)
		e.ts = append(e.ts, int64(ts)/1e6)
		e.value = append(e.value, value)
		e.traceID = append(e.traceID, sized(traceID, 16)...)
		e.spanID = append(e.spanID, sized(spanID, 8)...)
		e.attrs = append(e.attrs, attrs)
	}
	return true
}

// newSeries decodes the attributes of a series met for the first time.
func (d *decoder) newSeries(m *metricHead, raw [][]byte) (*seriesInfo, bool) {
	s := &seriesInfo{
		name: string(m.name), description: string(m.description), unit: string(m.unit), scope: string(m.scope),
		typ: metricTypes[m.typ], temporality: temporalities[m.temporality], monotonic: m.monotonic, resource: m.resource,
	}
	for _, b := range raw {
		kv, ok := d.textAttribute(b)
		if !ok {
			return nil, false
		}
		if len(s.attributes) < d.limits.Attributes {
			s.attributes = append(s.attributes, kv)
		}
	}
	slices.SortStableFunc(s.attributes, compareKeys)
	s.fingerprint = m.resource.placed(mix(m.hash, fingerprint(s.name, s.attributes)))
	return s, true
}
