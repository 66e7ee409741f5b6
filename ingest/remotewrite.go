package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// RemoteWrite1 and RemoteWrite2 are metrics as Prometheus' remote write sends them: a prometheus.WriteRequest, or an
// io.prometheus.write.v2.Request, decompressed. Submit takes them in place of Metrics.
const (
	RemoteWrite1 Signal = 16
	RemoteWrite2 Signal = 17
)

// kind is the signal that a body holds, whatever its encoding.
func (s Signal) kind() Signal {
	if s == RemoteWrite1 || s == RemoteWrite2 {
		return Metrics
	}
	return s
}

// nameLabel is the label that a metric's name is. In a stored series it marks one that came by remote write, whose
// labels are to be read back exactly as they are.
const nameLabel = "__name__"

// remoteScope is the scope of series that came by remote write; the type their sender gave follows after a slash.
const remoteScope = "__prometheus__"

// maxSymbols is how many strings one request of remote write 2 may name. Each takes memory before it is used.
const maxSymbols = 1 << 20

var (
	errNotVersion1 = errors.New("not a prometheus.WriteRequest")
	errNotVersion2 = errors.New("not an io.prometheus.write.v2.Request")
	errSymbols     = errors.New("too many symbols")
)

// writeRequest is a remote write request being read, and the series of it at hand. Its slices are reused.
type writeRequest struct {
	version2 bool
	symbols  [][]byte // of version 2
	hashes   []uint64 // of symbols

	// The series at hand: its labels as messages in version 1, as references to symbols in version 2.
	labels                         [][]byte
	refs                           []uint32
	samples, histograms, exemplars [][]byte
	created                        int64 // ms; as early senders of version 2 had it
	metaType                       uint64
	help, unit                     uint64 // symbols
	bad                            bool   // it refers to symbols that are not there
	key                            uint64
	sorted                         []keyValue
	histogram                      promHistogram
	resource                       *resource
	info                           *seriesInfo
	nameID                         uint32
	before                         int // items accepted before the current sender's
	bytes                          int // of the current sender
}

// remoteWrite appends a remote write request.
func (d *decoder) remoteWrite(c *metricColumns, body []byte, version2 bool) error {
	w := &d.write
	w.version2, w.resource, w.bytes, w.before = version2, nil, 0, d.tally.accepted
	series, metadata := uint64(1<<3|wireBytes), uint64(3<<3|wireBytes)
	if version2 {
		series, metadata = 5<<3|wireBytes, 0
		if err := w.readSymbols(body); err != nil {
			return err
		}
	}
	r := reader{b: body}
	for r.more() {
		switch tag := r.tag(); {
		case tag == series:
			if !d.writeSeries(c, r.bytes()) {
				return errMalformed
			}
		case tag == metadata:
			if !d.writeMetadata(r.bytes()) {
				return errMalformed
			}
		case version2 && tag>>3 < 4:
			return errNotVersion2
		case !version2 && (tag>>3 == 4 || tag>>3 == 5):
			return errNotVersion1
		default:
			r.skip(tag)
		}
	}
	w.charge(d, nil)
	if r.bad {
		return errMalformed
	}
	return nil
}

// readSymbols collects the strings of a request of version 2.
func (w *writeRequest) readSymbols(body []byte) error {
	w.symbols, w.hashes = w.symbols[:0], w.hashes[:0]
	r := reader{b: body}
	for r.more() {
		tag := r.tag()
		if tag != 4<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if len(w.symbols) == maxSymbols {
			return errSymbols
		}
		s := r.bytes()
		w.symbols = append(w.symbols, s)
		w.hashes = append(w.hashes, xxhash.Sum64(s))
	}
	if r.bad {
		return errMalformed
	}
	if len(w.symbols) > 0 && len(w.symbols[0]) != 0 {
		return errors.New("the first symbol is not the empty string")
	}
	return nil
}

func (w *writeRequest) symbol(ref uint64) []byte {
	if ref >= uint64(len(w.symbols)) {
		w.bad = true
		return nil
	}
	return w.symbols[ref]
}

// readSeries finds the parts of one TimeSeries and hashes its labels as they are encoded.
func (w *writeRequest) readSeries(b []byte) bool {
	w.labels, w.refs = w.labels[:0], w.refs[:0]
	w.samples, w.histograms, w.exemplars = w.samples[:0], w.histograms[:0], w.exemplars[:0]
	w.created, w.metaType, w.help, w.unit, w.bad = 0, 0, 0, 0, false
	if !w.version2 {
		return w.readSeries1(b)
	}
	if !w.readSeries2(b) {
		return false
	}
	w.key = 0x9d2c5680
	for _, ref := range w.refs {
		w.symbol(uint64(ref))
		if w.bad {
			return true
		}
		w.key = mix(w.key, w.hashes[ref])
	}
	w.bad = len(w.refs)%2 != 0
	return true
}

