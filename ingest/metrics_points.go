package ingest

import (
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

func compareKeys(a, b keyValue) int { return strings.Compare(a.key, b.key) }

func (p *point) attribute(b []byte) {
	p.attrs = append(p.attrs, b)
	p.hash = mix(p.hash, xxhash.Sum64(b))
}

// read fills a point of one of the metric types.
func (p *point) read(typ uint8, b []byte) bool {
	switch typ {
	case typeHistogram:
		return p.readHistogram(b)
	case typeExponential:
		return p.readExponential(b)
	case typeSummary:
		return p.readSummary(b)
	}
	return p.readNumber(b)
}

func (p *point) readNumber(b []byte) bool {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 2<<3 | wireFixed64:
			p.start = r.fixed64()
		case 3<<3 | wireFixed64:
			p.ts = r.fixed64()
		case 4<<3 | wireFixed64:
			p.value = math.Float64frombits(r.fixed64())
		case 5<<3 | wireBytes:
			p.exemplars = append(p.exemplars, r.bytes())
		case 6<<3 | wireFixed64:
			p.value = float64(int64(r.fixed64()))
		case 7<<3 | wireBytes:
			p.attribute(r.bytes())
		case 8<<3 | wireVarint:
			p.flags = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	return !r.bad
}

func (p *point) readHistogram(b []byte) bool {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 2<<3 | wireFixed64:
			p.start = r.fixed64()
		case 3<<3 | wireFixed64:
			p.ts = r.fixed64()
		case 4<<3 | wireFixed64:
			p.count = r.fixed64()
		case 5<<3 | wireFixed64:
			p.sum = math.Float64frombits(r.fixed64())
		case 6<<3 | wireBytes:
			p.counts = packedFixed64(r.bytes(), p.counts)
		case 6<<3 | wireFixed64:
			p.counts = append(p.counts, r.fixed64())
		case 7<<3 | wireBytes:
			p.bounds = packedFixed64(r.bytes(), p.bounds)
		case 7<<3 | wireFixed64:
			p.bounds = append(p.bounds, r.fixed64())
		case 8<<3 | wireBytes:
			p.exemplars = append(p.exemplars, r.bytes())
		case 9<<3 | wireBytes:
			p.attribute(r.bytes())
		case 10<<3 | wireVarint:
			p.flags = r.uvarint()
		case 11<<3 | wireFixed64:
			p.min = math.Float64frombits(r.fixed64())
		case 12<<3 | wireFixed64:
			p.max = math.Float64frombits(r.fixed64())
		default:
			r.skip(tag)
		}
	}
	p.value = p.sum
	return !r.bad
}

func (p *point) readExponential(b []byte) bool {
	r := reader{b: b}
	ok := true
	for r.more() && ok {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			p.attribute(r.bytes())
		case 2<<3 | wireFixed64:
			p.start = r.fixed64()
		case 3<<3 | wireFixed64:
			p.ts = r.fixed64()
		case 4<<3 | wireFixed64:
			p.count = r.fixed64()
		case 5<<3 | wireFixed64:
			p.sum = math.Float64frombits(r.fixed64())
		case 6<<3 | wireVarint:
			p.scale = zigzag(r.uvarint())
		case 7<<3 | wireFixed64:
			p.zeroCount = r.fixed64()
		case 8<<3 | wireBytes:
			p.positiveOff, p.counts, ok = readBuckets(r.bytes(), p.positiveOff, p.counts)
		case 9<<3 | wireBytes:
			p.negativeOff, p.negative, ok = readBuckets(r.bytes(), p.negativeOff, p.negative)
		case 10<<3 | wireVarint:
			p.flags = r.uvarint()
		case 11<<3 | wireBytes:
			p.exemplars = append(p.exemplars, r.bytes())
		case 12<<3 | wireFixed64:
			p.min = math.Float64frombits(r.fixed64())
		case 13<<3 | wireFixed64:
			p.max = math.Float64frombits(r.fixed64())
		case 14<<3 | wireFixed64:
			p.zeroThreshold = math.Float64frombits(r.fixed64())
		default:
			r.skip(tag)
		}
	}
	p.value = p.sum
	return ok && !r.bad
}

func readBuckets(b []byte, offset int32, counts []uint64) (int32, []uint64, bool) {
	r := reader{b: b}
	ok := true
	for r.more() && ok {
		switch tag := r.tag(); tag {
		case 1<<3 | wireVarint:
			offset = zigzag(r.uvarint())
		case 2<<3 | wireBytes:
			counts, ok = packedVarint(r.bytes(), counts)
		case 2<<3 | wireVarint:
			counts = append(counts, r.uvarint())
		default:
			r.skip(tag)
		}
	}
	return offset, counts, ok && !r.bad
}

func (p *point) readSummary(b []byte) bool {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 2<<3 | wireFixed64:
			p.start = r.fixed64()
		case 3<<3 | wireFixed64:
			p.ts = r.fixed64()
		case 4<<3 | wireFixed64:
			p.count = r.fixed64()
		case 5<<3 | wireFixed64:
			p.sum = math.Float64frombits(r.fixed64())
		case 6<<3 | wireBytes:
			q := reader{b: r.bytes()}
			var quantile, value uint64
			for q.more() {
				switch tag := q.tag(); tag {
				case 1<<3 | wireFixed64:
					quantile = q.fixed64()
				case 2<<3 | wireFixed64:
					value = q.fixed64()
				default:
					q.skip(tag)
				}
			}
			if q.bad {
				return false
			}
			p.bounds, p.values = append(p.bounds, quantile), append(p.values, value)
		case 7<<3 | wireBytes:
			p.attribute(r.bytes())
		case 8<<3 | wireVarint:
			p.flags = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	p.value = p.sum
	return !r.bad
}
