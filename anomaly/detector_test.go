package anomaly

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// monday is where made-up series begin.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// daily is a smooth day with noise, as requests a minute of a shop.
func daily(rng *rand.Rand, noise float64) func(t time.Time) float64 {
	return func(t time.Time) float64 {
		phase := float64(t.Unix()%day) / day * 2 * math.Pi
		return 1000 - 500*math.Cos(phase) + noise*rng.NormFloat64()
	}
}

// run feeds f from monday on for d and hands every verdict to see.
func run(d *Detector, step, length time.Duration, f func(t time.Time) float64, see func(t time.Time, v Verdict)) {
	for t := monday; t.Before(monday.Add(length)); t = t.Add(step) {
		see(t, d.Observe(t, f(t)))
	}
}

// episodes counts alarms at least an hour apart, from the given time on.
type episodes struct {
	from, last time.Time
	n          int
	first      time.Time
}

func (e *episodes) see(t time.Time, v Verdict) {
	if !v.Anomalous || t.Before(e.from) {
		return
	}
	if e.n == 0 {
		e.first = t
	}
	if e.n == 0 || t.Sub(e.last) > time.Hour {
		e.n++
	}
	e.last = t
}

func TestQuietSeriesStayQuiet(t *testing.T) {
	zeros := func(rng *rand.Rand) func(time.Time) float64 {
		return func(time.Time) float64 {
			if rng.Float64() < 0.02 {
				return 1
			}
			return 0
		}
	}
	random := func(rng *rand.Rand) func(time.Time) float64 {
		x := 50.0
		return func(time.Time) float64 {
			x += 0.05*(50-x) + rng.NormFloat64()
			return x
		}
	}
	batch := func(rng *rand.Rand) func(time.Time) float64 {
		f := daily(rng, 15)
		return func(t time.Time) float64 {
			if t.Hour() == 2 && t.Minute() < 25 {
				return f(t) + 900
			}
			return f(t)
		}
	}
	transfers := func(rng *rand.Rand) func(time.Time) float64 { // the same amount each time, twice or so a day
		return func(time.Time) float64 {
			if rng.Float64() < 2.0/288 {
				return 5e6 * (1 + 0.005*rng.Float64())
			}
			return 60 + 30*rng.Float64()
		}
	}
	jobs := func(rng *rand.Rand) func(time.Time) float64 { // one at a full hour, now and then
		f, goes, now := daily(rng, 15), false, time.Time{}
		return func(t time.Time) float64 {
			if hour := t.Truncate(time.Hour); hour != now {
				now, goes = hour, rng.Float64() < 0.15
			}
			if goes && t.Minute() < 3 {
				return f(t) * (1.3 + 0.2*rng.Float64())
			}
			return f(t)
		}
	}
	for _, c := range []struct {
		name string
		step time.Duration
		make func(*rand.Rand) func(time.Time) float64
		most int // alarms in the last 8 of 12 days, at a budget of 0.1 a day
	}{
		{"constant", time.Minute, func(*rand.Rand) func(time.Time) float64 { return func(time.Time) float64 { return 7 } }, 0},
		{"a day with noise", time.Minute, func(r *rand.Rand) func(time.Time) float64 { return daily(r, 20) }, 1},
		{"every five minutes", 5 * time.Minute, func(r *rand.Rand) func(time.Time) float64 { return daily(r, 20) }, 1},
		{"every ten seconds", 10 * time.Second, func(r *rand.Rand) func(time.Time) float64 { return daily(r, 20) }, 1},
		{"hourly", time.Hour, func(r *rand.Rand) func(time.Time) float64 { return daily(r, 20) }, 1},
		{"mostly nothing", time.Minute, zeros, 1},
		{"a slow random walk", time.Minute, random, 1},
		{"a batch every night", time.Minute, batch, 3}, // of 8 nights: it is not learned in four
		{"transfers of one size", 5 * time.Minute, transfers, 2},
		{"jobs at full hours", time.Minute, jobs, 2},
	} {
		d, e := New(Config{}), episodes{from: monday.AddDate(0, 0, 4)}
		run(d, c.step, 12*day*time.Second, c.make(rand.New(rand.NewPCG(1, 2))), e.see)
		if e.n > c.most {
			t.Errorf("%s: %d alarms, want at most %d", c.name, e.n, c.most)
		}
	}
}

