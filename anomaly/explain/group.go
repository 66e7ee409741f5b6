package explain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// together is how far apart in time two alarms of connected services may begin and still be one incident.
const together = 5 * time.Minute

// How long after its end trouble that comes back where it began is still the same: of the same series, and of the same
// service with the same symptom. What flaps is one incident. That a caller suffers again says nothing: callers suffer from
// whatever is wrong below them.
const (
	sameSeries  = 30 * time.Minute
	sameService = 15 * time.Minute
)

// Grouping is what a step of grouping did.
type Grouping struct {
	Changed []anomaly.Incident // new and changed incidents, oldest first
	Merged  map[string]string  // ids of incidents that joined an earlier one → that one's id
}

// Group puts alarms that began or changed into incidents. open are the incidents an alarm may belong to: the open ones,
// and those resolved so recently that they may come back (their Flaps go up, their Status is open again). An alarm
// whose ID an incident has already replaces it there. Incidents that an alarm turns out to connect become one: the
// later joins the earlier, whose id stays. It depends on its arguments only; the order of alarms that came at once
// plays no part.
func Group(open []anomaly.Incident, alarms []anomaly.Alarm, g *Graph) Grouping {
	p := &grouper{graph: g, merged: map[string]string{}, changed: map[string]bool{}}
	for _, inc := range open {
		inc.Alarms = slices.Clone(inc.Alarms)
		p.incidents = append(p.incidents, inc)
	}
	slices.SortStableFunc(p.incidents, byStart)
	alarms = slices.Clone(alarms)
	slices.SortStableFunc(alarms, byBegan)
	for _, a := range alarms {
		p.place(a)
	}
	out := Grouping{Merged: p.merged}
	for _, inc := range p.incidents {
		if p.changed[inc.ID] {
			summarize(&inc, g)
			out.Changed = append(out.Changed, inc)
		}
	}
	return out
}

type grouper struct {
	graph     *Graph
	incidents []anomaly.Incident // oldest first
	merged    map[string]string
	changed   map[string]bool
}

