package watch

import "math"

// small is a number that is not negative in two bytes: six bits of exponent and ten of mantissa, so that whole numbers
// up to 2,048 are exact and greater ones within half a thousandth. It goes from 2⁻²⁰ to 2⁴³; what is less is 0.
type small uint16

const (
	smallBits  = 13  // that the mantissa of a float32 is longer
	smallBias  = 106 // that its exponent is greater: 127 − 21
	smallLeast = (smallBias + 1) << 23
	smallMost  = math.MaxUint16
)

func pack(v float32) small {
	b := math.Float32bits(v) + 1<<(smallBits-1)
	if b < smallLeast || v < 0 {
		return 0
	}
	return small(min(b>>smallBits-smallBias<<(23-smallBits), smallMost))
}

func (s small) float() float32 {
	if s == 0 {
		return 0
	}
	return math.Float32frombits((uint32(s) + smallBias<<(23-smallBits)) << smallBits)
}

// packed is a cell in ten bytes: what adds up in a cell is the mean of a request here.
type packed struct {
	n, bad small
	rank   int16  // of 1/65,536, from −½ to ½
	tail   uint16 // of 1/65,535
	log    uint16 // of 1/2,048, up to e³²
}

func (c cell) pack() packed {
	if c.n <= 0 {
		return packed{}
	}
	per := 1 / c.n
	return packed{
		n: pack(c.n), bad: pack(c.bad),
		rank: int16(int32(min(max(c.rank*per*65536+32768.5, 0), 65535)) - 32768),
		tail: uint16(min(max(c.tail*per*65535+0.5, 0), 65535)),
		log:  uint16(min(max(c.log*per*2048+0.5, 0), 65535)),
	}
}

func (p packed) cell() cell {
	n := p.n.float()
	if n == 0 {
		return cell{}
	}
	return cell{n: n, bad: p.bad.float(), rank: n * float32(p.rank) * (1.0 / 65536), tail: n * float32(p.tail) * (1.0 / 65535), log: n * float32(p.log) * (1.0 / 2048)}
}
