package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestLogBetaInc(t *testing.T) {
	// I_x(a, b) by summing the binomial: I_x(k, n−k+1) = P(Binomial(n, x) ≥ k).
	for _, c := range []struct {
		k, n int
		x    float64
	}{{1, 1, 0.3}, {3, 10, 0.2}, {8, 10, 0.9}, {50, 100, 0.5}, {90, 100, 0.1}} {
		sum := 0.0
		for i := c.k; i <= c.n; i++ {
			n, k := float64(c.n), float64(i)
			sum += math.Exp(lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) + k*math.Log(c.x) + (n-k)*math.Log(1-c.x))
		}
		near(t, "log beta", logBetaInc(float64(c.k), float64(c.n-c.k+1), c.x), math.Log(sum), 1e-8*(1+math.Abs(math.Log(sum))))
	}
	if v := logBetaInc(5000, 3, 0.01); math.IsInf(v, 0) || v > -20000 {
		t.Errorf("a far tail is %v: underflow", v)
	}
}

func TestCountSurprise(t *testing.T) {
	_, fewer := CountSurprise(0, 100, 4)
	near(t, "silence", fewer, 4*math.Log(1+100.0/4), 1e-9)
	more, _ := CountSurprise(30, 10, 1e5) // nearly Poisson: P(X ≥ 30 | 10) = 7.98e-8... by summation
	sum := 0.0
	for k := 30; k < 120; k++ {
		sum += math.Exp(float64(k)*math.Log(10) - 10 - lgamma(float64(k)+1))
	}
	near(t, "Poisson tail", more, -math.Log(sum), 0.05)
	if more, fewer := CountSurprise(0, 0.2, 4); more != 0 || fewer > 0.25 {
		t.Errorf("silence where hardly anything is expected: %v %v", more, fewer)
	}
	if more, _ := CountSurprise(1e6, 100, 10); math.IsInf(more, 0) || more < 100 {
		t.Errorf("a flood is %v", more)
	}
	if a, b := CountSurprise(5, math.NaN(), 1); a != 0 || b != 0 {
		t.Error("nothing expected, yet a surprise")
	}
}

func TestDispersionLearnsTheShape(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var poisson, bursty Dispersion
	for range 5000 {
		poisson.Learn(math.Round(100+10*rng.NormFloat64()), 100)
		bursty.Learn(max(0, math.Round(100+51*rng.NormFloat64())), 100) // 1/k = .25
	}
	if k := poisson.Shape(); k < 50 {
		t.Errorf("Poisson counts have shape %v", k)
	}
	if k := bursty.Shape(); k < 2.5 || k > 8 {
		t.Errorf("shape %v, want about 4", k)
	}
	calm := poisson.Shape()
	for range 5 {
		poisson.Learn(0, 100)
	}
	if k := poisson.Shape(); k < 5 {
		t.Errorf("five minutes of outage took the shape from %v to %v", calm, k)
	}
}

func TestErrors(t *testing.T) {
	usual := func(n, bad float64) *Errors {
		var e Errors
		for range 200 {
			e.Learn(n, bad, 0.99)
		}
		return &e
	}
	for _, c := range []struct {
		name   string
		e      *Errors
		n, bad float64
		alarm  bool
	}{
		{"every second request fails", usual(1000, 1), 1000, 500, true},
		{"one in twenty fails", usual(1000, 1), 1000, 50, true},
		{"as usual", usual(1000, 20), 1000, 24, false},
		{"certain but small", usual(1e6, 1000), 1e6, 3000, false},
		{"large and certain", usual(1e6, 1000), 1e6, 30000, true},
		{"one of two at night", usual(1000, 1), 2, 1, false},
		{"nothing known, few requests", &Errors{}, 3, 1, false},
		{"nothing known, all fail", &Errors{}, 50, 50, true},
		{"no requests", usual(1000, 1), 0, 0, false},
	} {
		v := c.e.Judge(c.n, c.bad, 9.6)
		if v.Anomalous != c.alarm || math.IsNaN(v.Score) || math.IsInf(v.Score, 0) {
			t.Errorf("%s: %+v, want anomalous %v", c.name, v, c.alarm)
		}
	}
}

func TestBetaBinomialTailIsSmooth(t *testing.T) {
	// The exact sum and what replaces it for many trials meet.
	exact := betaBinomialTail(60, 2000, 5, 495)
	approximate := betaBinomialTail(60.03, 2001, 5, 495)
	near(t, "tail at 2001 trials", approximate, exact, 0.15*exact)
}

func TestWilsonLower(t *testing.T) {
	near(t, "Wilson 50 of 100", WilsonLower(50, 100), 0.3753, 1e-3)
	near(t, "Wilson 0 of 10", WilsonLower(0, 10), 0, 1e-12)
	near(t, "Wilson of nothing", WilsonLower(0, 0), 0, 0)
}

func BenchmarkCountSurprise(b *testing.B) {
	for b.Loop() {
		CountSurprise(180, 100, 20)
	}
}

func BenchmarkErrorsJudge(b *testing.B) {
	e := Errors{Good: 99000, Bad: 1000}
	for b.Loop() {
		e.Judge(1800, 120, 9.6)
	}
}
