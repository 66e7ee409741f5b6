package watch

import "github.com/tidemarkhq/tidemark/anomaly"

// slot is what an alarm is about, whenever it is.
type slot struct {
	subject anomaly.Subject
	channel anomaly.Channel
}

// slotIn names the series of an alarm. Which instance is the worst one of a metric plays no part.
func slotIn(a anomaly.Alarm) slot {
	s := a.Subject
	if s.Metric != "" {
		s.Instance = ""
	}
	return slot{s, a.Channel}
}

// dismissed are alarms that went on when somebody closed their incident, as they were then.
type dismissed map[slot]anomaly.Alarm

// add dismisses what goes on of an incident.
func (d dismissed) add(inc anomaly.Incident) {
	for _, a := range inc.Alarms {
		if a.Ended.IsZero() && a.Subject.Rule == "" {
			d[slotIn(a)] = a
		}
	}
}

// dismiss dismisses what goes on of an incident as it is now: an alarm may have grown since it was last told. Called with
// mu held.
func (w *Watch) dismiss(inc anomaly.Incident) {
	w.dismissed.add(inc)
	if w.engine == nil {
		return
	}
	about := dismissed{}
	about.add(inc)
	w.each(func(o *open) {
		k := slotIn(*o.alarm)
		if _, ok := about[k]; ok {
			w.dismissed[k] = *o.alarm
		}
	})
}

// silent says whether an alarm was dismissed and is no worse than it was then. One that is worse is not any more.
func (d dismissed) silent(a anomaly.Alarm) bool {
	was, ok := d[slotIn(a)]
	if !ok {
		return false
	}
	if !a.Ended.IsZero() || noWorse(a, was) {
		return true
	}
	delete(d, slotIn(a))
	return false
}

// keep forgets what does not go on any more.
func (d dismissed) keep(each func(func(*open))) {
	if len(d) == 0 {
		return
	}
	on := map[slot]bool{}
	each(func(o *open) { on[slotIn(*o.alarm)] = true })
	for k := range d {
		if !on[k] {
			delete(d, k)
		}
	}
}
