package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// What comes every day at the same time is followed, not told. A fault that happens to come at the same hour on two
// days must not be taken for that. So what is certainly harm teaches no habit: failing requests, and whatever else was
// wrong with a service while its requests failed; and what somebody acknowledged, because people do not look after
// what is meant to happen. What is severe has to come on two days before it is one.

// severe says whether an alarm alone would make a critical incident by the time requests take, or by those missing.
func severe(a *anomaly.Alarm) bool {
	switch {
	case !a.Paging || a.Expected <= 0:
		return false
	case a.Symptom == anomaly.SymptomLatency:
		return a.Observed >= 3*a.Expected
	case a.Symptom == anomaly.SymptomTraffic:
		return a.Observed <= 0.2*a.Expected
	}
	return false
}

// drop forgets what went on between two moments, Unix seconds.
func (h *habit) drop(from, to int64) {
	if h == nil {
		return
	}
	for i := range h.last {
		if e := &h.last[i]; e.from > 0 && e.from <= to && e.to >= from {
			*e = episode{}
		}
	}
}

// interval is from when to when something went on, Unix seconds.
type interval struct{ from, to int64 }

// acknowledged reads what somebody looked after within the time that habits are remembered.
func (w *Watch) acknowledged(ctx context.Context) (map[slot][]interval, error) {
	since := w.o.Now().Add(-(habitWeek + 1) * 24 * time.Hour)
	list, err := w.read(ctx, `id IN (SELECT incident FROM incident_events WHERE kind = 'acknowledged' AND ts >= fromUnixTimestamp64Milli(?))`, millis(since))
	if err != nil {
		return nil, fmt.Errorf("read what was acknowledged: %w", err)
	}
	out := map[slot][]interval{}
	for _, inc := range list {
		for _, a := range inc.Alarms {
			end := a.Ended
			if end.IsZero() {
				end = w.o.Now()
			}
			k := slotIn(a)
			out[k] = append(out[k], interval{a.Began.Unix(), end.Unix()})
		}
	}
	return out, nil
}

// unteach forgets habits that come from what was acknowledged.
func (e *engine) unteach(real map[slot][]interval) {
	if len(real) == 0 {
		return
	}
	forget := func(subject anomaly.Subject, watch []open) {
		for c := range watch {
			if watch[c].habit == nil {
				continue
			}
			for _, i := range real[slot{subject, names[c]}] {
				watch[c].habit.drop(i.from, i.to)
			}
		}
	}
	for _, s := range e.series {
		subject := s.subject()
		forget(subject, s.watch[:])
		for _, p := range s.parts {
			part := subject
			part.Version, part.Instance = p.version, p.instance
			forget(part, p.watch[:])
		}
	}
}
