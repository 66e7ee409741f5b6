package watch

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// When no request of any service comes, it tells whether anything else is heard of them: then requests are missing, else
// what brings telemetry is away.
func TestRequestsOfAllServicesAreMissing(t *testing.T) {
	for name, c := range map[string]struct {
		signs, told bool
	}{"they live on": {true, true}, "nothing is heard": {false, false}} {
		w := newWorld()
		for range 3 * 1440 {
			w.signsOfAll()
			w.run(time.Minute, usualCart)
		}
		began := w.now
		for range 15 {
			if c.signs {
				w.signsOfAll()
			}
			w.alarms = append(w.alarms, w.engine.advance(w.now+60, nil)...)
			w.now += 60
		}
		a := w.first(anomaly.SymptomTraffic, began)
		if (a != nil) != c.told {
			t.Errorf("%s: %+v", name, a)
		}
		if a != nil && a.Detected.Unix()-began > 5*60 {
			t.Errorf("%s: told after %d s", name, a.Detected.Unix()-began)
		}
	}
}

func (w *world) signsOfAll() {
	w.engine.lifeOf("prod", "cart").sign(w.now)
	w.engine.lifeOf("prod", "search").sign(w.now)
}

// Where slow operations are asked for more often than usual, the service is slower and none of its operations is.
func TestMoreOfWhatIsSlowIsNotSlower(t *testing.T) {
	w := newWorld()
	w.engine.know(4, query.WatchSeries{Env: "prod", Service: "cart", Name: "GET /export", Kind: "server"})
	minute := func(quick, slow, slowness float64) {
		a, b := w.row(1, quick, conduct{slowness: slowness}), w.row(4, slow, conduct{slowness: 10 * slowness})
		counts := map[int16]uint64{}
		for _, r := range []query.WatchRow{a, b} {
			for i, k := range r.Buckets {
				counts[k] += r.Counts[i]
			}
		}
		whole := query.WatchRow{Series: 2, At: w.now, Calls: a.Calls + b.Calls}
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			whole.Buckets, whole.Counts = append(whole.Buckets, k), append(whole.Counts, counts[k])
		}
		w.alarms = append(w.alarms, w.engine.advance(w.now+60, []query.WatchRow{a, b, whole})...)
		w.now += 60
	}
	for range 2 * 1440 {
		minute(90, 10, 1)
	}
	for range 60 {
		minute(60, 40, 1)
	}
	if a := w.first(anomaly.SymptomLatency, 0); a != nil {
		t.Fatalf("another mixture alarmed: %+v", a)
	}
	for range 10 {
		minute(90, 10, 2)
	}
	services := 0
	for _, a := range w.alarms {
		if a.Symptom == anomaly.SymptomLatency && a.Subject.Operation == "" {
			services++
		}
	}
	if services == 0 {
		t.Error("all operations take twice as long, and the service does not alarm")
	}
}
