package ingest

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// pointKey places one point: group is its day and the rank of its name, then come series and time.
type pointKey struct {
	group, series uint64
	ts            int64
	row           uint32
}

func comparePoints(a, b pointKey) int {
	switch {
	case a.group != b.group:
		return cmp.Compare(a.group, b.group)
	case a.series != b.series:
		return cmp.Compare(a.series, b.series)
	case a.ts != b.ts:
		return cmp.Compare(a.ts, b.ts)
	}
	return int(a.row) - int(b.row)
}

// sortPoints orders points by name, series and time, the order of all three point tables, and cuts them into days.
func (s *sorter) sortPoints(names *dict, name []uint32, series []uint64, ts []int64) []dayRows {
	s.aux = names.ranks(s.aux)
	s.points = slices.Grow(s.points[:0], len(ts))
	for i, t := range ts {
		group := uint64(t*1e6/nanosPerDay)<<32 | uint64(s.aux[name[i]])
		s.points = append(s.points, pointKey{group, series[i], t, uint32(i)})
	}
	slices.SortFunc(s.points, comparePoints)
	s.perm = s.perm[:0]
	for _, k := range s.points {
		s.perm = append(s.perm, k.row)
	}
	var days []dayRows
	for from := 0; from < len(s.perm); {
		day, to := s.points[from].group>>32, from+1
		for to < len(s.perm) && s.points[to].group>>32 == day {
			to++
		}
		days = append(days, dayRows{int64(day), s.perm[from:to]})
		from = to
	}
	return days
}

func (b *block) gatherFloats(perm []uint32, src []float64) {
	b.grow(8 * len(perm))
	for _, r := range perm {
		b.buf = binary.LittleEndian.AppendUint64(b.buf, math.Float64bits(src[r]))
	}
}

// sampleBlock encodes the points of one day for metric_samples.
func (b *block) sampleBlock(c *metricColumns, perm []uint32) {
	b.reset("metric_samples", len(perm))
	b.begin("name", "LowCardinality(String)")
	b.gatherLC(perm, c.name, c.names)
	b.begin("series", "UInt64")
	b.gather64(perm, c.series)
	b.begin("ts", "DateTime64(3)")
	b.gatherTimes(perm, c.ts)
	b.begin("start_ts", "DateTime64(3)")
	b.gatherTimes(perm, c.start)
	b.begin("value", "Float64")
	b.gatherFloats(perm, c.value)
	b.begin("flags", "UInt8")
	b.gather8(perm, c.flags)
}

// distributionBlock encodes the shapes of one day for metric_distributions.
func (b *block) distributionBlock(c *metricColumns, perm []uint32) {
	d := &c.distributions
	b.reset("metric_distributions", len(perm))
	b.begin("name", "LowCardinality(String)")
	b.gatherLC(perm, d.name, c.names)
	b.begin("series", "UInt64")
	b.gather64(perm, d.series)
	b.begin("ts", "DateTime64(3)")
	b.gatherTimes(perm, d.ts)
	b.begin("start_ts", "DateTime64(3)")
	b.gatherTimes(perm, d.start)
	b.begin("count", "UInt64")
	b.gather64(perm, d.count)
	b.begin("sum", "Float64")
	b.gatherFloats(perm, d.sum)
	b.begin("min", "Float64")
	b.gatherFloats(perm, d.min)
	b.begin("max", "Float64")
	b.gatherFloats(perm, d.max)
	b.floatArrays("bounds", perm, d.boundsEnd, d.bounds)
	b.floatArrays("values", perm, d.valuesEnd, d.values)
	b.begin("counts", "Array(UInt64)")
	b.gatherOffsets(perm, d.countsEnd)
	b.gather64(elementsOf(perm, d.countsEnd), d.counts)
	b.begin("scale", "Int8")
	b.gather8(perm, d.scale)
	b.begin("zero_count", "UInt64")
	b.gather64(perm, d.zeroCount)
	b.begin("zero_threshold", "Float64")
	b.gatherFloats(perm, d.zeroThreshold)
	b.begin("positive_offset", "Int32")
	b.gather32(perm, d.positiveOff)
	b.begin("negative_offset", "Int32")
	b.gather32(perm, d.negativeOff)
	b.begin("negative_counts", "Array(UInt64)")
	b.gatherOffsets(perm, d.negativeEnd)
	b.gather64(elementsOf(perm, d.negativeEnd), d.negative)
	b.begin("flags", "UInt8")
	b.gather8(perm, d.flags)
}

