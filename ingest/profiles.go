package ingest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Profile is one pprof profile as it is submitted under the signal Profiles.
type Profile struct {
	// Resource are the attributes of who was profiled; service.name among them.
	Resource map[string]string
	// Type is what was profiled: cpu, heap, goroutine, mutex, block, threadcreate or a name of the sender's own.
	Type string
	// Start in Unix nanoseconds and Duration in nanoseconds; a momentary profile has no duration.
	Start, Duration int64
	// Source is how it came in: push, pyroscope, otlp or scrape.
	Source string
	// Cumulative tells that values count since the process began. Then each sample has its values twice over: as
	// reported, and what they grew by since the profile before.
	Cumulative bool
	// Pprof is the profile in pprof's protobuf encoding, not compressed.
	Pprof []byte
}

// The fields of a submitted profile. The resource has the number it has in OTLP, so that one function reads all.
const (
	fieldResource   = 1<<3 | wireBytes
	fieldType       = 2<<3 | wireBytes
	fieldStart      = 3<<3 | wireVarint
	fieldDuration   = 4<<3 | wireVarint
	fieldSource     = 5<<3 | wireBytes
	fieldCumulative = 6<<3 | wireVarint
	fieldPprof      = 7<<3 | wireBytes
)

// Append encodes a profile for Submit.
func (p *Profile) Append(b []byte) []byte {
	var resource, kv []byte
	keys := make([]string, 0, len(p.Resource))
	for k := range p.Resource {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := p.Resource[k]
		value := appendField(nil, 1<<3|wireBytes, v)
		kv = appendField(kv[:0], 1<<3|wireBytes, k)
		kv = appendField(kv, 2<<3|wireBytes, value)
		resource = appendField(resource, 1<<3|wireBytes, kv)
	}
	b = slices.Grow(b, len(p.Pprof)+len(resource)+len(p.Type)+64)
	b = appendField(b, fieldResource, resource)
	b = appendField(b, fieldType, p.Type)
	b = binary.AppendUvarint(append(b, fieldStart), uint64(p.Start))
	b = binary.AppendUvarint(append(b, fieldDuration), uint64(p.Duration))
	b = appendField(b, fieldSource, p.Source)
	if p.Cumulative {
		b = append(b, fieldCumulative, 1)
	}
	return appendField(b, fieldPprof, p.Pprof)
}

func appendField[T string | []byte](b []byte, tag byte, v T) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(v)))
	return append(b, v...)
}

// profileValues is how many values a row holds; a profile with more sample types becomes several.
const profileValues = 4

// profileColumns is the profiles of a batch: their heads, their samples, and the stacks, locations and mappings that
// are not known to be stored.
type profileColumns struct {
	heads     []profileHead
	resources resourceTable

	// groups are the rows: the samples of one profile that have the same labels.
	groups []sampleGroup
	labels attributes // by group
	units  []uint32   // of numeric labels, parallel to labels.key; ids in labels.values

	// Samples, group by group and in each in order of their stacks.
	stack  []uint64
	values [profileValues][]int64
	grown  [profileValues][]int64 // of cumulative profiles; 0 otherwise

	stacks    []stackRow
	locations []locationRow
	mappings  []mappingRow
	arena     []uint64            // what stackRow.locations point into
	batched   map[uint64]struct{} // what this batch brings already
}

// sampleGroup is a row of the table profile_values.
type sampleGroup struct {
	head     uint32 // in heads
	from, to uint32 // samples
}

// profileHead is one profile, or as much of it as has profileValues sample types.
type profileHead struct {
	resource              uint32
	start, duration       int64
	typ, source           string
	sampleTypes           string // "samples/count,cpu/nanoseconds"
	periodType            string // "cpu/nanoseconds"
	defaultType           string
	dropFrames, keepFrams string
	docURL                string
	comments              []string
	period                int64
	samples               uint32
	values                int // sample types, at most profileValues
	bytes                 uint32
	mapping               uint64 // the main binary's
	cumulative            bool
	totals                [profileValues]int64 // grown ones, where values are cumulative
}

type stackRow struct {
	service   string
	hash      uint64
	locations []uint64 // from the root to the leaf
}

type locationRow struct {
	service string
	hash    uint64
	mapping uint64
	address uint64 // from the start of the mapping
	folded  bool
	lines   []lineRow // the innermost inlined function first
}

type lineRow struct {
	function, system, file string
	start, line, column    int64
}