func byStart(a, b anomaly.Incident) int {
	if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

func byBegan(a, b anomaly.Alarm) int {
	if c := a.Began.Compare(b.Began); c != 0 {
		return c
	}
	return strings.Compare(a.ID+key(a), b.ID+key(b))
}

// key names the series of an alarm.
func key(a anomaly.Alarm) string {
	s := a.Subject
	return strings.Join([]string{s.Env, s.Service, s.Operation, s.SpanKind, s.PeerKind, s.Peer, s.Version, s.Instance, s.Metric, s.Label, s.Rule, string(a.Symptom)}, "\x00")
}

// place puts one alarm where it belongs.
func (p *grouper) place(a anomaly.Alarm) {
	for i := range p.incidents {
		inc := &p.incidents[i]
		if at := slices.IndexFunc(inc.Alarms, func(o anomaly.Alarm) bool { return o.ID == a.ID }); at >= 0 {
			inc.Alarms[at] = a
			p.touch(inc, a)
			return
		}
	}
	home := -1
	for i := 0; i < len(p.incidents); i++ {
		if !p.belongs(&p.incidents[i], a) {
			continue
		}
		if home < 0 {
			home = i
			continue
		}
		if a.Supports() {
			break // it connects nothing
		}
		p.join(home, i)
		i--
	}
	if home < 0 {
		if !a.Supports() {
			p.open(a)
		}
		return
	}
	inc := &p.incidents[home]
	inc.Alarms = append(inc.Alarms, a)
	p.touch(inc, a)
}

// belongs says whether an alarm is part of an incident: connected to one of its alarms that began within five minutes,
// or that still goes on (or ended less than five minutes ago) at the same service or one call away (requests that do not
// come are missed all the way down, later where few come), or what the incident began with comes back.
func (p *grouper) belongs(inc *anomaly.Incident, a anomaly.Alarm) bool {
	for _, b := range inc.Alarms {
		if a.Code != nil || b.Code != nil {
			if codeBelongs(a, b) {
				return true
			}
			continue
		}
		switch {
		case a.Began.Sub(b.Began).Abs() <= together:
			if p.graph.Connected(a, b) {
				return true
			}
		case overlaps(a, b):
			if p.graph.adjacent(a, b) || a.Symptom == anomaly.SymptomTraffic && b.Symptom == a.Symptom && p.graph.Connected(a, b) {
				return true
			}
		case comesBack(a, b) && origin(inc, b):
			return true
		}
	}
	return false
}

// comesBack says whether an alarm is about what an earlier one was about.
func comesBack(a, b anomaly.Alarm) bool {
	if b.Ended.IsZero() || a.Began.Before(b.Ended) || a.Subject.Service != b.Subject.Service || a.Subject.Env != b.Subject.Env || a.Symptom != b.Symptom {
		return false
	}
	after := a.Began.Sub(b.Ended)
	return after <= sameService || after <= sameSeries && key(a) == key(b)
}

// origin says whether an alarm of an incident is of the service where it began, as far as is known.
func origin(inc *anomaly.Incident, b anomaly.Alarm) bool {
	return b.Subject.Service == inc.Alarms[0].Subject.Service || len(inc.RootCauses) > 0 && b.Subject.Service == inc.RootCauses[0].Service
}

// overlaps says whether two alarms went on at the same time, give or take five minutes.
func overlaps(a, b anomaly.Alarm) bool {
	before := func(x, y anomaly.Alarm) bool { return !x.Ended.IsZero() && x.Ended.Add(together).Before(y.Began) }
	return !before(a, b) && !before(b, a)
}

// adjacent says whether two alarms are about the same service, or about two of which one calls the other.
func (g *Graph) adjacent(a, b anomaly.Alarm) bool {
	if a.Subject.Env != b.Subject.Env && a.Subject.Env != "" && b.Subject.Env != "" {
		return false
	}
	for _, x := range ends(a.Subject) {
		for _, y := range ends(b.Subject) {
			if x == y || g != nil && (slices.Contains(g.out[x], y) || slices.Contains(g.out[y], x)) {
				return true
			}
		}
	}
	return false
}

// join moves the incident at j, the later, into the one at i.
func (p *grouper) join(i, j int) {
	into, from := &p.incidents[i], p.incidents[j]
	into.Alarms = append(into.Alarms, from.Alarms...)
	into.Flaps += from.Flaps
	if from.Status == "open" {
		reopen(into, from.Status)
	}
	if from.DetectedAt.Before(into.DetectedAt) {
		into.DetectedAt = from.DetectedAt
	}
	p.changed[into.ID] = true
	delete(p.changed, from.ID)
	for old, now := range p.merged {
		if now == from.ID {
			p.merged[old] = into.ID
		}
	}
	p.merged[from.ID] = into.ID
	p.incidents = slices.Delete(p.incidents, j, j+1)
}

// touch keeps an incident's times true after an alarm of its changed. What only supports it does not say since when it
// goes on, or that it does.
func (p *grouper) touch(inc *anomaly.Incident, a anomaly.Alarm) {
	if a.Supports() {
		p.changed[inc.ID] = true
		return
	}
	if a.Began.Before(inc.StartedAt) {
		inc.StartedAt = a.Began
	}
	if !a.Detected.IsZero() && a.Detected.Before(inc.DetectedAt) {
		inc.DetectedAt = a.Detected
	}
	if a.Ended.IsZero() && inc.Status != "open" {
		inc.Flaps++
		reopen(inc, "open")
	}
	p.changed[inc.ID] = true
}

func reopen(inc *anomaly.Incident, status string) {
	if status == "open" {
		inc.Status, inc.ResolvedAt, inc.ByHand = "open", nil, false
	}
}

// open begins an incident. Its id comes from its first alarm, so that a replay of the same history gives the same.
func (p *grouper) open(a anomaly.Alarm) {
	sum := sha256.Sum256([]byte(key(a) + a.Began.UTC().Format(time.RFC3339)))
	id := fmt.Sprintf("%s-%s", a.Began.UTC().Format("20060102-1504"), hex.EncodeToString(sum[:4]))
	inc := anomaly.Incident{ID: id, Status: "open", StartedAt: a.Began, DetectedAt: a.Detected, UpdatedAt: a.Detected, Env: a.Subject.Env, Alarms: []anomaly.Alarm{a}}
	p.incidents = append(p.incidents, inc)
	slices.SortStableFunc(p.incidents, byStart)
	p.changed[id] = true
}
