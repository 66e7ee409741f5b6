package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// TestStepsAreReadAgain gives rounds of which each brings more of the same steps, as stored data grows: of two versions
// of one operation, whose rows come apart.
func TestStepsAreReadAgain(t *testing.T) {
	e := newEngine(tick, Settings{Default: DefaultBudget})
	e.know(1, query.WatchSeries{Env: "prod", Service: "cart", Name: "GET /cart", Kind: "server", Version: "1"})
	e.know(2, query.WatchSeries{Env: "prod", Service: "search", Name: "GET /search", Kind: "server"})
	e.know(3, query.WatchSeries{Env: "prod", Service: "cart", Name: "GET /cart", Kind: "server", Version: "2"})
	s, quiet := e.rows[1].s, e.rows[2].s
	round := func(now int64, calls uint64) {
		t.Helper()
		var rows []query.WatchRow
		for _, id := range []uint64{1, 2, 3} {
			for at := max(testStart, now-tickSeconds*e.reread(now)); at < now; at += tickSeconds {
				if id != 2 || at < testStart+60 {
					rows = append(rows, query.WatchRow{Series: id, At: at, Calls: calls, Buckets: []int16{780}, Counts: []uint64{calls}})
				}
			}
		}
		e.advance(now, rows)
	}
	check := func(r *ring, at int64, want float32) {
		t.Helper()
		if got := r.fine[at/fineStep%fineCells].cell().n; got != want {
			t.Errorf("%d s after the start %v requests are there, want %v", at-testStart, got, want)
		}
	}
	round(testStart+60, 10)
	check(&s.ring, testStart+50, 20)
	check(&quiet.ring, testStart+50, 10)
	round(testStart+70, 12)
	check(&s.ring, testStart+20, 20) // not read again
	check(&s.ring, testStart+50, 24)
	check(&s.ring, testStart+60, 24)
	check(&s.parts[1].ring, testStart+50, 12)
	check(&quiet.ring, testStart+50, 12)
	round(testStart+70, 14) // the clock was set back
	check(&s.ring, testStart+60, 28)
	round(testStart+80, 16)
	round(testStart+90, 18) // a minute is settled
	if got := s.ring.minute[testStart/60%minutes].cell().n; got != 6*36 {
		t.Errorf("%v requests are settled, want %v", got, 6*36)
	}
	if got := quiet.ring.minute[testStart/60%minutes].cell().n; got != 6*18 {
		t.Errorf("%v requests are settled, want %v", got, 6*18)
	}
}

const tickSeconds = int64(tick / time.Second)

// live moves a world by steps of ten seconds, each read as often as it is live.
func (w *world) live(d time.Duration, c conduct) {
	w.engine.step = tickSeconds
	var stored []query.WatchRow
	for end := w.now + int64(d/time.Second); w.now < end; {
		for id := uint64(1); id <= uint64(len(w.engine.rows)); id++ {
			stored = append(stored, w.row(id, c.rate(w.now)/6, c))
		}
		w.now += tickSeconds
		since := w.now - tickSeconds*w.engine.reread(w.now)
		stored = slices.DeleteFunc(stored, func(r query.WatchRow) bool { return r.At < w.now-300 })
		read := slices.DeleteFunc(slices.Clone(stored), func(r query.WatchRow) bool { return r.At < since })
		slices.SortStableFunc(read, func(a, b query.WatchRow) int { return int(a.Series) - int(b.Series) })
		w.alarms = append(w.alarms, w.engine.advance(w.now, read)...)
	}
}

// TestLiveTroubleIsFoundInTime: what is bad at once, and what takes minutes to be sure of.
func TestLiveTroubleIsFoundInTime(t *testing.T) {
	steady := func(int64) float64 { return 60 }
	usual := conduct{rate: steady, slowness: 1, failing: 0.002}
	for name, c := range map[string]struct {
		symptom anomaly.Symptom
		conduct conduct
		within  int64 // seconds
	}{
		"much slower": {anomaly.SymptomLatency, conduct{rate: steady, slowness: 4, failing: 0.002}, 60},
		"failing":     {anomaly.SymptomErrors, conduct{rate: steady, slowness: 1, failing: 0.5}, 60},
		"bit slower":  {anomaly.SymptomLatency, conduct{rate: steady, slowness: 1.2, failing: 0.002}, 1200},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.run(26*time.Hour, usual)
			w.live(40*time.Minute+40*time.Second, usual) // trouble does not wait for a full minute
			if len(w.alarms) > 0 {
				t.Fatalf("nothing happened, but: %+v", w.alarms[0])
			}
			began := w.now
			w.live(25*time.Minute, c.conduct)
			a := w.first(c.symptom, began)
			if a == nil {
				t.Fatal("not found")
			}
			if delay := a.Detected.Unix() - began; delay > c.within {
				t.Errorf("found after %d s, want %d", delay, c.within)
			}
			if off := a.Began.Unix() - began; c.within <= 60 && (off < -10 || off > 10) {
				t.Errorf("told to have begun %d s after it began", off)
			}
			w.live(20*time.Minute, usual)
			for _, s := range w.engine.series {
				for _, o := range s.watch {
					if o.alarm != nil {
						t.Errorf("twenty minutes later it still goes on: %+v", o.alarm)
					}
				}
			}
		})
	}
}

// TestWhatIsOverIsNotFoundAgainInAnInstance: the long windows of an instance still hold what the whole service was in alarm
// for.
func TestWhatIsOverIsNotFoundAgainInAnInstance(t *testing.T) {
	steady := func(int64) float64 { return 600 }
	usual := conduct{rate: steady, slowness: 1, failing: 0.0002}
	w := newWorld()
	w.engine.know(4, query.WatchSeries{Entry: true, Env: "prod", Service: "cart", Instance: "cart-2"})
	w.run(26*time.Hour, usual)
	w.live(40*time.Minute, usual)
	w.live(4*time.Minute, conduct{rate: steady, slowness: 1, failing: 0.12})
	over := w.now
	w.live(40*time.Minute, usual)
	if w.first(anomaly.SymptomErrors, testStart) == nil {
		t.Fatal("not found")
	}
	for _, a := range w.alarms {
		if a.Detected.Unix() > over+60 && a.Ended.IsZero() {
			t.Errorf("%d s after it was over: %+v", a.Detected.Unix()-over, a)
		}
	}
}
