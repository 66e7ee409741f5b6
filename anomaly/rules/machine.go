package rules

import (
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// The states of a rule.
const (
	ok      = "ok"
	pending = "pending" // beyond the threshold, not yet for long enough
	firing  = "firing"
	noData  = "no_data"
	failed  = "failed" // the last evaluation did not work; the machine stands still meanwhile
)

// policy is what a machine goes by.
type policy struct {
	operator            string
	threshold, recovery float64
	wait, keep          time.Duration // before firing; after the last bad moment
	least               float64       // requests or points below which nothing is judged
	noData              string        // ok, firing, keep
}

func (r *Rule) policy() policy {
	p := policy{operator: r.Operator, threshold: r.Threshold, recovery: r.Threshold, wait: time.Duration(r.For) * time.Second, keep: time.Duration(r.KeepFiring) * time.Second, noData: r.NoData}
	if r.Recovery != nil {
		p.recovery = *r.Recovery
	}
	if r.Signal == "red" {
		p.least = r.MinTraffic
		if r.Measure != "rate" {
			p.least = max(p.least, 1) // none of no requests failed, and none were slow
		}
	}
	return p
}

// machine is a rule's state from tick to tick. Its transitions are stored, so that it goes on after a restart.
type machine struct {
	Status  string    `json:"status"`
	Since   time.Time `json:"since"`    // of the status
	Bad     time.Time `json:"bad"`      // first bad tick of the stretch that is pending or fires
	LastBad time.Time `json:"last_bad"` // while it fires
	Last    time.Time `json:"last"`     // tick seen last
	Worst   float64   `json:"worst"`    // while it fires
	Empty   bool      `json:"empty"`    // it fires for want of data
	Sample  float64   `json:"sample"`   // behind the worst value

	value  float64
	judged bool // value stands for something
}

// step takes in what a rule sees at a tick. It reports whether the status changed.
func (m *machine) step(p policy, at time.Time, x query.RulePoint) (changed bool) {
	before := m.Status
	m.Last, m.value, m.judged = at, x.Value, x.Data && x.Sample >= p.least
	if !x.Data && p.noData == "keep" {
		if before != firing && before != pending {
			m.become(noData, at)
		}
		return m.Status != before
	}
	bad, over := m.judge(p, x)
	switch {
	case m.Status == firing:
		if !over {
			m.LastBad = at
			m.worse(p, x)
		} else if at.Sub(m.LastBad) >= p.keep {
			m.rest(at, x)
		}
	case !bad:
		m.rest(at, x)
	default:
		if m.Status != pending {
			m.become(pending, at)
			m.Bad = at
		}
		if at.Sub(m.Bad) >= p.wait {
			m.become(firing, at)
			m.LastBad, m.Worst, m.Sample, m.Empty = at, x.Value, x.Sample, !x.Data
		}
	}
	return m.Status != before
}

// judge tells whether what is seen is bad, and whether it would be over for a rule that fires.
func (m *machine) judge(p policy, x query.RulePoint) (bad, over bool) {
	switch {
	case !x.Data:
		return p.noData == "firing", p.noData != "firing"
	case !m.judged:
		return false, true
	}
	return holds(x.Value, p.operator, p.threshold), !holds(x.Value, p.operator, p.recovery)
}

// worse keeps the worst value while the rule fires.
func (m *machine) worse(p policy, x query.RulePoint) {
	if x.Data && m.judged && (m.Empty || holds(x.Value, p.operator, m.Worst)) {
		m.Worst, m.Sample, m.Empty = x.Value, x.Sample, false
	}
}

// rest is the state while nothing is wrong.
func (m *machine) rest(at time.Time, x query.RulePoint) {
	if x.Data {
		m.become(ok, at)
	} else {
		m.become(noData, at)
	}
}

func (m *machine) become(status string, at time.Time) {
	if m.Status != status {
		m.Status, m.Since = status, at
	}
}
