package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const testWidth = math.Ln2 / 4 // four buckets per doubling

// lognormal is a histogram of n latencies around median with the given spread.
func lognormal(rng *rand.Rand, n int, median, spread float64) Histogram {
	h := make(Histogram, 80)
	for range n {
		x := math.Log(median) + spread*rng.NormFloat64()
		h[int(clamp(x/testWidth, 0, 79))]++
	}
	return h
}

func TestCompareLatency(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	usual := lognormal(rng, 5000, 100, 0.6)
	slowTail := lognormal(rng, 300, 100, 0.6)
	slowTail[79] += 2
	for _, c := range []struct {
		name     string
		now      Histogram
		lo, hi   float64 // of the score
		slower   bool
		noChange bool
	}{
		{"the same", lognormal(rng, 300, 100, 0.6), 0, 9, true, true},
		{"two very slow requests", slowTail, 0, 9, true, true},
		{"twice as slow", lognormal(rng, 300, 200, 0.6), 30, 1e4, true, false},
		{"half", lognormal(rng, 300, 50, 0.6), 30, 1e4, false, false},
		{"a twentieth slower, of very many", lognormal(rng, 50000, 105, 0.6), 0, 0, true, true},
		{"too few", lognormal(rng, 19, 400, 0.6), 0, 0, true, true},
		{"just enough", lognormal(rng, 25, 400, 0.6), 9, 1e4, true, false},
	} {
		s := CompareLatency(c.now, usual, testWidth)
		if s.Score < c.lo || s.Score > c.hi || math.IsNaN(s.Score) {
			t.Errorf("%s: %+v, want a score from %v to %v", c.name, s, c.lo, c.hi)
		}
		if !c.noChange && (s.Factor > 1) != c.slower {
			t.Errorf("%s: factor %v", c.name, s.Factor)
		}
	}
	near(t, "factor of twice as slow", CompareLatency(lognormal(rng, 5000, 200, 0.6), usual, testWidth).Factor, 2, 0.12)
	near(t, "median bucket", usual.Quantile(0.5), math.Log(100)/testWidth, 0.4)
}

func TestLatencyKnowsTheTimeOfDayAndWidens(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	l := Latency{Width: testWidth}
	median := func(at int64) float64 { // nights are three times slower
		if at%day < 3*3600 {
			return 300
		}
		return 100
	}
	const slowFrom = 5*day + 3600
	worst, first := 0.0, int64(0)
	for at := int64(0); at < 5*day+2*3600; at += 60 {
		m := median(at)
		if at >= slowFrom {
			m *= 3
		}
		s := l.Observe(at, lognormal(rng, 10, m, 0.5), at >= slowFrom) // two minutes make a window
		if at > 2*day && at < slowFrom {
			worst = max(worst, s.Score)
		}
		if at >= slowFrom && s.Score > 12 && first == 0 {
			first = at
		}
	}
	if worst > 14 {
		t.Errorf("a usual night or day scored %v", worst)
	}
	if first == 0 || first > slowFrom+300 {
		t.Errorf("three times slower was noticed at %v", first-slowFrom)
	}
}

func TestDrift(t *testing.T) {
	limit := DriftLimit(time.Minute)
	if limit < 7 || limit > 13 || DriftLimit(time.Hour) >= limit {
		t.Errorf("limit %v by the minute, %v hourly", limit, DriftLimit(time.Hour))
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var d Drift
	alarms := 0
	for range 120 * 1440 {
		if d.Observe(rng.NormFloat64()) > limit {
			alarms++
			d.Reset()
		}
	}
	if alarms > 12 {
		t.Errorf("%d alarms in 120 days of noise, want about 4", alarms)
	}
	d.Reset()
	steps := 0
	for d.Observe(1+rng.NormFloat64()) <= limit {
		if steps++; steps > 100 {
			t.Fatal("a shift by one deviation is not noticed")
		}
	}
	d.Reset()
	if s := d.Observe(1000); s > 3 {
		t.Errorf("a single spike is a drift of %v", s)
	}
}

func TestBurn(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var b Burn
	add := func(minutes int, bad float64) {
		for range minutes {
			b.Add(at, 1000, bad)
			at = at.Add(time.Minute)
		}
	}
	burning := func() (fast, slow bool) {
		r := b.Rates(at.Add(-time.Second), 0.999)
		return r[0].Burning, r[1].Burning
	}
	add(360, 1)
	if f, s := burning(); f || s {
		t.Error("burning at exactly the budget")
	}
	if r := b.Rates(at.Add(-time.Second), 0.999); math.Abs(r[0].LongRate-1) > 1e-6 {
		t.Errorf("rate %v, want 1", r[0].LongRate)
	}
	add(60, 20) // 2 %: 20 budgets
	if f, _ := burning(); !f {
		t.Error("20 budgets over an hour do not burn")
	}
	add(10, 0) // over: the short window says so
	if f, _ := burning(); f {
		t.Error("still burning ten minutes after the end")
	}
	add(360, 8)
	if f, s := burning(); f || !s {
		t.Errorf("8 budgets over six hours: fast %v, slow %v", f, s)
	}
	b.Add(at.Add(-7*time.Hour), 1e9, 1e9) // too late to count
	if r := b.Rates(at.Add(-time.Second), 0.999); r[1].LongRate > 9 {
		t.Errorf("a request seven hours late counts: %v", r[1].LongRate)
	}
	at = at.Add(24 * time.Hour)
	if r := b.Rates(at, 0.999); r[0].LongRate != 0 || r[0].Burning {
		t.Errorf("after a day of silence: %+v", r[0])
	}
}

func BenchmarkCompareLatency(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	now, usual := lognormal(rng, 300, 100, 0.6), lognormal(rng, 5000, 100, 0.6)
	for b.Loop() {
		CompareLatency(now, usual, testWidth)
	}
}

func BenchmarkDrift(b *testing.B) {
	var d Drift
	for b.Loop() {
		d.Observe(0.3)
	}
}

func BenchmarkBurn(b *testing.B) {
	var s Burn
	at := monday
	for b.Loop() {
		at = at.Add(10 * time.Second)
		s.Add(at, 100, 1)
		s.Rates(at, 0.999)
	}
}