func (w *writeRequest) readSeries1(b []byte) bool {
	w.key = 0x6c078965
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			label := r.bytes()
			w.labels = append(w.labels, label)
			w.key = mix(w.key, xxhash.Sum64(label))
		case 2<<3 | wireBytes:
			w.samples = append(w.samples, r.bytes())
		case 3<<3 | wireBytes:
			w.exemplars = append(w.exemplars, r.bytes())
		case 4<<3 | wireBytes:
			w.histograms = append(w.histograms, r.bytes())
		default:
			r.skip(tag)
		}
	}
	return !r.bad
}

func (w *writeRequest) readSeries2(b []byte) bool {
	ok := true
	r := reader{b: b}
	for r.more() && ok {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			w.refs, ok = packedRefs(r.bytes(), w.refs)
		case 1<<3 | wireVarint:
			w.refs = append(w.refs, uint32(r.uvarint()))
		case 2<<3 | wireBytes:
			w.samples = append(w.samples, r.bytes())
		case 3<<3 | wireBytes:
			w.histograms = append(w.histograms, r.bytes())
		case 4<<3 | wireBytes:
			w.exemplars = append(w.exemplars, r.bytes())
		case 5<<3 | wireBytes:
			ok = w.readMetadata2(r.bytes())
		case 6<<3 | wireVarint:
			w.created = int64(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	return ok && !r.bad
}

func (w *writeRequest) readMetadata2(b []byte) bool {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			w.metaType = r.uvarint()
		case 3<<3 | wireVarint:
			w.help = r.uvarint()
		case 4<<3 | wireVarint:
			w.unit = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	return !r.bad
}

func packedRefs(b []byte, dst []uint32) ([]uint32, bool) {
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return dst, false
		}
		dst = append(dst, uint32(min(v, math.MaxUint32)))
		b = b[n:]
	}
	return dst, true
}

