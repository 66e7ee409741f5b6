package watch

import (
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

const (
	// mostSupport is how many metrics an incident has as evidence.
	mostSupport = 8
	// supportBefore is how long before the trouble a metric may have gone back to normal and still tell about it.
	supportBefore = 5 * time.Minute
)

// admit parts alarms into those that make incidents and those that only support one, and leaves out those about calls
// that repeat what an incident says.
func (k *keeper) admit(alarms []anomaly.Alarm) (making, supporting []anomaly.Alarm) {
	for _, a := range alarms {
		switch {
		case a.Supports():
			supporting = append(supporting, a)
		case k.has(a.ID) || !repeats(a, k.incidents):
			making = append(making, a)
		}
	}
	return making, supporting
}

func (k *keeper) has(alarm string) bool {
	return slices.ContainsFunc(k.incidents, func(inc anomaly.Incident) bool { return alarmOf(inc, alarm) != nil })
}

// supported keeps of some supporting alarms those that an open incident has, or takes in: it is about their service at
// the time.
func (k *keeper) supported(alarms []anomaly.Alarm) []anomaly.Alarm {
	var out []anomaly.Alarm
	added := map[string]int{}
	for _, a := range alarms {
		for _, inc := range k.incidents {
			if inc.Status != "open" {
				continue
			}
			if alarmOf(inc, a.ID) != nil {
				out = append(out, a)
				break
			}
			if support(inc)+added[inc.ID] < mostSupport && takesIn(inc, a) {
				added[inc.ID]++
				out = append(out, a)
				break
			}
		}
	}
	return out
}

func alarmOf(inc anomaly.Incident, id string) *anomaly.Alarm {
	for i := range inc.Alarms {
		if inc.Alarms[i].ID == id {
			return &inc.Alarms[i]
		}
	}
	return nil
}

// support is how many supporting alarms an incident has.
func support(inc anomaly.Incident) (n int) {
	for _, a := range inc.Alarms {
		if a.Supports() {
			n++
		}
	}
	return n
}

// takesIn says whether a metric tells about an incident: one of its services was in trouble while the metric was not
// normal, and no other series of the same metric says it already.
func takesIn(inc anomaly.Incident, a anomaly.Alarm) bool {
	during := false
	for _, b := range inc.Alarms {
		if b.Subject.Service != a.Subject.Service || b.Subject.Env != a.Subject.Env && b.Subject.Env != "" && a.Subject.Env != "" {
			continue
		}
		if b.Supports() {
			if b.What == a.What {
				return false
			}
			continue
		}
		starts := a.Ended.IsZero() || !a.Ended.Add(supportBefore).Before(b.Began)
		during = during || starts && (b.Ended.IsZero() || !a.Began.After(b.Ended.Add(supportBefore)))
	}
	return during
}

// together adds changes to others; of an incident that both speak of, the later is how it is.
func together(out, more []change) []change {
	for _, c := range more {
		at := slices.IndexFunc(out, func(o change) bool { return o.incident.ID == c.incident.ID })
		if at < 0 {
			out = append(out, c)
			continue
		}
		out[at].incident = c.incident
	}
	return out
}

// ended ends what still goes on of alarms: an incident that is over does not wait for what only supports it.
func ended(alarms []anomaly.Alarm, at time.Time) []anomaly.Alarm {
	out := slices.Clone(alarms)
	for i := range out {
		if out[i].Ended.IsZero() {
			out[i].Ended = at
		}
	}
	return out
}
