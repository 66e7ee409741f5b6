package ingest

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
)

// packLabels keeps labels in one string, which takes a fraction of the memory of many: lengths as varints before names
// and values.
func packLabels(labels []keyValue) string {
	n := 0
	for _, l := range labels {
		n += len(l.key) + len(l.value) + 4
	}
	b := make([]byte, 0, n)
	for _, l := range labels {
		b = binary.AppendUvarint(b, uint64(len(l.key)))
		b = append(b, l.key...)
		b = binary.AppendUvarint(b, uint64(len(l.value)))
		b = append(b, l.value...)
	}
	return string(b)
}

func unpackLabels(packed string) []keyValue {
	var out []keyValue
	next := func() string {
		n, used := uvarintString(packed)
		s := packed[used : used+n]
		packed = packed[used+n:]
		return s
	}
	for packed != "" {
		key := next()
		out = append(out, keyValue{key: key, value: next(), typ: typeString})
	}
	return out
}

func uvarintString(s string) (value, used int) {
	for shift := 0; ; shift += 7 {
		c := s[used]
		used++
		value |= int(c&0x7f) << shift
		if c < 0x80 {
			return value, used
		}
	}
}

// attrs is the attributes of a series, or its labels if it came by remote write.
func (s *seriesInfo) attrs() []keyValue {
	if s.labels != "" {
		return unpackLabels(s.labels)
	}
	return s.attributes
}

// offered is the attributes whose values are offered for completion.
func (s *seriesInfo) offered() []keyValue {
	if s.labels == "" {
		return s.attributes
	}
	all := unpackLabels(s.labels)
	out := all[:0]
	for _, l := range all {
		if l.key != nameLabel {
			out = append(out, l)
		}
	}
	return out
}

// metricMeta is what a series measures.
type metricMeta struct {
	typ, temporality, unit, description, scope string
	monotonic                                  bool
}

// described is what a series measures; with remote write that may become known later.
func (s *seriesInfo) described() *metricMeta {
	if m := s.meta.Load(); m != nil {
		return m
	}
	return &metricMeta{s.typ, s.temporality, s.unit, s.description, s.scope, s.monotonic}
}

// families remembers what senders said about metrics: with version 1 apart from the samples, by the name of the family.
type families struct {
	changes atomic.Int64 // how often something new was said

	mu sync.RWMutex
	m  map[string]family // guarded by mu; at most maxFamilies
}

type family struct{ typ, help, unit string }

// maxFamilies is how many metrics are remembered for their metadata. What is beyond is stored without.
const maxFamilies = 100_000

func newFamilies() *families { return &families{m: map[string]family{}} }

func (f *families) set(name string, x family) {
	f.mu.RLock()
	known := f.m[name] == x
	f.mu.RUnlock()
	if known {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.m[name]; known || len(f.m) < maxFamilies {
		f.m[name] = x
		f.changes.Add(1)
	}
}

// familySuffixes are what the parts of a family are called after its name.
var familySuffixes = []string{"_bucket", "_count", "_sum", "_total", "_created", "_info"}

func (f *families) get(name string) family {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if x, ok := f.m[name]; ok {
		return x
	}
	for _, suffix := range familySuffixes {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if x, ok := f.m[base]; ok {
				return x
			}
		}
	}
	return family{}
}

// writtenTypes are the types of remote write, in the order of both versions' enumerations.
var writtenTypes = []string{"", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"}

func writtenType(n uint64) string {
	if n < uint64(len(writtenTypes)) {
		return writtenTypes[n]
	}
	return ""
}

// writeMetadata takes in a MetricMetadata of version 1.
func (d *decoder) writeMetadata(b []byte) bool {
	var typ uint64
	var name, help, unit []byte
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			typ = r.uvarint()
		case 2<<3 | wireBytes:
			name = r.bytes()
		case 4<<3 | wireBytes:
			help = r.bytes()
		case 5<<3 | wireBytes:
			unit = r.bytes()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if len(name) > 0 && len(name) <= d.limits.NameBytes {
		d.families.set(string(name), family{writtenType(typ), string(d.name(help)), string(d.name(unit))})
	}
	return true
}

// describe takes in a series of version 2 that has nothing but metadata.
func (d *decoder) describe(w *writeRequest) bool {
	if !w.version2 {
		return true
	}
	whyNot, ok := d.sortLabels(w)
	if whyNot != "" || !ok {
		if whyNot != "" {
			d.tally.rejectAll(whyNot, 1, w.example())
		}
		return ok
	}
	f := d.told(w)
	for _, l := range w.sorted {
		if l.key == nameLabel && f != (family{}) && !w.bad {
			d.families.set(l.value, f)
		}
	}
	return true
}

// told is the metadata of the series at hand.
func (d *decoder) told(w *writeRequest) family {
	if !w.version2 || w.metaType == 0 && w.help == 0 && w.unit == 0 {
		return family{}
	}
	f := family{typ: writtenType(w.metaType)}
	if n := uint64(len(w.symbols)); w.help < n && w.unit < n {
		f.help, f.unit = string(d.name(w.symbols[w.help])), string(d.name(w.symbols[w.unit]))
	}
	return f
}

// metaOf is what the series at hand measures, as far as its sender says, and else as its name suggests.
func (d *decoder) metaOf(w *writeRequest) *metricMeta {
	f := d.told(w)
	if f == (family{}) {
		f = d.families.get(w.info.name)
	}
	m := &metricMeta{typ: metricTypes[typeGauge], unit: f.unit, description: f.help, scope: remoteScope}
	if f.typ != "" {
		m.scope += "/" + f.typ
	}
	switch {
	case len(w.histograms) > 0:
		m.typ, m.temporality = metricTypes[typeExponential], temporalities[2]
	case cumulative(w.info.name, f.typ):
		m.typ, m.temporality, m.monotonic = metricTypes[typeSum], temporalities[2], true
	}
	return m
}

// cumulative tells whether a series of floats counts.
func cumulative(name, typ string) bool {
	part := strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum")
	switch typ {
	case "counter":
		return true
	case "histogram", "summary":
		return part
	case "":
		return part || strings.HasSuffix(name, "_total")
	}
	return false
}

// CountWritten counts what a remote write request holds, which may be malformed.
func CountWritten(body []byte, version2 bool) (samples, histograms, exemplars int) {
	series, histogramField, exemplarField := uint64(1<<3|wireBytes), uint64(4<<3|wireBytes), uint64(3<<3|wireBytes)
	if version2 {
		series, histogramField, exemplarField = 5<<3|wireBytes, 3<<3|wireBytes, 4<<3|wireBytes
	}
	r := reader{b: body}
	for r.more() {
		tag := r.tag()
		if tag != series {
			r.skip(tag)
			continue
		}
		s := reader{b: r.bytes()}
		for s.more() {
			tag := s.tag()
			switch tag {
			case 2<<3 | wireBytes:
				samples++
			case histogramField:
				histograms++
			case exemplarField:
				exemplars++
			}
			s.skip(tag)
		}
	}
	return samples, histograms, exemplars
}
