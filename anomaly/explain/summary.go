package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// summarize fills in what the alarms alone say: their order, services, severity, title and a first guess at the cause.
func summarize(inc *anomaly.Incident, g *Graph) {
	order(inc.Alarms, g)
	inc.Services = services(inc.Alarms)
	inc.Severity = severity(inc.Alarms)
	if len(inc.Alarms) == 0 {
		return
	}
	inc.Title = title(lead(*inc))
	if codeOnly(inc.Alarms) {
		concludeCode(inc)
	}
	if len(inc.RootCauses) == 0 {
		inc.RootCauses = fromAlarms(inc.Alarms)
	}
}

// lead is the alarm that an incident is named after: the likely cause, and of an incident that came back that of what
// goes on now, which may be about another operation than what is over.
func lead(inc anomaly.Incident) anomaly.Alarm {
	if inc.Flaps > 0 {
		for _, a := range inc.Alarms {
			if a.Ended.IsZero() && !a.Supports() {
				return a
			}
		}
	}
	return inc.Alarms[0]
}

// order sorts alarms from the likely cause to the symptoms. Trouble climbs from callee to caller, so the alarm with
// the most alarmed services above it comes first; missing traffic flows the other way, and comes last where anything
// else is wrong.
func order(alarms []anomaly.Alarm, g *Graph) {
	names := services(alarms)
	above := map[string]int{}
	for _, s := range names {
		for _, t := range names {
			if s != t && g.distance(t, s) > 0 {
				above[s]++
			}
		}
	}
	worst := math.Inf(1)
	for _, a := range alarms {
		worst = min(worst, rankOf(a))
	}
	slices.SortStableFunc(alarms, func(a, b anomaly.Alarm) int {
		x, y := rankOf(a), rankOf(b)
		if x != y {
			return cmp.Compare(x, y)
		}
		depth := above[b.Subject.Service] - above[a.Subject.Service]
		if a.Symptom == anomaly.SymptomTraffic {
			depth = -depth
		}
		if depth != 0 {
			return depth
		}
		if a.Symptom == anomaly.SymptomTraffic && incoming(a.Subject) != incoming(b.Subject) {
			return map[bool]int{true: -1, false: 1}[incoming(a.Subject)]
		}
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		if c := cmp.Compare(b.Score, a.Score); c != 0 {
			return c
		}
		return strings.Compare(key(a), key(b))
	})
}

// rankOf puts missing traffic after everything else that harms, then functions that profiles alarmed about, and
// what only supports the rest last.
func rankOf(a anomaly.Alarm) float64 {
	if a.Supports() {
		return 2
	}
	if a.Code != nil {
		return 1.5
	}
	if a.Symptom == anomaly.SymptomTraffic {
		return 1
	}
	return 0
}

