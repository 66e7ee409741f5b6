package watch

import (
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const testStart = int64(1_790_000_000 / 86400 * 86400) // midnight

// world gives an engine minutes of one operation: as many requests as perMinute says, log-normal around typical.
type world struct {
	engine *engine
	random *rand.Rand
	now    int64
	alarms []anomaly.Alarm
}

func newWorld() *world {
	w := &world{engine: newEngine(time.Minute, Settings{Default: DefaultBudget}), random: rand.New(rand.NewPCG(1, 2)), now: testStart}
	w.engine.know(1, query.WatchSeries{Env: "prod", Service: "cart", Name: "GET /cart", Kind: "server"})
	w.engine.know(2, query.WatchSeries{Entry: true, Env: "prod", Service: "cart", Instance: "cart-1"})
	w.engine.know(3, query.WatchSeries{Entry: true, Env: "prod", Service: "search", Instance: "search-1"})
	return w
}

// day is a daily cycle of requests a minute.
func day(mean float64) func(at int64) float64 {
	return func(at int64) float64 { return mean * (1 + 0.5*math.Sin(2*math.Pi*float64(at%86400)/86400)) }
}

type conduct struct {
	rate     func(at int64) float64
	slowness float64 // factor on latencies
	failing  float64 // share of errors
}

func (w *world) run(d time.Duration, c conduct) {
	for end := w.now + int64(d/time.Second); w.now < end; w.now += 60 {
		n := c.rate(w.now)
		n = max(0, math.Round(n+math.Sqrt(n)*w.random.NormFloat64()))
		var rows []query.WatchRow
		for id := uint64(1); id <= 2 && n > 0; id++ {
			rows = append(rows, w.row(id, n, c))
		}
		rows = append(rows, w.row(3, 50, conduct{slowness: 1})) // another service, which nothing happens to
		w.alarms = append(w.alarms, w.engine.advance(w.now+60, rows)...)
	}
}

func (w *world) row(id uint64, n float64, c conduct) query.WatchRow {
	counts := map[int16]uint64{}
	for range int(n) {
		latency := math.Log(20e6*c.slowness) + 0.3*w.random.NormFloat64()
		counts[int16(latency/math.Ln2*32)]++
	}
	r := query.WatchRow{Series: id, At: w.now, Calls: uint64(n)}
	for _, b := range slices.Sorted(maps.Keys(counts)) {
		r.Buckets, r.Counts = append(r.Buckets, b), append(r.Counts, counts[b])
	}
	for range int(n) {
		if w.random.Float64() < c.failing {
			r.Errors++
		}
	}
	return r
}

// first is the first alarm of a symptom that began after a moment.
func (w *world) first(s anomaly.Symptom, after int64) *anomaly.Alarm {
	for i := range w.alarms {
		if a := &w.alarms[i]; a.Symptom == s && a.Detected.Unix() > after {
			return a
		}
	}
	return nil
}

func TestNormalLifeIsQuiet(t *testing.T) {
	for name, rate := range map[string]func(int64) float64{"busy": day(120), "sparse": day(2), "few": day(0.2)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.run(4*24*time.Hour, conduct{rate: rate, slowness: 1, failing: 0.004})
			if len(w.alarms) > 0 {
				t.Errorf("nothing happened, but: %+v", w.alarms[0])
			}
		})
	}
}

func TestTroubleIsFoundAndEnds(t *testing.T) {
	for name, c := range map[string]struct {
		symptom anomaly.Symptom
		conduct conduct
	}{
		"slow":    {anomaly.SymptomLatency, conduct{rate: day(60), slowness: 2}},
		"failing": {anomaly.SymptomErrors, conduct{rate: day(60), slowness: 1, failing: 0.2}},
		"silent":  {anomaly.SymptomTraffic, conduct{rate: func(int64) float64 { return 0 }, slowness: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			usual := conduct{rate: day(60), slowness: 1, failing: 0.002}
			w.run(3*24*time.Hour, usual)
			began := w.now
			w.run(30*time.Minute, c.conduct)
			a := w.first(c.symptom, began)
			if a == nil {
				t.Fatalf("not found in 30 minutes; alarms: %+v", w.alarms)
			}
			if delay := a.Detected.Unix() - began; delay > 300 {
				t.Errorf("found after %d s", delay)
			}
			if off := a.Began.Unix() - began; off < -120 || off > 300 {
				t.Errorf("it is said to have begun %d s after it did", off)
			}
			w.run(time.Hour, usual)
			for i := range w.engine.series {
				for _, o := range w.engine.series[i].watch {
					if o.alarm != nil {
						t.Errorf("an hour later it still goes on: %+v", o.alarm)
					}
				}
			}
		})
	}
}

