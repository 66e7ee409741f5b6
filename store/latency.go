package store

import (
	"math"
	"math/bits"
)

// Latency distributions are histograms with exponential buckets, 32 to each doubling (OpenTelemetry exponential
// histogram, scale 5): bucket b holds 2^((b-1)/32) < ns <= 2^(b/32). Ingest counts into them, queries read them back;
// the numbers are part of the schema and never change.

// latencyBounds[i] is 2^(i/32) scaled so that the leading bit is bit 63, rounded down: the upper bound of the i-th
// bucket of a doubling.
var latencyBounds [33]uint64

// latencyGuess[m] is the first bucket of a doubling that the values whose 8 bits after the leading one are m may
// fall into; at most two bounds lie further right.
var latencyGuess [256]uint8

// latencyMiddle[i] is 2^((i-0.5)/32).
var latencyMiddle [32]float64

func init() {
	const step = 1.0218971486541166 // 2^(1/32)
	v := 1.0
	for i := range latencyBounds {
		switch i {
		case 16:
			v = 1.4142135623730951 // keeps rounding from adding up
		case 32:
			v = 2
		}
		if i == 32 {
			latencyBounds[i] = 1<<64 - 1
		} else {
			latencyBounds[i] = uint64(v * (1 << 62) * 2)
		}
		if i < 32 {
			latencyMiddle[i] = v / 1.0108892860517005 // 2^(1/64)
		}
		v *= step
	}
	for m := range latencyGuess {
		low := 1<<63 | uint64(m)<<55
		b := 0
		for b < 32 && low > latencyBounds[b] {
			b++
		}
		latencyGuess[m] = uint8(b)
	}
}

// LatencyBucket is the histogram bucket of a duration in nanoseconds: ceil(32*log2(ns)), and 0 for 0 and 1.
func LatencyBucket(ns uint64) int16 {
	if ns <= 1 {
		return 0
	}
	doubling := bits.Len64(ns) - 1
	norm := ns << (63 - doubling)
	b := int(latencyGuess[norm>>55&255])
	for b < 32 && norm > latencyBounds[b] {
		b++
	}
	return int16(doubling*32 + b)
}

// LatencyValue is the duration in nanoseconds that stands for all of a bucket, within 1.1 % of each of them: its
// geometric middle.
func LatencyValue(bucket int16) float64 {
	if bucket <= 0 {
		return 0
	}
	return math.Ldexp(latencyMiddle[bucket%32], int(bucket/32))
}

// LatencyBound is the upper bound of a bucket in nanoseconds: 2^(bucket/32).
func LatencyBound(bucket int16) float64 {
	return math.Exp2(float64(bucket) / 32)
}
