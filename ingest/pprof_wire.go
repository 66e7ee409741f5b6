package ingest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// pprofReader reads one profile in pprof's protobuf encoding (google/pprof, proto/profile.proto) in place. Its slices
// are reused by the next one; strings alias the message.
type pprofReader struct {
	strings   [][]byte
	types     []pprofType
	samples   []pprofSample
	mappings  []pprofMapping
	locations []pprofLocation
	functions []pprofFunction
	lines     []pprofLine
	labels    []pprofLabel
	stack     []uint32 // indices in locations, leaf first
	values    []int64
	comments  []uint64
	order     []uint32 // samples by labels and stack

	drop, keep, defaultType, docURL uint64
	periodType                      pprofType
	period                          int64

	mappingIDs, locationIDs, functionIDs pprofIDs

	rawSamples, rawLocations, rawFunctions, rawMappings, rawLabels [][]byte

	numbers []uint64
	scratch []byte
}

type pprofType struct{ name, unit uint64 }

type pprofSample struct {
	stack, stackEnd   uint32 // in stack
	values            uint32 // in values
	labels, labelsEnd uint32
	hash              uint64
	labelled          uint64 // hash of the labels, 0 without
}

type pprofMapping struct {
	hash                 uint64
	start, limit, offset uint64
	file, buildID        uint64
	flags                uint8
}

type pprofLocation struct {
	hash            uint64
	mapping         int // -1: none
	address         uint64
	lines, linesEnd uint32
	folded          bool
}

type pprofFunction struct {
	hash               uint64
	name, system, file uint64
	start              int64
}

type pprofLine struct {
	function     int // -1: none
	line, column int64
}

type pprofLabel struct {
	key, str, unit uint64
	num            int64
}

// pprofIDs finds the place of an id. Writers number from one on, so that a slice serves; others are in the map.
type pprofIDs struct {
	dense  []uint32 // place + 1
	sparse map[uint64]uint32
}

func (t *pprofIDs) reset(n int) {
	t.dense = append(t.dense[:0], make([]uint32, 2*n+2)...)
	clear(t.sparse)
}

// set reports false for an id that is taken.
func (t *pprofIDs) set(id uint64, place int) bool {
	if t.get(id) >= 0 {
		return false
	}
	if id < uint64(len(t.dense)) {
		t.dense[id] = uint32(place) + 1
		return true
	}
	if t.sparse == nil {
		t.sparse = map[uint64]uint32{}
	}
	t.sparse[id] = uint32(place) + 1
	return true
}

// get is -1 for an id that is not there.
func (t *pprofIDs) get(id uint64) int {
	if id < uint64(len(t.dense)) {
		return int(t.dense[id]) - 1
	}
	return int(t.sparse[id]) - 1
}

func (p *pprofReader) text(i uint64) []byte { return p.strings[i] }

// valueType is a type and its unit as "cpu/nanoseconds"; "" if there is none.
func (p *pprofReader) valueType(t pprofType) string {
	if t.name == 0 && t.unit == 0 {
		return ""
	}
	return string(p.text(t.name)) + "/" + string(p.text(t.unit))
}

func (p *pprofReader) reset() {
	p.strings, p.types, p.samples, p.mappings, p.locations = p.strings[:0], p.types[:0], p.samples[:0], p.mappings[:0], p.locations[:0]
	p.functions, p.lines, p.labels, p.stack, p.values, p.comments = p.functions[:0], p.lines[:0], p.labels[:0], p.stack[:0], p.values[:0], p.comments[:0]
	p.rawSamples, p.rawLocations, p.rawFunctions, p.rawMappings = p.rawSamples[:0], p.rawLocations[:0], p.rawFunctions[:0], p.rawMappings[:0]
	p.drop, p.keep, p.defaultType, p.docURL, p.period, p.periodType = 0, 0, 0, 0, 0, pprofType{}
}