func (b *block) floatArrays(name string, perm, end []uint32, src []float64) {
	b.begin(name, "Array(Float64)")
	b.gatherOffsets(perm, end)
	b.gatherFloats(elementsOf(perm, end), src)
}

// exemplarBlock encodes the exemplars of one day for metric_exemplars.
func (b *block) exemplarBlock(c *metricColumns, perm []uint32) {
	e := &c.exemplars
	b.reset("metric_exemplars", len(perm))
	b.begin("name", "LowCardinality(String)")
	b.gatherLC(perm, e.name, c.names)
	b.begin("series", "UInt64")
	b.gather64(perm, e.series)
	b.begin("ts", "DateTime64(3)")
	b.gatherTimes(perm, e.ts)
	b.begin("value", "Float64")
	b.gatherFloats(perm, e.value)
	b.begin("trace_id", "FixedString(16)")
	b.gatherFixed(perm, e.traceID, 16)
	b.begin("span_id", "FixedString(8)")
	b.gatherFixed(perm, e.spanID, 8)
	b.stringMaps("attributes", len(perm), func(i int) []keyValue { return e.attrs[perm[i]] })
}

// seriesBlock encodes series for metric_series; seen is the time of their newest point in the batch, Unix seconds.
func (b *block) seriesBlock(list []*seriesInfo, first, last int64) {
	slices.SortFunc(list, func(x, y *seriesInfo) int {
		return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.fingerprint, y.fingerprint))
	})
	n := len(list)
	about := make([]*metricMeta, n)
	for i, s := range list {
		about[i] = s.described()
	}
	b.reset("metric_series", n)
	b.uint64s("fingerprint", "UInt64", n, func(i int) uint64 { return list[i].fingerprint })
	b.lowCardinality("name", n, func(i int) string { return list[i].name })
	b.lowCardinality("type", n, func(i int) string { return about[i].typ })
	b.lowCardinality("temporality", n, func(i int) string { return about[i].temporality })
	b.bytes("monotonic", "UInt8", n, func(i int) byte {
		if about[i].monotonic {
			return 1
		}
		return 0
	})
	b.lowCardinality("unit", n, func(i int) string { return about[i].unit })
	b.strings("description", n, func(i int) string { return about[i].description })
	b.lowCardinality("service", n, func(i int) string { return list[i].resource.service })
	b.uint64s("resource", "UInt64", n, func(i int) uint64 { return list[i].resource.fingerprint })
	b.lowCardinality("scope", n, func(i int) string { return about[i].scope })
	b.stringMaps("attributes", n, func(i int) []keyValue { return list[i].attrs() })
	b.uint32s("first_seen", "DateTime", n, func(int) uint32 { return uint32(first) })
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(last) })
}

// resourceBlock encodes resources seen between two times, Unix seconds.
func (b *block) resourceBlock(list []*resource, first, last int64) {
	slices.SortFunc(list, func(x, y *resource) int { return cmp.Compare(x.fingerprint, y.fingerprint) })
	n := len(list)
	b.reset("resources", n)
	b.uint64s("fingerprint", "UInt64", n, func(i int) uint64 { return list[i].fingerprint })
	b.lowCardinality("service", n, func(i int) string { return list[i].service })
	b.lowCardinality("env", n, func(i int) string { return list[i].env })
	b.lowCardinality("version", n, func(i int) string { return list[i].version })
	b.strings("instance", n, func(i int) string { return list[i].instance })
	b.stringMaps("attributes", n, func(i int) []keyValue { return list[i].attributes })
	b.uint32s("first_seen", "DateTime", n, func(int) uint32 { return uint32(first) })
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(last) })
}