func TestWhatIsPlainToSeeIsSoonOver(t *testing.T) {
	w := newWorld()
	usual := conduct{rate: day(600), slowness: 1, failing: 0.002}
	w.run(26*time.Hour, usual)
	w.run(4*time.Minute, conduct{rate: day(600), slowness: 1, failing: 0.5})
	over := w.now
	w.run(9*time.Minute, usual)
	ended := 0
	for _, a := range w.alarms {
		if a.Detected.Unix() < over-240 {
			continue
		}
		if !a.Ended.IsZero() {
			ended++
		}
	}
	if ended == 0 {
		t.Errorf("nine minutes later no alarm has ended; told: %+v", w.alarms)
	}
	for _, s := range w.engine.series {
		for _, o := range s.watch {
			if o.alarm != nil {
				t.Errorf("nine minutes later it still goes on: %+v", o.alarm)
			}
		}
	}
}

func TestADoubledLoadWithoutHarmIsQuiet(t *testing.T) {
	w := newWorld()
	w.run(2*24*time.Hour, conduct{rate: day(60), slowness: 1, failing: 0.002})
	w.run(2*time.Hour, conduct{rate: day(120), slowness: 1.15, failing: 0.002})
	w.run(6*time.Hour, conduct{rate: day(60), slowness: 1, failing: 0.002})
	if len(w.alarms) > 0 {
		t.Errorf("a peak alarmed: %+v", w.alarms[0])
	}
}

func TestAGapInTelemetryIsQuiet(t *testing.T) {
	w := newWorld()
	usual := conduct{rate: day(60), slowness: 1, failing: 0.002}
	w.run(2*24*time.Hour, usual)
	w.now += 3 * 3600 // nothing of anything came: the product was away
	w.run(3*time.Hour, usual)
	if len(w.alarms) > 0 {
		t.Errorf("a gap alarmed: %+v", w.alarms[0])
	}
}

func TestNothingIsJudgedInTheFirstHour(t *testing.T) {
	w := newWorld()
	w.run(40*time.Minute, conduct{rate: day(60), slowness: 1})
	w.run(15*time.Minute, conduct{rate: day(60), slowness: 5, failing: 0.5})
	if len(w.alarms) > 0 {
		t.Errorf("judged after 40 minutes: %+v", w.alarms[0])
	}
}

func TestAVerdictDependsOnThePastOnly(t *testing.T) {
	a, b := newWorld(), newWorld()
	usual, bad := conduct{rate: day(60), slowness: 1}, conduct{rate: day(60), slowness: 2.5}
	for _, w := range []*world{a, b} {
		w.run(26*time.Hour, usual)
		w.run(10*time.Minute, bad)
	}
	known := len(a.alarms)
	a.run(2*time.Hour, bad)
	b.run(2*time.Hour, usual)
	if known == 0 || len(a.alarms) < known || len(b.alarms) < known {
		t.Fatalf("%d alarms, then %d and %d", known, len(a.alarms), len(b.alarms))
	}
	for i := range known {
		if !reflect.DeepEqual(a.alarms[i], b.alarms[i]) {
			t.Errorf("alarm %d depends on what came after it: %+v, %+v", i, a.alarms[i], b.alarms[i])
		}
	}
}

// BenchmarkMinute is a minute of live detection: six rounds over 50,000 series, each with one row a step that is read,
// in the order in which query.WatchNewest gives them. CPU seconds a minute and bytes a series are reported; ns/op is by the clock, which a busy machine slows.
func BenchmarkMinute(b *testing.B) {
	const series = 50_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	e := newEngine(tick, Settings{Default: DefaultBudget})
	buckets, counts := []int16{768, 776, 784, 800, 816}, []uint64{1, 2, 4, 2, 1}
	ids := make([]uint64, series)
	for i := range uint64(series) {
		ids[i] = i * 0x9e3779b97f4a7c15 // their order is not that of the names
		e.know(ids[i], query.WatchSeries{Env: "prod", Service: "service-" + string(rune('a'+i%20)), Name: "operation " + time.Duration(i).String(), Kind: "server"})
	}
	slices.Sort(ids)
	rows := make([]query.WatchRow, 0, series*9)
	now, cpu := testStart, 0.0
	round := func() {
		rows = rows[:0]
		for _, id := range ids {
			for at := now - 10*e.reread(now); at < now; at += 10 {
				rows = append(rows, query.WatchRow{Series: id, At: at, Calls: 10, Buckets: buckets, Counts: counts})
			}
		}
		began := cpuSeconds()
		b.StartTimer()
		e.advance(now, rows)
		b.StopTimer()
		cpu += cpuSeconds() - began
		now += 10
	}
	b.StopTimer()
	round()
	for _, s := range e.series {
		s.since -= 2 * youngest
	}
	rows = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	memory := float64(after.HeapAlloc-before.HeapAlloc) / series
	rows = make([]query.WatchRow, 0, series*9)
	for range 6 {
		round()
	}
	b.ResetTimer()
	cpu = 0
	for range b.N {
		for range 6 {
			round()
		}
	}
	b.ReportMetric(memory, "B/series")
	b.ReportMetric(cpu/float64(b.N), "CPU-s/minute")
}

// cpuSeconds is how long this process has computed.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