// read reads a whole profile and checks that everything it refers to is there. Nothing outlives b.
func (p *pprofReader) read(b []byte, l *Limits) error {
	p.reset()
	if err := p.top(b); err != nil {
		return err
	}
	if len(p.strings) == 0 || len(p.strings[0]) != 0 {
		return fieldError("string_table does not begin with the empty string")
	}
	if len(p.types) == 0 {
		return fieldError("sample_type is missing")
	}
	for _, t := range append(p.types, p.periodType) {
		if !p.known(t.name, t.unit) {
			return fieldError("sample_type or period_type refers to a string that is not there")
		}
	}
	if !p.known(p.drop, p.keep, p.defaultType, p.docURL) || !p.known(p.comments...) {
		return fieldError("drop_frames, keep_frames, default_sample_type, doc_url or comment refers to a string that is not there")
	}
	if len(p.rawSamples) > l.ProfileSamples {
		return fieldError("sample has %d entries; the limit is %d (limit-profile-samples)", len(p.rawSamples), l.ProfileSamples)
	}
	for _, step := range []func(*Limits) error{p.readMappings, p.readFunctions, p.readLocations, p.readSamples} {
		if err := step(l); err != nil {
			return err
		}
	}
	return nil
}

func (p *pprofReader) known(ids ...uint64) bool {
	for _, i := range ids {
		if i >= uint64(len(p.strings)) {
			return false
		}
	}
	return true
}

func (p *pprofReader) top(b []byte) error {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			p.types = append(p.types, readValueType(&r))
		case 2<<3 | wireBytes:
			p.rawSamples = append(p.rawSamples, r.bytes())
		case 3<<3 | wireBytes:
			p.rawMappings = append(p.rawMappings, r.bytes())
		case 4<<3 | wireBytes:
			p.rawLocations = append(p.rawLocations, r.bytes())
		case 5<<3 | wireBytes:
			p.rawFunctions = append(p.rawFunctions, r.bytes())
		case 6<<3 | wireBytes:
			p.strings = append(p.strings, r.bytes())
		case 7<<3 | wireVarint:
			p.drop = r.uvarint()
		case 8<<3 | wireVarint:
			p.keep = r.uvarint()
		case 11<<3 | wireBytes:
			p.periodType = readValueType(&r)
		case 12<<3 | wireVarint:
			p.period = int64(r.uvarint())
		case 13<<3 | wireVarint:
			p.comments = append(p.comments, r.uvarint())
		case 13<<3 | wireBytes:
			p.comments = r.numbers(p.comments)
		case 14<<3 | wireVarint:
			p.defaultType = r.uvarint()
		case 15<<3 | wireVarint:
			p.docURL = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return errMalformed
	}
	return nil
}

// numbers appends a packed list of varints.
func (r *reader) numbers(dst []uint64) []uint64 {
	dst, ok := packedVarint(r.bytes(), dst)
	if !ok {
		r.fail()
	}
	return dst
}

func readValueType(outer *reader) (t pprofType) {
	r := reader{b: outer.bytes()}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			t.name = r.uvarint()
		case 2<<3 | wireVarint:
			t.unit = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		outer.fail()
	}
	return t
}

