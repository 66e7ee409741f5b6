package ingest

import (
	"encoding/binary"
	"errors"
)

// errMalformed is a request that is not the protobuf message it says it is. Sending it again cannot help.
var errMalformed = errors.New("malformed protobuf")

// reader walks the fields of one protobuf message in place. After any damage, bad is set and more is false, so that
// callers look once, after the loop.
type reader struct {
	b   []byte
	i   int
	bad bool
}

func (r *reader) more() bool { return r.i < len(r.b) }

func (r *reader) fail() { r.bad, r.i = true, len(r.b) }

// tag is field number << 3 | wire type.
func (r *reader) tag() uint64 {
	if c := r.b[r.i]; c < 0x80 {
		r.i++
		return uint64(c)
	}
	return r.uvarint()
}

func (r *reader) uvarint() uint64 {
	if r.i < len(r.b) {
		if c := r.b[r.i]; c < 0x80 {
			r.i++
			return uint64(c)
		}
	}
	return r.uvarintSlow()
}

func (r *reader) uvarintSlow() uint64 {
	v, n := binary.Uvarint(r.b[r.i:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.i += n
	return v
}

// bytes is the content of a length-delimited field; it aliases the message.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)-r.i) {
		r.fail()
		return nil
	}
	s := r.b[r.i : r.i+int(n) : r.i+int(n)]
	r.i += int(n)
	return s
}

func (r *reader) fixed64() uint64 {
	if len(r.b)-r.i < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b[r.i:])
	r.i += 8
	return v
}

func (r *reader) fixed32() uint32 {
	if len(r.b)-r.i < 4 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(r.b[r.i:])
	r.i += 4
	return v
}

// skip passes over a field that we do not know.
func (r *reader) skip(tag uint64) { r.skipNested(tag, 0) }

func (r *reader) skipNested(tag uint64, depth int) {
	if tag>>3 == 0 || depth > 64 {
		r.fail()
		return
	}
	switch tag & 7 {
	case 0:
		r.uvarint()
	case 1:
		r.fixed64()
	case 2:
		r.bytes()
	case 5:
		r.fixed32()
	case 3:
		for r.more() {
			t := r.tag()
			if t&7 == 4 {
				if t>>3 != tag>>3 {
					r.fail()
				}
				return
			}
			r.skipNested(t, depth+1)
		}
		r.fail()
	default:
		r.fail()
	}
}

// field tags: number << 3 | wire type.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// zigzag is the value of a sint32 field.
func zigzag(v uint64) int32 { return int32(uint32(v)>>1) ^ -int32(v&1) }

// packed calls each for every element of a repeated fixed64 field, which arrives packed or one by one.
func packedFixed64(b []byte, dst []uint64) []uint64 {
	for len(b) >= 8 {
		dst = append(dst, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	return dst
}

func packedVarint(b []byte, dst []uint64) ([]uint64, bool) {
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return dst, false
		}
		dst = append(dst, v)
		b = b[n:]
	}
	return dst, true
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
