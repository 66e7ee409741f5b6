package store

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLatencyBucketHoldsItsValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < 1_000_000; i++ {
		ns := r.Uint64() >> r.UintN(63)
		if ns < 2 {
			continue
		}
		b := LatencyBucket(ns)
		want := math.Ceil(32 * math.Log2(float64(ns)))
		if d := math.Abs(float64(b) - want); d > 1 || d == 1 && math.Abs(32*math.Log2(float64(ns))-math.Round(32*math.Log2(float64(ns)))) > 1e-6 {
			t.Fatalf("LatencyBucket(%d) = %d, want %v", ns, b, want)
		}
		if err := math.Abs(LatencyValue(b)/float64(ns) - 1); err > 0.011 {
			t.Fatalf("LatencyValue(%d) = %v stands for %d: off by %.2f %%", b, LatencyValue(b), ns, err*100)
		}
	}
}

func TestLatencyBucketEdges(t *testing.T) {
	for ns, want := range map[uint64]int16{0: 0, 1: 0, 2: 32, 3: 51, 4: 64, 1024: 320, 1025: 321, 1 << 62: 62 * 32, math.MaxUint64: 2048} {
		if got := LatencyBucket(ns); got != want {
			t.Errorf("LatencyBucket(%d) = %d, want %d", ns, got, want)
		}
	}
	last := int16(-1)
	for ns := uint64(0); ns < 100_000; ns++ {
		if b := LatencyBucket(ns); b < last {
			t.Fatalf("LatencyBucket falls from %d to %d at %d", last, b, ns)
		} else {
			last = b
		}
	}
}

func BenchmarkLatencyBucket(b *testing.B) {
	var sum int
	for i := 0; i < b.N; i++ {
		sum += int(LatencyBucket(uint64(i) * 7919))
	}
	_ = sum
}