// services lists the alarms' services in the alarms' order.
func services(alarms []anomaly.Alarm) []string {
	out := []string{}
	for _, a := range alarms {
		if s := a.Subject.Service; s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// severity: critical when a paging series is far off, warning when a paging series is off, info otherwise; what a person
// wrote into a rule counts as written.
func severity(alarms []anomaly.Alarm) anomaly.Severity {
	worst := anomaly.SeverityInfo
	for _, a := range alarms {
		s := a.Severity
		switch {
		case s != "" || !a.Paging:
		case grave(a):
			s = anomaly.SeverityCritical
		default:
			s = anomaly.SeverityWarning
		}
		if s == anomaly.SeverityCritical || s == anomaly.SeverityWarning && worst == anomaly.SeverityInfo {
			worst = s
		}
	}
	return worst
}

// grave: five requests in a hundred fail, everything takes three times as long, or four fifths of the traffic is gone.
func grave(a anomaly.Alarm) bool {
	switch a.Symptom {
	case anomaly.SymptomErrors:
		return a.Observed >= 0.05
	case anomaly.SymptomLatency:
		return a.Expected > 0 && a.Observed >= 3*a.Expected
	case anomaly.SymptomTraffic:
		return a.Expected > 0 && a.Observed <= 0.2*a.Expected
	}
	return false
}

// subject names what an alarm is about: a service, what it does, and what it calls. peer is the other end of a call
// where the alarm itself does not name it.
func subject(s anomaly.Subject, peer string) string {
	name := s.Service
	if s.Peer != "" {
		peer = s.Peer
	}
	if peer != "" && (s.Peer != "" || !incoming(s)) {
		name += " → " + peer
	}
	switch {
	case s.Operation != "" && name != s.Service:
		name += ": " + s.Operation
	case s.Operation != "" && !incoming(s):
		name += ": its call " + s.Operation
	case s.Operation != "":
		name += ": " + s.Operation
	}
	switch {
	case s.Version != "":
		name += " of version " + s.Version
	case s.Instance != "":
		name += " on " + s.Instance
	}
	return name
}

// incoming says whether a subject is about what a service is asked, not about what it asks others.
func incoming(s anomaly.Subject) bool {
	return s.Peer == "" && s.SpanKind != "client" && s.SpanKind != "producer"
}

// title says in a few words what an alarm saw, with the figure and what is usual.
func title(a anomaly.Alarm) string { return titleOf(a, "") }

func titleOf(a anomaly.Alarm, peer string) string {
	if a.Name != "" { // a person has named it
		return fmt.Sprintf("%s: %s is %s", a.Name, measured(a), amount(a.Observed, a.Unit))
	}
	if a.Code != nil {
		return a.Subject.Service + ": " + a.Code.Title()
	}
	name := subject(a.Subject, peer)
	now, usual := amount(a.Observed, a.Unit), amount(a.Expected, a.Unit)
	switch {
	case a.What != "":
		return fmt.Sprintf("%s: %s %s, usually %s", a.Subject.Service, a.What, now, usual)
	case a.Subject.Metric != "":
		return fmt.Sprintf("%s: %s is %s, usually %s", name, a.Subject.Metric, now, usual)
	case a.Channel == anomaly.ChannelNoData && a.Subject.Rule == "":
		return fmt.Sprintf("%s sends no telemetry any more, usually %s", name, usual)
	case a.Symptom == anomaly.SymptomErrors:
		return fmt.Sprintf("%s fails for %s of requests, usually %s", name, now, usual)
	case a.Symptom == anomaly.SymptomLatency && a.Expected > 0 && a.Observed > a.Expected:
		return fmt.Sprintf("%s takes %s, usually %s", name, now, usual)
	case a.Symptom == anomaly.SymptomTraffic && incoming(a.Subject):
		return fmt.Sprintf("%s gets %s, usually %s", name, now, usual)
	case a.Symptom == anomaly.SymptomTraffic:
		return fmt.Sprintf("%s: %s, usually %s", name, now, usual)
	}
	return fmt.Sprintf("%s: %s is not normal", name, a.Symptom)
}

// measured names what a rule looks at.
func measured(a anomaly.Alarm) string {
	what := string(a.Symptom)
	switch {
	case a.Subject.Metric != "":
		what = a.Subject.Metric
	case a.Symptom == anomaly.SymptomErrors:
		what = "share of failed requests"
	case a.Symptom == anomaly.SymptomTraffic:
		what = "traffic"
	}
	if a.Subject.Service != "" {
		what += " of " + a.Subject.Service
	}
	return what
}

// amount writes a value in its unit.
func amount(v float64, unit string) string {
	if unit == "/s" {
		return rate(v)
	}
	return anomaly.Amount(v, unit)
}

// rate writes requests a second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "no requests"
	case v < 1:
		return anomaly.Tenths(v*60) + " requests a minute"
	case v < 10:
		return anomaly.Tenths(v) + " requests a second"
	}
	return fmt.Sprintf("%.0f requests a second", v)
}

// fromAlarms guesses the cause from the order of the alarms alone.
func fromAlarms(alarms []anomaly.Alarm) []anomaly.RootCause {
	out := []anomaly.RootCause{}
	for _, a := range alarms {
		if a.Subject.Service == "" || len(out) == 3 || slices.ContainsFunc(out, func(c anomaly.RootCause) bool { return c.Service == a.Subject.Service }) {
			continue
		}
		out = append(out, anomaly.RootCause{Rank: len(out) + 1, Service: a.Subject.Service, Operation: a.Subject.Operation, Kind: a.Symptom,
			Confidence: 0.3 / float64(len(out)+1), Summary: title(a) + ".", Evidence: []anomaly.Evidence{}})
	}
	return out
}