func (p *pprofReader) readMappings(*Limits) error {
	p.mappingIDs.reset(len(p.rawMappings))
	for i, b := range p.rawMappings {
		var m pprofMapping
		var id uint64
		r := reader{b: b}
		for r.more() {
			switch tag := r.tag(); tag {
			case 1<<3 | wireVarint:
				id = r.uvarint()
			case 2<<3 | wireVarint:
				m.start = r.uvarint()
			case 3<<3 | wireVarint:
				m.limit = r.uvarint()
			case 4<<3 | wireVarint:
				m.offset = r.uvarint()
			case 5<<3 | wireVarint:
				m.file = r.uvarint()
			case 6<<3 | wireVarint:
				m.buildID = r.uvarint()
			case 7<<3 | wireVarint, 8<<3 | wireVarint, 9<<3 | wireVarint, 10<<3 | wireVarint:
				if r.uvarint() != 0 {
					m.flags |= 1 << (tag>>3 - 7)
				}
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return fieldError("mapping %d is damaged", i)
		}
		if !p.known(m.file, m.buildID) {
			return fieldError("mapping %d refers to a string that is not there", i)
		}
		if id == 0 || !p.mappingIDs.set(id, len(p.mappings)) {
			return fieldError("mapping %d has the id %d, which is 0 or taken", i, id)
		}
		m.hash = p.mappingHash(&m)
		p.mappings = append(p.mappings, m)
	}
	return nil
}

// mappingHash identifies a mapping wherever it was loaded, as google/pprof does when it merges: by its size in whole
// pages, its offset, and its build id or else its file.
func (p *pprofReader) mappingHash(m *pprofMapping) uint64 {
	const page = 0x1000
	name := p.text(m.buildID)
	if len(name) == 0 {
		name = p.text(m.file)
	}
	s := append(p.scratch[:0], 'm')
	s = binary.LittleEndian.AppendUint64(s, (m.limit-m.start+page-1)/page*page)
	s = binary.LittleEndian.AppendUint64(s, m.offset)
	p.scratch = append(s, name...)
	return xxhash.Sum64(p.scratch)
}

func (p *pprofReader) readFunctions(*Limits) error {
	p.functionIDs.reset(len(p.rawFunctions))
	for i, b := range p.rawFunctions {
		var f pprofFunction
		var id uint64
		r := reader{b: b}
		for r.more() {
			switch tag := r.tag(); tag {
			case 1<<3 | wireVarint:
				id = r.uvarint()
			case 2<<3 | wireVarint:
				f.name = r.uvarint()
			case 3<<3 | wireVarint:
				f.system = r.uvarint()
			case 4<<3 | wireVarint:
				f.file = r.uvarint()
			case 5<<3 | wireVarint:
				f.start = int64(r.uvarint())
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return fieldError("function %d is damaged", i)
		}
		if !p.known(f.name, f.system, f.file) {
			return fieldError("function %d refers to a string that is not there", i)
		}
		if id == 0 || !p.functionIDs.set(id, len(p.functions)) {
			return fieldError("function %d has the id %d, which is 0 or taken", i, id)
		}
		s := append(p.scratch[:0], 'f')
		for _, t := range []uint64{f.name, f.system, f.file} {
			s = binary.AppendUvarint(s, uint64(len(p.text(t))))
			s = append(s, p.text(t)...)
		}
		p.scratch = binary.AppendVarint(s, f.start)
		f.hash = xxhash.Sum64(p.scratch)
		p.functions = append(p.functions, f)
	}
	return nil
}

func (p *pprofReader) readLocations(*Limits) error {
	p.locationIDs.reset(len(p.rawLocations))
	for i, b := range p.rawLocations {
		l := pprofLocation{mapping: -1, lines: uint32(len(p.lines))}
		var id, mapping uint64
		r := reader{b: b}
		for r.more() {
			switch tag := r.tag(); tag {
			case 1<<3 | wireVarint:
				id = r.uvarint()
			case 2<<3 | wireVarint:
				mapping = r.uvarint()
			case 3<<3 | wireVarint:
				l.address = r.uvarint()
			case 4<<3 | wireBytes:
				if err := p.readLine(r.bytes(), i); err != nil {
					return err
				}
			case 5<<3 | wireVarint:
				l.folded = r.uvarint() != 0
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return fieldError("location %d is damaged", i)
		}
		if mapping != 0 {
			if l.mapping = p.mappingIDs.get(mapping); l.mapping < 0 {
				return fieldError("location %d refers to mapping %d, which is not there", i, mapping)
			}
		}
		if id == 0 || !p.locationIDs.set(id, len(p.locations)) {
			return fieldError("location %d has the id %d, which is 0 or taken", i, id)
		}
		l.linesEnd = uint32(len(p.lines))
		l.hash = p.locationHash(&l)
		p.locations = append(p.locations, l)
	}
	return nil
}

func (p *pprofReader) readLine(b []byte, location int) error {
	ln := pprofLine{function: -1}
	var function uint64
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			function = r.uvarint()
		case 2<<3 | wireVarint:
			ln.line = int64(r.uvarint())
		case 3<<3 | wireVarint:
			ln.column = int64(r.uvarint())
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return fieldError("location %d has a damaged line", location)
	}
	if function != 0 {
		if ln.function = p.functionIDs.get(function); ln.function < 0 {
			return fieldError("location %d refers to function %d, which is not there", location, function)
		}
	}
	p.lines = append(p.lines, ln)
	return nil
}

// locationHash identifies a location by its mapping, the address in it, and the lines.
func (p *pprofReader) locationHash(l *pprofLocation) uint64 {
	s := append(p.scratch[:0], 'l')
	if l.folded {
		s[0] = 'L'
	}
	address, mapping := l.address, uint64(0)
	if l.mapping >= 0 {
		m := &p.mappings[l.mapping]
		address, mapping = address-m.start, m.hash
	}
	s = binary.LittleEndian.AppendUint64(s, address)
	s = binary.LittleEndian.AppendUint64(s, mapping)
	for _, ln := range p.lines[l.lines:l.linesEnd] {
		function := uint64(0)
		if ln.function >= 0 {
			function = p.functions[ln.function].hash
		}
		s = binary.LittleEndian.AppendUint64(s, function)
		s = binary.LittleEndian.AppendUint64(s, uint64(ln.line))
		s = binary.LittleEndian.AppendUint64(s, uint64(ln.column))
	}
	p.scratch = s
	return xxhash.Sum64(s)
}

func (p *pprofReader) readSamples(l *Limits) error {
	for i, b := range p.rawSamples {
		s := pprofSample{stack: uint32(len(p.stack)), values: uint32(len(p.values)), labels: uint32(len(p.labels))}
		p.numbers, p.rawLabels = p.numbers[:0], p.rawLabels[:0]
		r := reader{b: b}
		for r.more() {
			switch tag := r.tag(); tag {
			case 1<<3 | wireBytes:
				p.numbers = r.numbers(p.numbers)
			case 1<<3 | wireVarint:
				p.numbers = append(p.numbers, r.uvarint())
			case 2<<3 | wireBytes:
				for v := (reader{b: r.bytes()}); v.more(); r.bad = r.bad || v.bad {
					p.values = append(p.values, int64(v.uvarint()))
				}
			case 2<<3 | wireVarint:
				p.values = append(p.values, int64(r.uvarint()))
			case 3<<3 | wireBytes:
				p.rawLabels = append(p.rawLabels, r.bytes())
			default:
				r.skip(tag)
			}
		}
		if r.bad {
			return fieldError("sample %d is damaged", i)
		}
		if n := len(p.values) - int(s.values); n != len(p.types) {
			return fieldError("sample %d has %d values; sample_type has %d entries", i, n, len(p.types))
		}
		if len(p.numbers) > l.StackDepth {
			return fieldError("sample %d has %d locations; the limit is %d (limit-stack-depth)", i, len(p.numbers), l.StackDepth)
		}
		for _, id := range p.numbers {
			at := p.locationIDs.get(id)
			if at < 0 {
				return fieldError("sample %d refers to location %d, which is not there", i, id)
			}
			p.stack = append(p.stack, uint32(at))
		}
		for _, raw := range p.rawLabels {
			if err := p.readLabel(raw, i); err != nil {
				return err
			}
		}
		s.stackEnd, s.labelsEnd = uint32(len(p.stack)), uint32(len(p.labels))
		s.labelled = p.labelsHash(p.labels[s.labels:s.labelsEnd])
		p.scratch = append(p.scratch[:0], 's')
		for _, at := range p.stack[s.stack:s.stackEnd] {
			p.scratch = binary.LittleEndian.AppendUint64(p.scratch, p.locations[at].hash)
		}
		s.hash = xxhash.Sum64(p.scratch)
		p.samples = append(p.samples, s)
	}
	p.order = p.order[:0]
	for i := range p.samples {
		p.order = append(p.order, uint32(i))
	}
	slices.SortFunc(p.order, func(a, b uint32) int {
		x, y := &p.samples[a], &p.samples[b]
		if x.labelled != y.labelled {
			return cmp.Compare(x.labelled, y.labelled)
		}
		return cmp.Compare(x.hash, y.hash)
	})
	return nil
}

// labelsHash puts a sample's labels into order and identifies them.
func (p *pprofReader) labelsHash(labels []pprofLabel) uint64 {
	if len(labels) == 0 {
		return 0
	}
	slices.SortStableFunc(labels, func(a, b pprofLabel) int { return bytes.Compare(p.text(a.key), p.text(b.key)) })
	b := append(p.scratch[:0], 'a')
	for _, l := range labels {
		for _, i := range []uint64{l.key, l.str, l.unit} {
			b = binary.AppendUvarint(b, uint64(len(p.text(i))))
			b = append(b, p.text(i)...)
		}
		b = binary.AppendVarint(b, l.num)
	}
	p.scratch = b
	return xxhash.Sum64(b)
}

func (p *pprofReader) readLabel(b []byte, sample int) error {
	var l pprofLabel
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			l.key = r.uvarint()
		case 2<<3 | wireVarint:
			l.str = r.uvarint()
		case 3<<3 | wireVarint:
			l.num = int64(r.uvarint())
		case 4<<3 | wireVarint:
			l.unit = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return fieldError("sample %d has a damaged label", sample)
	}
	if !p.known(l.key, l.str, l.unit) {
		return fieldError("label of sample %d refers to a string that is not there", sample)
	}
	p.labels = append(p.labels, l)
	return nil
}
