package ingest

import (
	"math"
	"math/bits"
)

// hyperLogLog estimates how many distinct 64-bit hashes it has seen, within about 2.3 % (one standard deviation) in
// 2 KiB, after Flajolet and others (2007) with linear counting for small numbers.
type hyperLogLog struct{ registers [1 << hllBits]uint8 }

const hllBits = 11

func (h *hyperLogLog) add(hash uint64) {
	register := &h.registers[hash>>(64-hllBits)]
	rank := uint8(bits.LeadingZeros64(hash<<hllBits|1<<(hllBits-1))) + 1
	*register = max(*register, rank)
}

func (h *hyperLogLog) count() int64 {
	const m = float64(len(h.registers))
	sum, zeroes := 0.0, 0
	for _, r := range h.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			zeroes++
		}
	}
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && zeroes > 0 {
		estimate = m * math.Log(m/float64(zeroes))
	}
	return int64(math.Round(estimate))
}