type mappingRow struct {
	hash                 uint64
	start, limit, offset uint64
	file, buildID        string
	flags                uint8 // 1 functions, 2 file names, 4 line numbers, 8 inlined frames
}

func newProfileColumns() *profileColumns {
	return &profileColumns{labels: newAttributes(), resources: newResourceTable(), batched: map[uint64]struct{}{}}
}

// rows counts samples, which a batch is bounded by.
func (c *profileColumns) rows() int { return len(c.stack) }

func (c *profileColumns) reset() {
	c.truncate(profileMark{})
	clear(c.heads[:cap(c.heads)])
	c.labels.reset()
	c.resources.reset()
	clear(c.batched)
	clear(c.stacks[:cap(c.stacks)])
	clear(c.locations[:cap(c.locations)])
	clear(c.mappings[:cap(c.mappings)])
	c.stacks, c.locations, c.mappings, c.arena = c.stacks[:0], c.locations[:0], c.mappings[:0], nil
}

// profileMark is how far the columns had got. What a refused profile has brought in stacks and locations may stay:
// they are true all the same.
type profileMark struct{ heads, groups, samples int }

func (c *profileColumns) mark() profileMark {
	return profileMark{len(c.heads), len(c.groups), c.rows()}
}

func (c *profileColumns) truncate(m profileMark) {
	c.heads, c.groups, c.stack = c.heads[:m.heads], c.groups[:m.groups], c.stack[:m.samples]
	for i := range profileValues {
		c.values[i], c.grown[i] = c.values[i][:m.samples], c.grown[i][:m.samples]
	}
	c.labels.truncate(m.groups)
	c.units = c.units[:len(c.labels.key)]
}

// A fieldError says which part of a profile cannot be accepted.
func fieldError(format string, args ...any) error {
	return fmt.Errorf("the profile's "+format, args...)
}