// eachLabel calls f for a set of labels; it reports whether they could be read.
func (w *writeRequest) eachLabel(messages [][]byte, refs []uint32, f func(name, value []byte)) bool {
	for i := 0; i+1 < len(refs); i += 2 {
		f(w.symbol(uint64(refs[i])), w.symbol(uint64(refs[i+1])))
	}
	for _, m := range messages {
		var name, value []byte
		r := reader{b: m}
		for r.more() {
			switch tag := r.tag(); tag {
			case 1<<3 | wireBytes:
				name = r.bytes()
			case 2<<3 | wireBytes:
				value = r.bytes()
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return false
		}
		f(name, value)
	}
	return true
}

// sortLabels reads the labels of the series at hand. Labels without a value are none, as in Prometheus. Why not says
// why they are not accepted.
func (d *decoder) sortLabels(w *writeRequest) (whyNot string, ok bool) {
	w.sorted = w.sorted[:0]
	ok = w.eachLabel(w.labels, w.refs, func(name, value []byte) {
		switch {
		case len(value) == 0:
		case len(name) == 0, len(name) > d.limits.KeyBytes, len(value) > d.limits.ValueBytes, !utf8.Valid(name), !utf8.Valid(value):
			whyNot = rejectLabels
		default:
			w.sorted = append(w.sorted, keyValue{key: string(name), value: string(value), typ: typeString})
		}
	})
	slices.SortFunc(w.sorted, compareKeys)
	named := false
	for i, l := range w.sorted {
		if i > 0 && l.key == w.sorted[i-1].key {
			whyNot = rejectLabels
		}
		if l.key == nameLabel {
			named = true
			if len(l.value) > d.limits.NameBytes {
				whyNot = rejectLabels
			}
		}
	}
	switch {
	case len(w.sorted) > d.limits.Attributes, w.bad:
		whyNot = rejectLabels
	case whyNot == "" && !named:
		whyNot = rejectNoName
	}
	return whyNot, ok
}

// writeSeries appends what one TimeSeries holds. It reports false if that is malformed.
func (d *decoder) writeSeries(c *metricColumns, b []byte) bool {
	w := &d.write
	if !w.readSeries(b) {
		return false
	}
	points := len(w.samples) + len(w.histograms)
	if points+len(w.exemplars) == 0 {
		return d.describe(w)
	}
	whyNot, ok := d.findWritten(w)
	if !ok {
		return false
	}
	if whyNot != "" {
		d.tally.rejectAll(whyNot, max(points, 1), w.example())
		return true
	}
	s := w.info
	w.charge(d, s.resource)
	w.bytes += len(b)
	c.resources.id(s.resource)
	w.nameID = c.names.idString(s.name)
	for _, m := range w.samples {
		if !d.writeSample(c, w, m) {
			return false
		}
	}
	for _, m := range w.histograms {
		if !d.writeHistogram(c, w, m) {
			return false
		}
	}
	for _, m := range w.exemplars {
		if !d.writeExemplar(c, w, m) {
			return false
		}
	}
	return true
}

// example names the series at hand to a person: its name, or whatever label it has.
func (w *writeRequest) example() []byte {
	for _, l := range w.sorted {
		if l.key == nameLabel {
			return []byte(l.value)
		}
	}
	var b []byte
	for _, l := range w.sorted {
		b = append(b, l.key+"="+l.value+" "...)
	}
	return bytes.TrimSpace(b)
}

// charge counts what the sender so far has sent, before another one's series.
func (w *writeRequest) charge(d *decoder, next *resource) {
	if next == w.resource && next != nil {
		return
	}
	if w.resource != nil {
		d.sent(w.resource, Metrics, w.before, w.bytes)
	}
	w.resource, w.bytes, w.before = next, 0, d.tally.accepted
	if next != nil {
		d.tally.service = next.service
	}
}

// findWritten finds the series at hand, or says why it is not accepted.
func (d *decoder) findWritten(w *writeRequest) (whyNot string, ok bool) {
	w.sorted = w.sorted[:0]
	if w.bad {
		return rejectLabels, true
	}
	if w.info = d.series.get(w.key); w.info != nil {
		return "", true
	}
	if whyNot, ok = d.sortLabels(w); whyNot != "" || !ok {
		return whyNot, ok
	}
	info := d.newWritten(w)
	limit := d.limits.Series
	if d.caps != nil {
		limit = d.caps.series(info.name)
	}
	if w.info = d.series.put(w.key, info, limit, d.received/nanosPerSecond); w.info == nil {
		return rejectSeries, true
	}
	return "", true
}

// newWritten makes a series of sorted labels. Its sender is the job and the instance.
func (d *decoder) newWritten(w *writeRequest) *seriesInfo {
	s := &seriesInfo{labels: packLabels(w.sorted)}
	var job, instance string
	for _, l := range w.sorted {
		switch l.key {
		case nameLabel:
			s.name = l.value
		case "job":
			job = l.value
		case "instance":
			instance = l.value
		}
	}
	s.resource = d.writer(job, instance)
	s.fingerprint = s.resource.placed(mix(0x5bd1e995, fingerprint(remoteScope, w.sorted)))
	return s
}

// writer is the resource of a job and an instance.
func (d *decoder) writer(job, instance string) *resource {
	hash := mix(xxhash.Sum64String(job)+1, xxhash.Sum64String(instance))
	if r := d.resources.get(hash); r != nil {
		return r
	}
	var attrs []keyValue
	if job != "" {
		attrs = append(attrs, keyValue{"service.name", string(cut([]byte(job), d.limits.ValueBytes)), typeString})
	}
	if instance != "" {
		attrs = append(attrs, keyValue{"service.instance.id", string(cut([]byte(instance), d.limits.ValueBytes)), typeString})
	}
	return d.resources.put(hash, newResource(attrs))
}

// queueSeries has the row of the series at hand written if that is due at a time in milliseconds, or if senders have
// said something else about its metric since.
func (d *decoder) queueSeries(c *metricColumns, w *writeRequest, ts int64) {
	due, news := w.info.due(ts/1000), d.families.changes.Load()
	if !due && w.info.metaSeen.Load() == news {
		return
	}
	w.info.metaSeen.Store(news)
	m := d.metaOf(w)
	if known := w.info.meta.Load(); due || known == nil || *known != *m {
		w.info.meta.Store(m)
		c.newSeries = append(c.newSeries, w.info)
	}
}

// checkWritten says why a point of the series at hand is not accepted. bits tell values apart.
func (d *decoder) checkWritten(s *seriesInfo, ts int64, bits uint64) string {
	switch {
	case ts > d.newest/1e6:
		return rejectFuture
	case ts < 0, ts < d.oldest/1e6:
		return rejectTooOld
	case d.caps == nil: // replayed: it was accepted before
		return ""
	}
	newest := s.newest.Load()
	switch {
	case ts > newest:
		s.newest.Store(ts)
		s.newestBits.Store(bits)
	case ts == newest && s.newestBits.Load() != bits:
		return rejectDuplicate
	case newest-ts > d.limits.OutOfOrder.Milliseconds():
		return rejectOutOfOrder
	}
	return ""
}

// writeSample appends one float.
func (d *decoder) writeSample(c *metricColumns, w *writeRequest, m []byte) bool {
	var bits uint64
	var ts, start int64
	r := reader{b: m}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireFixed64:
			bits = r.fixed64()
		case 2<<3 | wireVarint:
			ts = int64(r.uvarint())
		case 3<<3 | wireVarint:
			start = int64(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if reason := d.checkWritten(w.info, ts, bits); reason != "" {
		d.tally.reject(reason, []byte(w.info.name))
		return true
	}
	if start == 0 {
		start = w.created
	}
	flags := byte(0)
	if bits == staleNaN {
		flags = flagNoValue
	}
	d.appendWritten(c, w, ts, start, math.Float64frombits(bits), flags)
	d.tally.samples++
	return true
}

func (d *decoder) appendWritten(c *metricColumns, w *writeRequest, ts, start int64, value float64, flags byte) {
	d.queueSeries(c, w, ts)
	c.name = append(c.name, w.nameID)
	c.series = append(c.series, w.info.fingerprint)
	c.ts = append(c.ts, ts)
	c.start = append(c.start, max(start, 0))
	c.value = append(c.value, value)
	c.flags = append(c.flags, flags)
	d.tally.accepted++
}

// writeExemplar appends one exemplar. It is no item: one that is too old is left out and counted.
func (d *decoder) writeExemplar(c *metricColumns, w *writeRequest, m []byte) bool {
	var value float64
	var ts int64
	var messages [][]byte
	var refs []uint32
	ok := true
	r := reader{b: m}
	for r.more() && ok {
		switch tag := r.tag(); {
		case tag == 1<<3|wireBytes && w.version2:
			refs, ok = packedRefs(r.bytes(), refs)
		case tag == 1<<3|wireVarint && w.version2:
			refs = append(refs, uint32(r.uvarint()))
		case tag == 1<<3|wireBytes:
			messages = append(messages, r.bytes())
		case tag == 2<<3|wireFixed64:
			value = math.Float64frombits(r.fixed64())
		case tag == 3<<3|wireVarint:
			ts = int64(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	if r.bad || !ok {
		return false
	}
	if ts < d.oldest/1e6 || ts > d.newest/1e6 {
		d.tally.truncated(truncatedExemplars, 1, w.info.name)
		return true
	}
	var traceID, spanID []byte
	var attrs []keyValue
	if !w.eachLabel(messages, refs, func(name, value []byte) {
		switch {
		case string(name) == "trace_id" && traceID == nil && len(unhex(value, 16)) == 16:
			traceID = unhex(value, 16)
		case string(name) == "span_id" && spanID == nil && len(unhex(value, 8)) == 8:
			spanID = unhex(value, 8)
		case len(attrs) < d.limits.Attributes && len(value) <= d.limits.ValueBytes && len(name) <= d.limits.KeyBytes && utf8.Valid(name) && utf8.Valid(value):
			attrs = append(attrs, keyValue{key: string(name), value: string(value)})
		}
	}) {
		return false
	}
	if w.bad {
		w.bad = false
		d.tally.truncated(truncatedExemplars, 1, w.info.name)
		return true
	}
	d.queueSeries(c, w, ts)
	e := &c.exemplars
	e.name = append(e.name, w.nameID)
	e.series = append(e.series, w.info.fingerprint)
	e.ts = append(e.ts, ts)
	e.value = append(e.value, value)
	e.traceID = append(e.traceID, sized(traceID, 16)...)
	e.spanID = append(e.spanID, sized(spanID, 8)...)
	e.attrs = append(e.attrs, attrs)
	d.tally.exemplars++
	return true
}

// unhex is the n bytes that lower-case hexadecimal digits stand for, nil if they do not or if all are zero.
func unhex(s []byte, n int) []byte {
	if len(s) != 2*n {
		return nil
	}
	out := make([]byte, n)
	any := byte(0)
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return nil
		}
		out[i/2] = out[i/2]<<4 | c
		any |= c
	}
	if any == 0 {
		return nil
	}
	return out
}
