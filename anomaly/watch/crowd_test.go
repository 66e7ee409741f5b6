package watch

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What comes in clumps varies from minute to minute by as much more as its clumps are large, and a load that grows over
// the day is no clump.
func TestClump(t *testing.T) {
	for _, test := range []struct {
		each, every float64 // requests at once, and how many such a minute
		want        float64
	}{{1, 30, 1}, {50, 0.6, 50}, {3, 10, 3}} {
		r := rand.New(rand.NewPCG(1, uint64(test.each)))
		var c clump
		before := float32(0)
		for m := range 4 * 1440 {
			day := 1 + 0.6*math.Sin(2*math.Pi*float64(m)/1440)
			now := float32(test.each * float64(poisson(r, test.every*day)))
			c.learn(before, now)
			before = now
		}
		if got := c.size(); got < 0.8*test.want || got > 1.25*test.want {
			t.Errorf("%g at once: clumps of %.2f", test.each, got)
		}
		if got := c.apart(100 * c.size()); math.Abs(got-100) > 1e-6 {
			t.Errorf("%g at once: a hundred clumps say as much as %.2f requests", test.each, got)
		}
	}
	var unknown clump
	if unknown.size() != 1 {
		t.Errorf("before anything is known, clumps have %.2f requests", unknown.size())
	}
}

func poisson(r *rand.Rand, mean float64) int {
	n, left := 0, r.ExpFloat64()
	for left < mean {
		n++
		left += r.ExpFloat64()
	}
	return n
}

// Waiting grows with load: what a queue explains is no fault, and nothing is excused without load or beyond all measure.
func TestQueued(t *testing.T) {
	if queued(1) != 1 || queued(0.3) != 1 {
		t.Errorf("without load %.2f and %.2f are excused", queued(1), queued(0.3))
	}
	if l := queued(1.5); l < 1.5 || l > 2 {
		t.Errorf("half as many requests again excuse %.2f", l)
	}
	if queued(5) != mostQueued {
		t.Errorf("five times as many requests excuse %.2f", queued(5))
	}
	for load := 1.0; load < 4; load += 0.1 {
		if queued(load) > queued(load+0.1) {
			t.Fatalf("a load of %.1f excuses more than a greater one", load)
		}
	}
}

// The load of a window is that of its busiest three minutes; a few more requests of a few are none unless others have
// more as well.
func TestLoad(t *testing.T) {
	flowing := func(usual float64, came func(back int64) float64) *flow {
		f := &flow{}
		for back := range int64(minutes) {
			f.settle(1000-back, came(back), usual)
		}
		return f
	}
	peak := func(usual float64) *flow {
		return flowing(usual, func(back int64) float64 {
			if back >= 5 && back < 10 {
				return 2 * usual
			}
			return usual
		})
	}
	for _, test := range []struct {
		name string
		f    *flow
		all  *flow
		want [len(spans)]float64
	}{
		{"as usual", flowing(100, func(int64) float64 { return 100 }), nil, [len(spans)]float64{1, 1, 1, 1}},
		{"a peak that is over", peak(1000), nil, [len(spans)]float64{1, 1, 2, 2}},
		{"a few more of a few", flowing(1, func(int64) float64 { return 3 }), flowing(100, func(int64) float64 { return 100 }), [len(spans)]float64{1.1, 1.1, 1.1, 1.1}},
		{"a few more where all have more", flowing(1, func(int64) float64 { return 3 }), flowing(1000, func(int64) float64 { return 2000 }), [len(spans)]float64{2, 2, 2, 2}},
	} {
		if test.all != nil {
			test.all.weigh(1000, nil)
		}
		test.f.weigh(1000, test.all)
		for k, want := range test.want {
			if got := test.f.load[k]; math.Abs(got-want) > 0.1 {
				t.Errorf("%s: in %d minutes a load of %.2f, want %.2f", test.name, spans[k], got, want)
			}
		}
	}
}

// Minutes that were not seen are empty, not those of half an hour before.
func TestFlowReach(t *testing.T) {
	f := &flow{}
	for m := range int64(minutes) {
		f.settle(1000+m, 7, 7)
	}
	f.reach(1000+minutes-1, 1000+minutes+3)
	sum := float32(0)
	for _, n := range f.came {
		sum += n
	}
	if want := float32(7 * (minutes - 4)); sum != want {
		t.Errorf("%g requests are left, want %g", sum, want)
	}
}