// profiles appends one submitted profile.
func (d *decoder) profiles(c *profileColumns, body []byte) error {
	res, ok := d.decodeResource(body)
	if !ok {
		return errMalformed
	}
	h := profileHead{resource: c.resources.id(res)}
	var raw []byte
	r := reader{b: body}
	for r.more() {
		switch tag := r.tag(); tag {
		case fieldType:
			h.typ = string(d.name(r.bytes()))
		case fieldStart:
			h.start = int64(r.uvarint())
		case fieldDuration:
			h.duration = int64(r.uvarint())
		case fieldSource:
			h.source = string(r.bytes())
		case fieldCumulative:
			h.cumulative = r.uvarint() != 0
		case fieldPprof:
			raw = r.bytes()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return errMalformed
	}
	before := d.tally.accepted
	if reason := d.checkTime(uint64(h.start)); reason != "" {
		d.tally.reject(reason, []byte(res.service+" "+h.typ))
		return nil
	}
	h.bytes = uint32(len(raw))
	p := &d.pprof
	if err := p.read(raw, d.limits); err != nil {
		return err
	}
	if err := p.store(d, c, h, res.service); err != nil {
		return err
	}
	d.sent(res, Profiles, before, len(body))
	return nil
}

// store appends what was read to the columns.
func (p *pprofReader) store(d *decoder, c *profileColumns, h profileHead, service string) error {
	types := len(p.types)
	if h.cumulative {
		if types%2 != 0 {
			return fieldError("sample_type has %d entries, which cannot be twice the same", types)
		}
		types /= 2
	}
	h.periodType, h.period, h.defaultType = p.valueType(p.periodType), p.period, string(d.name(p.text(p.defaultType)))
	h.dropFrames, h.keepFrams, h.docURL = string(d.name(p.text(p.drop))), string(d.name(p.text(p.keep))), string(d.name(p.text(p.docURL)))
	for _, i := range p.comments {
		h.comments = append(h.comments, string(d.text(p.text(i))))
	}
	if len(p.mappings) > 0 {
		h.mapping = p.mappings[0].hash
	}
	if err := p.learn(d, c, service); err != nil {
		return err
	}
	for part := 0; part == 0 || part < types; part += profileValues {
		p.part(d, c, h, part, min(types-part, profileValues), types)
	}
	return nil
}

// part appends the samples with n of their values, from the first-th on.
func (p *pprofReader) part(d *decoder, c *profileColumns, h profileHead, first, n, types int) {
	names := make([]byte, 0, 64)
	for i := range n {
		if i > 0 {
			names = append(names, ',')
		}
		names = append(names, p.valueType(p.types[first+i])...)
	}
	h.sampleTypes, h.values, h.samples = string(names), n, uint32(len(p.samples))
	at := uint32(len(c.heads))
	for from := 0; from < len(p.order); {
		to := from + 1
		for to < len(p.order) && p.samples[p.order[to]].labelled == p.samples[p.order[from]].labelled {
			to++
		}
		begun := uint32(len(c.stack))
		for _, i := range p.order[from:to] {
			p.sample(c, &h, &p.samples[i], first, n, types)
		}
		p.label(d, c, &p.samples[p.order[from]], to-from)
		c.labels.closeRow()
		c.groups = append(c.groups, sampleGroup{at, begun, uint32(len(c.stack))})
		from = to
	}
	c.heads = append(c.heads, h)
	d.tally.accepted += max(len(p.samples), 1) // an idle minute is a profile too
}

// sample appends n values of one sample, and adds them to the head's totals.
func (p *pprofReader) sample(c *profileColumns, h *profileHead, s *pprofSample, first, n, types int) {
	c.stack = append(c.stack, s.hash)
	values := p.values[s.values : s.values+uint32(len(p.types))]
	for j := range profileValues {
		var v, g int64
		if j < n {
			v = values[first+j]
			if h.cumulative {
				g = values[types+first+j]
				h.totals[j] += g
			} else {
				h.totals[j] += v
			}
		}
		c.values[j], c.grown[j] = append(c.values[j], v), append(c.grown[j], g)
	}
}

// label appends the labels that some samples share.
func (p *pprofReader) label(d *decoder, c *profileColumns, s *pprofSample, samples int) {
	kept := 0
	for _, l := range p.labels[s.labels:s.labelsEnd] {
		if kept++; kept > d.limits.Attributes {
			d.tally.truncated(truncatedAttributes, samples, string(p.text(l.key)))
			continue
		}
		key := d.name(p.text(l.key))
		if l.str != 0 {
			c.labels.add(key, d.text(p.text(l.str)), typeString)
		} else {
			d.scratch = strconv.AppendInt(d.scratch[:0], l.num, 10)
			c.labels.add(key, d.scratch, typeInt)
		}
		c.units = append(c.units, c.labels.values.id(d.name(p.text(l.unit))))
	}
}

// learn appends the stacks, locations and mappings that may not be stored yet.
func (p *pprofReader) learn(d *decoder, c *profileColumns, service string) error {
	of := xxhash.Sum64String(service)
	now := d.received / nanosPerSecond
	news := func(hash uint64) bool {
		key := hash ^ of
		if _, ok := c.batched[key]; ok || d.stacks != nil && d.stacks.fresh(key, now) {
			return false
		}
		c.batched[key] = struct{}{}
		return true
	}
	for i := range p.samples {
		s := &p.samples[i]
		ids := p.stack[s.stack:s.stackEnd]
		if !news(s.hash) {
			continue
		}
		from := len(c.arena)
		for _, l := range slices.Backward(ids) {
			c.arena = append(c.arena, p.locations[l].hash)
			if loc := &p.locations[l]; news(loc.hash) {
				if err := p.learnLocation(c, loc, service, news); err != nil {
					return err
				}
			}
		}
		c.stacks = append(c.stacks, stackRow{service, s.hash, c.arena[from:len(c.arena):len(c.arena)]})
	}
	if len(p.samples) == 0 && len(p.mappings) > 0 && news(p.mappings[0].hash) {
		c.mappings = append(c.mappings, p.mappings[0].row(p))
	}
	return nil
}

func (p *pprofReader) learnLocation(c *profileColumns, l *pprofLocation, service string, news func(uint64) bool) error {
	row := locationRow{service: service, hash: l.hash, address: l.address, folded: l.folded}
	if l.mapping >= 0 {
		m := &p.mappings[l.mapping]
		row.mapping, row.address = m.hash, l.address-m.start
		if news(m.hash) {
			c.mappings = append(c.mappings, m.row(p))
		}
	}
	for _, ln := range p.lines[l.lines:l.linesEnd] {
		x := lineRow{line: ln.line, column: ln.column}
		if ln.function >= 0 {
			f := &p.functions[ln.function]
			x.function, x.system, x.file, x.start = string(p.text(f.name)), string(p.text(f.system)), string(p.text(f.file)), f.start
		}
		row.lines = append(row.lines, x)
	}
	c.locations = append(c.locations, row)
	return nil
}

func (m *pprofMapping) row(p *pprofReader) mappingRow {
	return mappingRow{m.hash, m.start, m.limit, m.offset, string(p.text(m.file)), string(p.text(m.buildID)), m.flags}
}
