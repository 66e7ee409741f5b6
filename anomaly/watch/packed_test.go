package watch

import (
	"math"
	"testing"
)

func TestSmallNumbers(t *testing.T) {
	for n := range 2049 {
		if got := pack(float32(n)).float(); got != float32(n) {
			t.Fatalf("%d became %g", n, got)
		}
	}
	for v := float32(1e-5); v < 1e12; v *= 1.37 {
		if got := pack(v).float(); math.Abs(float64(got/v-1)) > 0.0005 {
			t.Errorf("%g became %g", v, got)
		}
	}
	for v, want := range map[float32]float32{0: 0, -1: 0, 1e-9: 0, float32(math.Inf(1)): small(math.MaxUint16).float()} {
		if got := pack(v).float(); got != want {
			t.Errorf("%g became %g, want %g", v, got, want)
		}
	}
}

// A cell says the same when it was packed: counts exactly, means of a request within what no verdict turns on.
func TestPackedCells(t *testing.T) {
	for _, c := range []cell{{}, {n: 1, bad: 1, rank: -0.5, log: 2}, {n: 7, bad: 3, rank: 3.4, tail: 7, log: 7 * 25.5}, {n: 1900, bad: 12, rank: -812, tail: 190, log: 1900 * 17.25}} {
		got := c.pack().cell()
		if got.n != c.n || got.bad != c.bad {
			t.Errorf("%+v became %+v", c, got)
		}
		for name, d := range map[string]float32{"rank": got.rank - c.rank, "tail": got.tail - c.tail, "log": (got.log - c.log) / 30} {
			if math.Abs(float64(d)) > 2e-5*float64(c.n) {
				t.Errorf("%s is %g off after packing %+v", name, d, c)
			}
		}
	}
}

func TestAHistogramFades(t *testing.T) {
	var h histogram
	var minute [latencyBuckets]float32
	minute[20], minute[30] = 900, 100
	for range 1000 {
		h.add(&minute)
	}
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	if sum < latencyMost*9/10 || sum > 2*latencyMost || math.Abs(float64(h[30])/float64(sum)-0.1) > 0.005 {
		t.Errorf("%d requests, %d of them slow", sum, h[30])
	}
	minute = [latencyBuckets]float32{40: 3e6} // more in a minute than it holds
	h.add(&minute)
	if h[40] < latencyMost*9/10 || h[20] > latencyMost/50 {
		t.Errorf("%d new requests, %d old ones", h[40], h[20])
	}
}
