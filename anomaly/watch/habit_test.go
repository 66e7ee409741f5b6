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

// TestWhatIsHarmIsNoHabit: of trouble at the same hour of several days, the days on which it is told.
func TestWhatIsHarmIsNoHabit(t *testing.T) {
	usual := conduct{rate: day(60), slowness: 1, failing: 0.002}
	for name, c := range map[string]struct {
		trouble conduct
		symptom anomaly.Symptom
		marked  bool
		later   time.Duration // than the day before
		told    [4]bool
	}{
		"slow":                 {conduct{rate: day(60), slowness: 2.2, failing: 0.002}, anomaly.SymptomLatency, false, 0, [4]bool{true, false, false, false}},
		"slow, later each day": {conduct{rate: day(60), slowness: 2.2, failing: 0.002}, anomaly.SymptomLatency, false, 30 * time.Minute, [4]bool{true, true, false, false}},
		"slow, looked after":   {conduct{rate: day(60), slowness: 2.2, failing: 0.002}, anomaly.SymptomLatency, true, 0, [4]bool{true, true, true, true}},
		"severely slow":        {conduct{rate: day(60), slowness: 5, failing: 0.002}, anomaly.SymptomLatency, false, 0, [4]bool{true, true, false, false}},
		"failing":              {conduct{rate: day(60), slowness: 1, failing: 0.2}, anomaly.SymptomErrors, false, 0, [4]bool{true, true, true, true}},
		"slow and failing":     {conduct{rate: day(60), slowness: 2.2, failing: 0.2}, anomaly.SymptomLatency, false, 0, [4]bool{true, true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.run(26*time.Hour, usual)
			for day, want := range c.told {
				began := len(w.alarms)
				w.run(time.Hour, c.trouble)
				told := false
				real := map[slot][]interval{}
				for _, a := range w.alarms[began:] {
					told = told || a.Symptom == c.symptom && a.Subject.Service == "cart"
				}
				if told != want {
					t.Errorf("day %d: told %v, want %v", day+1, told, want)
				}
				w.run(22*time.Hour, usual)
				for _, a := range w.alarms[began:] {
					if !a.Ended.IsZero() {
						real[slotIn(a)] = append(real[slotIn(a)], interval{a.Began.Unix(), a.Ended.Unix()})
					}
				}
				if c.marked {
					w.engine.unteach(real)
				}
				w.run(time.Hour+c.later, usual)
			}
		})
	}
}
