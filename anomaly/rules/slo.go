package rules

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Objective is a promise about a service: a share of its requests succeed, or are fast enough, over days.
type Objective struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Enabled    bool              `json:"enabled"`
	Service    string            `json:"service"`
	Operation  string            `json:"operation"`
	Env        string            `json:"env"`
	Kind       string            `json:"kind"`           // availability, latency
	SlowerThan float64           `json:"slower_than_ms"` // of latency: what counts as bad
	Target     float64           `json:"target"`         // 0..1
	WindowDays int               `json:"window_days"`
	Severity   anomaly.Severity  `json:"severity,omitempty"` // of every alarm; empty: critical for the fast window, warning for the slow one
	Labels     map[string]string `json:"labels"`
	State      *ObjectiveState   `json:"state,omitempty"` // read only
}

// ObjectiveState is how an objective stands.
type ObjectiveState struct {
	Total      float64      `json:"total"` // requests in the window
	Bad        float64      `json:"bad"`
	Ratio      *float64     `json:"ratio"`       // that were good; null: no requests
	BudgetLeft *float64     `json:"budget_left"` // share of what may be bad; negative when overspent
	Burn       []BurnStatus `json:"burn"`
}

// BurnStatus is how fast the budget burns over one pair of windows: 1 uses it up exactly at the window's end.
type BurnStatus struct {
	Name   string   `json:"name"`
	LongS  int64    `json:"long_s"`
	ShortS int64    `json:"short_s"`
	Factor float64  `json:"factor"`
	Long   *float64 `json:"long"` // null: no requests
	Short  *float64 `json:"short"`
	Firing bool     `json:"firing"`
}

// burnNames are those of anomaly.BurnWindows, burnSeverities how loud they are.
var (
	burnNames      = [...]string{"fast", "slow"}
	burnSeverities = [...]anomaly.Severity{anomaly.SeverityCritical, anomaly.SeverityWarning}
)

// Of a few requests, one failed one is no burning budget: the long window needs so many, and so many bad ones.
const (
	leastRequests = 10
	leastBad      = 3
)

// burnPolicy judges how many times the factor is reached in the window that burns less; it is over after five quiet
// minutes.
var burnPolicy = policy{operator: ">=", threshold: 1, recovery: 1, keep: 5 * time.Minute, noData: "ok"}

func (o *Objective) normalize() {
	o.State = nil
	for _, s := range []*string{&o.Name, &o.Service, &o.Operation, &o.Env} {
		*s = strings.TrimSpace(*s)
	}
	if o.WindowDays == 0 {
		o.WindowDays = 30
	}
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
}

func (o *Objective) check() error {
	if err := checkName(o.Name, o.Labels); err != nil {
		return err
	}
	switch {
	case o.Service == "":
		return wrong("service", "is missing")
	case len(o.Service) > mostText || len(o.Operation) > mostText || len(o.Env) > mostText:
		return wrong("service", "is longer than %d bytes", mostText)
	case o.Kind != "availability" && o.Kind != "latency":
		return wrong("kind", "is %q: want availability or latency", o.Kind)
	case o.Kind == "latency" && !(o.SlowerThan > 0 && o.SlowerThan <= 1e9):
		return wrong("slower_than_ms", "is %g: want a number of milliseconds", o.SlowerThan)
	case !(o.Target > 0 && o.Target < 1):
		return wrong("target", "is %g: want above 0 and below 1", o.Target)
	case o.WindowDays < 1 || o.WindowDays > 90:
		return wrong("window_days", "is %d: want 1 to 90", o.WindowDays)
	case o.Severity != "" && !slices.Contains(severities, o.Severity):
		return wrong("severity", "is %q: want critical, warning, info or nothing", o.Severity)
	}
	return nil
}

func (o *Objective) clone() Objective {
	c := *o
	c.Labels = maps.Clone(o.Labels)
	return c
}

// same reports whether two objectives count the same.
func (o *Objective) same(p *Objective) bool {
	return o.Enabled == p.Enabled && o.Service == p.Service && o.Operation == p.Operation && o.Env == p.Env && o.Kind == p.Kind && o.SlowerThan == p.SlowerThan && o.Target == p.Target
}

// counts is what the objective asks of the store.
func (o *Objective) counts() query.RuleObjective {
	q := query.RuleObjective{Selection: query.Selection{Service: o.Service, Operation: o.Operation, Env: o.Env}}
	if o.Kind == "latency" {
		q.SlowerThan = o.SlowerThan * 1e6
	}
	return q
}

func (o *Objective) window() time.Duration { return time.Duration(o.WindowDays) * 24 * time.Hour }

// budget fills in the part of a state that is about the whole window.
func (s *ObjectiveState) budget(target, total, bad float64) {
	s.Total, s.Bad, s.Ratio, s.BudgetLeft = total, bad, nil, nil
	if total > 0 {
		ratio := 1 - bad/total
		left := 1 - bad/total/(1-target)
		s.Ratio, s.BudgetLeft = &ratio, &left
	}
}

// burnPoint is what the machine of a burn window sees.
func burnPoint(r anomaly.BurnRate, total, bad float64) query.RulePoint {
	return query.RulePoint{Value: math.Min(r.LongRate, r.ShortRate) / r.Factor, Sample: total, Data: total >= leastRequests && bad >= leastBad}
}

func burnStatus(i int, r anomaly.BurnRate, known, fires bool) BurnStatus {
	s := BurnStatus{Name: burnNames[i], LongS: int64(r.Long.Seconds()), ShortS: int64(r.Short.Seconds()), Factor: r.Factor, Firing: fires}
	if known {
		s.Long, s.Short = &r.LongRate, &r.ShortRate
	}
	return s
}
