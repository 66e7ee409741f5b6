package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

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
	lead := inc.Alarms[0]
	inc.Title = title(lead)
	if len(inc.RootCauses) == 0 {
		inc.RootCauses = fromAlarms(inc.Alarms)
	}
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
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		if c := cmp.Compare(b.Score, a.Score); c != 0 {
			return c
		}
		return strings.Compare(key(a), key(b))
	})
}

// rankOf puts missing traffic after everything else.
func rankOf(a anomaly.Alarm) float64 {
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

// severity: critical when a paging series is far off, warning when a paging series is off, info otherwise.
func severity(alarms []anomaly.Alarm) anomaly.Severity {
	s := anomaly.SeverityInfo
	for _, a := range alarms {
		if !a.Paging {
			continue
		}
		if grave(a) {
			return anomaly.SeverityCritical
		}
		s = anomaly.SeverityWarning
	}
	return s
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

// subject names what an alarm is about.
func subject(s anomaly.Subject) string {
	name := s.Service
	if s.Operation != "" {
		name += " " + s.Operation
	}
	if s.Peer != "" {
		name += " → " + s.Peer
	}
	return name
}

// title says in a few words what an alarm saw.
func title(a anomaly.Alarm) string {
	name := subject(a.Subject)
	switch {
	case a.Subject.Metric != "":
		return fmt.Sprintf("%s: %s is %s, usually %s", name, a.Subject.Metric, amount(a.Observed, a.Unit), amount(a.Expected, a.Unit))
	case a.Symptom == anomaly.SymptomErrors:
		return fmt.Sprintf("%s fails for %s of requests, usually %s", name, percent(a.Observed), percent(a.Expected))
	case a.Symptom == anomaly.SymptomLatency && a.Expected > 0 && a.Observed > a.Expected:
		return fmt.Sprintf("%s takes %s, usually %s", name, amount(a.Observed, a.Unit), amount(a.Expected, a.Unit))
	case a.Symptom == anomaly.SymptomTraffic && a.Observed < a.Expected:
		return fmt.Sprintf("%s gets %s, usually %s", name, amount(a.Observed, a.Unit), amount(a.Expected, a.Unit))
	case a.Symptom == anomaly.SymptomTraffic:
		return fmt.Sprintf("%s gets %s, usually %s", name, amount(a.Observed, a.Unit), amount(a.Expected, a.Unit))
	}
	return fmt.Sprintf("%s: %s is not normal", name, a.Symptom)
}

// percent writes a ratio.
func percent(v float64) string {
	switch v *= 100; {
	case v == 0:
		return "0 %"
	case v < 0.1:
		return "under 0.1 %"
	case v < 10:
		return trim(fmt.Sprintf("%.1f", v)) + " %"
	}
	return fmt.Sprintf("%.0f %%", v)
}

func trim(s string) string { return strings.TrimSuffix(s, ".0") }

// amount writes a value in its unit.
func amount(v float64, unit string) string {
	switch unit {
	case "ns":
		return elapsed(v)
	case "1":
		return percent(v)
	case "/s":
		return rate(v)
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// elapsed writes nanoseconds.
func elapsed(ns float64) string {
	switch d := time.Duration(ns); {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return trim(fmt.Sprintf("%.1f", d.Seconds())) + " s"
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return trim(fmt.Sprintf("%.1f", float64(d)/1e6)) + " ms"
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

// rate writes requests a second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "no requests"
	case v < 1:
		return trim(fmt.Sprintf("%.1f", v*60)) + " requests a minute"
	case v < 10:
		return trim(fmt.Sprintf("%.1f", v)) + " requests a second"
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
