package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// payload is one encoded request and the places in it that change from sending to sending. While it is built, each
// such place holds eight bytes: mark in the upper half, the slot's number in the lower. They are found again in the
// encoding, whatever message they ended up in, because trace and span ids, times, integers and doubles are all
// little-endian and fixed in OTLP.
type payload struct {
	body  []byte
	slots []slot
	items int
}

// slot is one place: what stands there and how it follows the sending's number and time.
type slot struct {
	at   int
	kind slotKind
	a, b uint64
}

type slotKind uint8

const (
	slotID      slotKind = iota // a, made unique by the sending's number; equal a stay equal within one sending
	slotTime                    // now + a ns
	slotCounter                 // an integer, growing by about b a second from a
	slotSum                     // the same as a double
	slotGauge                   // a double around a, give or take b, with two decimals
)

const mark = uint64(0x9E57AB1E) << 32

// slot reserves a place and returns what to write there.
func (p *payload) slot(kind slotKind, a, b uint64) uint64 {
	p.slots = append(p.slots, slot{kind: kind, a: a, b: b})
	return mark | uint64(len(p.slots)-1)
}

// float is slot for a field that holds a double.
func (p *payload) float(kind slotKind, a, b uint64) float64 {
	return math.Float64frombits(p.slot(kind, a, b))
}

// seal takes the encoding and finds the slots in it. A slot may have been written more than once: the id of a parent.
func (p *payload) seal(body []byte) error {
	p.body = body
	var m [4]byte
	binary.LittleEndian.PutUint32(m[:], uint32(mark>>32))
	found := make([]bool, len(p.slots))
	var located []slot
	for from := 4; ; {
		i := bytes.Index(body[from:], m[:])
		if i < 0 {
			break
		}
		at := from + i - 4
		from += i + 4
		n := binary.LittleEndian.Uint32(body[at:])
		if int(n) >= len(p.slots) {
			return fmt.Errorf("the mark occurs by chance at %d: choose another seed", at)
		}
		s := p.slots[n]
		s.at = at
		located, found[n] = append(located, s), true
	}
	for n, ok := range found {
		if !ok {
			return fmt.Errorf("slot %d of kind %d is not in the encoding", n, p.slots[n].kind)
		}
	}
	p.slots = located
	return nil
}

// patch writes the request of one sending to dst. nowNano is a little in the past, so that no time lies ahead.
func (p *payload) patch(dst []byte, sending, nowNano uint64) []byte {
	dst = append(dst[:0], p.body...)
	salt := mixed(sending)
	seconds := float64(nowNano%1e15) / 1e9
	for i := range p.slots {
		s := &p.slots[i]
		var v uint64
		switch s.kind {
		case slotID:
			v = mixed(s.a ^ salt)
		case slotTime:
			v = nowNano + s.a
		case slotCounter:
			v = s.a + uint64(seconds*float64(s.b))
		case slotSum:
			v = math.Float64bits(float64(s.a) + math.Floor(seconds*float64(s.b)))
		case slotGauge:
			noise := float64(mixed(salt+uint64(i))>>11)/(1<<53)*2 - 1
			v = math.Float64bits(math.Round((float64(s.a)+noise*float64(s.b))*100) / 100)
		}
		binary.LittleEndian.PutUint64(dst[s.at:], v)
	}
	return dst
}

// mixed is splitmix64's finalizer: a bijection whose results look random.
func mixed(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