func TestFaultsAreNoticed(t *testing.T) {
	at := monday.AddDate(0, 0, 6).Add(15 * time.Hour)
	during := func(t time.Time, length time.Duration) bool { return !t.Before(at) && t.Before(at.Add(length)) }
	for _, c := range []struct {
		name   string
		step   time.Duration
		within time.Duration
		fault  func(t time.Time, x float64) float64
	}{
		{"outage", time.Minute, time.Minute, func(t time.Time, x float64) float64 {
			if during(t, 20*time.Minute) {
				return 0
			}
			return x
		}},
		{"a third more", time.Minute, 3 * time.Minute, func(t time.Time, x float64) float64 {
			if during(t, 20*time.Minute) {
				return x * 1.33
			}
			return x
		}},
		{"one spike", time.Minute, time.Minute, func(t time.Time, x float64) float64 {
			if during(t, time.Minute) {
				return x * 3
			}
			return x
		}},
		{"a dip that other hours know", 5 * time.Minute, 10 * time.Minute, func(t time.Time, x float64) float64 {
			if during(t, time.Hour) {
				return 600 + x/100
			}
			return x
		}},
		{"outage seen every ten seconds", 10 * time.Second, 30 * time.Second, func(t time.Time, x float64) float64 {
			if during(t, 5*time.Minute) {
				return 0
			}
			return x
		}},
		{"outage seen hourly", time.Hour, time.Hour, func(t time.Time, x float64) float64 {
			if during(t, 3*time.Hour) {
				return 0
			}
			return x
		}},
	} {
		f := daily(rand.New(rand.NewPCG(3, 4)), 20)
		d, e := New(Config{}), episodes{from: at}
		run(d, c.step, 7*day*time.Second, func(t time.Time) float64 { return c.fault(t, f(t)) }, e.see)
		if e.n == 0 || e.first.Sub(at) > c.within {
			t.Errorf("%s: first of %d alarms after %v, want within %v", c.name, e.n, e.first.Sub(at), c.within)
		}
	}
}

func TestAnomalousValuesLieOutsideTheBand(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	f := daily(rng, 20)
	alarms := 0
	run(New(Config{}), time.Minute, 10*day*time.Second, func(t time.Time) float64 {
		if rng.Float64() < 0.002 {
			return f(t) * rng.Float64() * 2
		}
		return f(t)
	}, func(at time.Time, v Verdict) {
		if math.IsNaN(v.Expected+v.Lower+v.Upper+v.Score) || v.Score < 0 || v.Lower > v.Upper {
			t.Fatalf("at %v: %+v", at, v)
		}
		if v.Anomalous {
			alarms++
			if v.Value > v.Lower && v.Value < v.Upper {
				t.Errorf("at %v: anomalous inside its band: %+v", at, v)
			}
		}
	})
	if alarms == 0 {
		t.Error("no alarms to look at")
	}
}

func TestLastingChangeIsAdopted(t *testing.T) {
	at := monday.AddDate(0, 0, 5)
	f := daily(rand.New(rand.NewPCG(7, 8)), 20)
	d, e := New(Config{}), episodes{from: at}
	adopted := time.Time{}
	run(d, time.Minute, 8*day*time.Second, func(t time.Time) float64 {
		if !t.Before(at) {
			return f(t) + 3000
		}
		return f(t)
	}, func(t time.Time, v Verdict) {
		e.see(t, v)
		if v.ChangePoint && adopted.IsZero() {
			adopted = t
		}
	})
	if e.n == 0 {
		t.Error("the change raised no alarm")
	}
	if adopted.IsZero() || adopted.Sub(at) > 6*time.Hour {
		t.Errorf("adopted after %v", adopted.Sub(at))
	}
	if e.last.Sub(at) > 12*time.Hour {
		t.Errorf("still alarms %v after the change", e.last.Sub(at))
	}
}

