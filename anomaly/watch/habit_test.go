package watch

import (
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// TestANightlyBatchAlarmsOnce has an hour of slow requests every night; the fourth is much worse than the others.
func TestANightlyBatchAlarmsOnce(t *testing.T) {
	w := newWorld()
	usual := conduct{rate: day(60), slowness: 1, failing: 0.002}
	night := func(slowness float64) (told int) {
		w.run(2*time.Hour, usual)
		began := len(w.alarms)
		w.run(time.Hour, conduct{rate: day(60), slowness: slowness, failing: 0.002})
		for _, a := range w.alarms[began:] {
			if a.Symptom == anomaly.SymptomLatency && a.Subject.Service == "cart" {
				told++
			}
		}
		w.run(21*time.Hour, usual)
		return told
	}
	w.run(24*time.Hour, usual)
	if night(2.5) == 0 {
		t.Error("the first night is not told")
	}
	if n := night(2.6); n > 0 {
		t.Errorf("the second night, like the first, is told: %d", n)
	}
	if n := night(2.4); n > 0 {
		t.Errorf("the third night, like the others, is told: %d", n)
	}
	if night(12) == 0 {
		t.Error("a night five times as bad is not told")
	}
}