// A restart in the middle changes no verdict.
func TestStateSurvives(t *testing.T) {
	f := daily(rand.New(rand.NewPCG(9, 10)), 20)
	d := New(Config{Kind: KindCount})
	var again *Detector
	run(d, time.Minute, 4*day*time.Second, f, func(at time.Time, v Verdict) {
		if again != nil {
			if w := again.Observe(at, v.Value); w != v {
				t.Fatalf("at %v: %+v after a restart, %+v without", at, w, v)
			}
		} else if at.Sub(monday) > 50*time.Hour {
			b, err := d.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			again = New(Config{Kind: KindCount})
			if err := again.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
		}
	})
	if again == nil {
		t.Fatal("never restarted")
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	d := New(Config{})
	run(d, time.Minute, time.Hour, daily(rand.New(rand.NewPCG(1, 1)), 1), func(time.Time, Verdict) {})
	b, _ := d.MarshalBinary()
	e := New(Config{})
	for _, bad := range [][]byte{nil, {}, b[:len(b)-1], append([]byte{99}, b[1:]...), append([]byte{stateVersion}, bytes.Repeat([]byte{0xff}, len(b)-1)...)} {
		if err := e.UnmarshalBinary(bad); err == nil {
			t.Errorf("%d bytes of damaged state accepted", len(bad))
		}
	}
	if e.state.N != 0 {
		t.Error("a refused state left traces")
	}
}

func TestMemoryOfASeries(t *testing.T) {
	if n := binary.Size(&state{}); n > 3500 {
		t.Errorf("%d bytes a series, want at most 3500", n)
	}
}

func TestOddInput(t *testing.T) {
	d := New(Config{})
	if v := d.Observe(monday, math.NaN()); v.Anomalous || v.Score != 0 {
		t.Errorf("NaN first: %+v", v)
	}
	f := daily(rand.New(rand.NewPCG(2, 2)), 20)
	run(d, time.Minute, 3*day*time.Second, f, func(time.Time, Verdict) {})
	end := monday.AddDate(0, 0, 3)
	before, _ := d.MarshalBinary()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := d.Observe(end, v); got.Anomalous || got.Score != 0 {
			t.Errorf("%v: %+v", v, got)
		}
	}
	if got := d.Observe(end.Add(-time.Hour), 1e6); !got.Anomalous {
		t.Errorf("a late wild value is not judged: %+v", got)
	}
	if after, _ := d.MarshalBinary(); !bytes.Equal(before, after) {
		t.Error("a late or missing value was learned")
	}
	for _, x := range []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, 0, 1e300} { // must not poison what follows
		end = end.Add(time.Minute)
		d.Observe(end, x)
	}
	if v := d.Observe(end, 500); math.IsNaN(v.Score) || math.IsNaN(v.Expected) {
		t.Errorf("after extremes: %+v", v)
	}
}

func TestGapRaisesNothing(t *testing.T) {
	f := daily(rand.New(rand.NewPCG(11, 12)), 20)
	d, e := New(Config{}), episodes{from: monday.AddDate(0, 0, 5)}
	for at := monday; at.Before(monday.AddDate(0, 0, 8)); at = at.Add(time.Minute) {
		if at.After(e.from) && at.Before(e.from.Add(31*time.Hour)) {
			continue
		}
		e.see(at, d.Observe(at, f(at)))
	}
	if e.n > 1 {
		t.Errorf("%d alarms after a gap", e.n)
	}
}

func TestThresholdKnowsTheStep(t *testing.T) {
	hour, minute := Threshold(3600, 0.1), Threshold(60, 0.1)
	if hour >= minute || math.Abs(hour-math.Log(240)) > 0.1 {
		t.Errorf("hourly %.2f, by the minute %.2f", hour, minute)
	}
	if Threshold(60, 0.02) <= minute {
		t.Error("a smaller budget does not raise the bar")
	}
	d := New(Config{})
	for i := range 40 {
		step := 60
		if i >= 10 {
			step = 300
		}
		monday := monday.Add(time.Duration(i*step) * time.Second)
		d.Observe(monday, 1)
	}
	if d.Step() != 300 {
		t.Errorf("step is %v s after a change to 300 s", d.Step())
	}
}

func TestKinds(t *testing.T) {
	for _, name := range []string{"", "auto", "latency", "count", "ratio", "gauge"} {
		k, err := ParseKind(name)
		if err != nil {
			t.Fatal(err)
		}
		d := New(Config{Kind: k})
		rng := rand.New(rand.NewPCG(1, 9))
		x := 0.0
		run(d, time.Minute, 2*day*time.Second, func(time.Time) float64 { x = 0.2 + 0.05*rng.Float64(); return x }, func(at time.Time, v Verdict) {
			if at.Sub(monday) > day*time.Second && (v.Expected < 0.15 || v.Expected > 0.3) {
				t.Fatalf("%s: expected %v where values are .2 to .25", name, v.Expected)
			}
		})
	}
	if _, err := ParseKind("speed"); err == nil {
		t.Error("an unknown kind is accepted")
	}
}

func BenchmarkObserve(b *testing.B) {
	f := daily(rand.New(rand.NewPCG(1, 1)), 20)
	d := New(Config{})
	at := monday
	for b.Loop() {
		at = at.Add(time.Minute)
		d.Observe(at, f(at))
	}
}

// BenchmarkFleet is one minute of 50,000 series, each with its own state.
func BenchmarkFleet(b *testing.B) {
	const series = 50000
	fleet := make([]*Detector, series)
	rng := rand.New(rand.NewPCG(1, 1))
	f := daily(rng, 20)
	for i := range fleet {
		fleet[i] = New(Config{})
		for m := range 100 {
			at := monday.Add(time.Duration(m) * time.Minute)
			fleet[i].Observe(at, f(at))
		}
	}
	at := monday.Add(100 * time.Minute)
	x := f(at)
	for b.Loop() {
		at = at.Add(time.Minute)
		for _, d := range fleet {
			d.Observe(at, x)
		}
	}
}
