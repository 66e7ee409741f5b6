package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/filter"
)

// Rule is a threshold that a person set. Durations are in seconds; values in the unit of what is measured: requests a
// second, a share (0..1), nanoseconds, a metric's own unit, or records.
type Rule struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Enabled  bool             `json:"enabled"`
	Severity anomaly.Severity `json:"severity"`
	Signal   string           `json:"signal"` // red, metric, logs

	Service   string  `json:"service"`
	Operation string  `json:"operation"` // empty: all requests that come in to the service
	Env       string  `json:"env"`       // empty: all
	Measure   string  `json:"measure"`   // of red: rate, error_ratio, latency
	Quantile  float64 `json:"quantile"`  // of latency: 0..1

	Metric string   `json:"metric"`
	Agg    string   `json:"agg"`    // auto, avg, sum, min, max, rate, count, p50, p90, p95, p99
	Filter []string `json:"filter"` // key:value

	Query string `json:"query"` // log records that match are counted

	Window    int64    `json:"window_s"`
	Operator  string   `json:"operator"` // >, >=, <, <=
	Threshold float64  `json:"threshold"`
	Recovery  *float64 `json:"recovery"` // it is over when the operator no longer holds for this; null: for the threshold

	For        int64   `json:"for_s"`         // beyond the threshold for so long before it fires
	KeepFiring int64   `json:"keep_firing_s"` // goes on so long after the last bad moment
	MinTraffic float64 `json:"min_traffic"`   // requests in the window, of which fewer say nothing
	NoData     string  `json:"no_data"`       // ok, firing, keep

	Labels map[string]string `json:"labels"`
	State  *RuleState        `json:"state,omitempty"` // read only
}

// RuleState is how a rule stands.
type RuleState struct {
	Status string     `json:"status"` // ok, pending, firing, no_data, failed
	Value  *float64   `json:"value"`  // null: nothing to judge
	Since  *time.Time `json:"since"`
	Error  string     `json:"error"` // why it failed
	Unit   string     `json:"unit"`
}

// What there may be at most.
const (
	mostRules     = 500
	mostObjective = 200
	mostName      = 200   // bytes
	mostText      = 4096  // bytes of a search
	mostLabels    = 32    // of a rule
	mostWindow    = 86400 // s
	mostFor       = 86400 // s
	mostFilters   = 20
)

var (
	measures     = []string{"rate", "error_ratio", "latency"}
	operators    = []string{">", ">=", "<", "<="}
	severities   = []anomaly.Severity{anomaly.SeverityCritical, anomaly.SeverityWarning, anomaly.SeverityInfo}
	policies     = []string{"ok", "firing", "keep"}
	aggregations = []string{"auto", "avg", "sum", "min", "max", "rate", "count", "p50", "p90", "p95", "p99"}
)

// normalize fills in what was left empty.
func (r *Rule) normalize() {
	r.State = nil
	for _, s := range []*string{&r.Name, &r.Service, &r.Operation, &r.Env, &r.Metric, &r.Query} {
		*s = strings.TrimSpace(*s)
	}
	if r.Severity == "" {
		r.Severity = anomaly.SeverityWarning
	}
	if r.NoData == "" {
		r.NoData = "ok"
	}
	if r.Agg == "" {
		r.Agg = "auto"
	}
	if r.Window == 0 {
		r.Window = 300
	}
	if r.Filter == nil {
		r.Filter = []string{}
	}
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
}

// check says which field of a rule cannot be.
func (r *Rule) check() error {
	if err := checkName(r.Name, r.Labels); err != nil {
		return err
	}
	if err := r.checkSubject(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(severities, r.Severity):
		return wrong("severity", "is %q: want critical, warning or info", r.Severity)
	case !slices.Contains(operators, r.Operator):
		return wrong("operator", "is %q: want >, >=, < or <=", r.Operator)
	case math.IsNaN(r.Threshold) || math.IsInf(r.Threshold, 0):
		return wrong("threshold", "is not a number")
	case r.Recovery != nil && r.above() && *r.Recovery > r.Threshold:
		return wrong("recovery", "must not be above the threshold")
	case r.Recovery != nil && !r.above() && *r.Recovery < r.Threshold:
		return wrong("recovery", "must not be below the threshold")
	case r.Window < 10 || r.Window > mostWindow || r.Window%10 != 0 || r.Window > 3600 && r.Window%60 != 0:
		return wrong("window_s", "is %d: want 10 to %d, a multiple of 10, of 60 above an hour", r.Window, mostWindow)
	case r.For < 0 || r.For > mostFor:
		return wrong("for_s", "is %d: want 0 to %d", r.For, mostFor)
	case r.KeepFiring < 0 || r.KeepFiring > mostFor:
		return wrong("keep_firing_s", "is %d: want 0 to %d", r.KeepFiring, mostFor)
	case !(r.MinTraffic >= 0 && r.MinTraffic <= 1e12):
		return wrong("min_traffic", "is %g: want a number of requests", r.MinTraffic)
	case !slices.Contains(policies, r.NoData):
		return wrong("no_data", "is %q: want ok, firing or keep", r.NoData)
	}
	return nil
}

func (r *Rule) checkSubject() error {
	switch r.Signal {
	case "red":
		switch {
		case r.Service == "":
			return wrong("service", "is missing")
		case !slices.Contains(measures, r.Measure):
			return wrong("measure", "is %q: want rate, error_ratio or latency", r.Measure)
		case r.Measure == "latency" && !(r.Quantile > 0 && r.Quantile <= 1):
			return wrong("quantile", "is %g: want above 0, up to 1", r.Quantile)
		}
	case "metric":
		switch {
		case r.Metric == "":
			return wrong("metric", "is missing")
		case !slices.Contains(aggregations, r.Agg):
			return wrong("agg", "is %q: want one of %s", r.Agg, strings.Join(aggregations, ", "))
		case len(r.Filter) > mostFilters:
			return wrong("filter", "has more than %d entries", mostFilters)
		}
		for _, f := range r.Filter {
			if key, _, ok := strings.Cut(f, ":"); !ok || key == "" {
				return wrong("filter", "has %q: want key:value", f)
			}
		}
	case "logs":
		if r.Query == "" {
			return wrong("query", "is missing: which records?")
		}
		if _, err := filter.Parse(r.Query); err != nil {
			return wrong("query", "%s", err)
		}
	default:
		return wrong("signal", "is %q: want red, metric or logs", r.Signal)
	}
	for field, s := range map[string]string{"service": r.Service, "operation": r.Operation, "env": r.Env, "metric": r.Metric, "query": r.Query} {
		if len(s) > mostText {
			return wrong(field, "is longer than %d bytes", mostText)
		}
	}
	return nil
}

func checkName(name string, labels map[string]string) error {
	switch {
	case name == "":
		return wrong("name", "is missing")
	case len(name) > mostName:
		return wrong("name", "is longer than %d bytes", mostName)
	case len(labels) > mostLabels:
		return wrong("labels", "are more than %d", mostLabels)
	}
	for k, v := range labels {
		if k == "" || len(k) > mostName || len(v) > mostText {
			return wrong("labels", "have an empty or overlong entry")
		}
	}
	return nil
}

func wrong(field, format string, a ...any) error {
	return &query.InputError{Field: field, Reason: fmt.Sprintf(format, a...)}
}

// above reports whether too much is what is wrong.
func (r *Rule) above() bool { return strings.HasPrefix(r.Operator, ">") }

// holds compares a value with a bound.
func holds(value float64, operator string, bound float64) bool {
	switch operator {
	case ">":
		return value > bound
	case ">=":
		return value >= bound
	case "<":
		return value < bound
	}
	return value <= bound
}

// same reports whether two rules measure and judge the same, so that the state of one goes on in the other.
func (r *Rule) same(o *Rule) bool {
	return r.Enabled == o.Enabled && r.Signal == o.Signal && r.Service == o.Service && r.Operation == o.Operation && r.Env == o.Env && r.Measure == o.Measure &&
		r.Quantile == o.Quantile && r.Metric == o.Metric && r.Agg == o.Agg && slices.Equal(r.Filter, o.Filter) && r.Query == o.Query &&
		r.Window == o.Window && r.Operator == o.Operator
}

func (r *Rule) clone() Rule {
	c := *r
	c.Filter, c.Labels = slices.Clone(r.Filter), maps.Clone(r.Labels)
	return c
}

// serviceFilter finds the service that key:value pairs or a search name, so that an alarm belongs to it.
func (r *Rule) subjectService() string {
	for _, f := range r.Filter {
		if s, ok := strings.CutPrefix(f, "service:"); ok && r.Signal == "metric" {
			return s
		}
	}
	if r.Signal != "logs" {
		return r.Service
	}
	for _, word := range strings.Fields(r.Query) {
		if s, ok := strings.CutPrefix(word, "service:"); ok && !strings.ContainsAny(s, `"*,()`) {
			return s
		}
	}
	return ""
}

// subject is what an alarm of the rule is about.
func (r *Rule) subject() anomaly.Subject {
	s := anomaly.Subject{Env: r.Env, Service: r.subjectService(), Rule: r.ID}
	switch r.Signal {
	case "red":
		s.Operation = r.Operation
	case "metric":
		s.Metric = r.Metric
	}
	return s
}

func (r *Rule) symptom() anomaly.Symptom {
	switch {
	case r.Signal == "metric":
		return anomaly.SymptomSaturation
	case r.Signal == "logs" || r.Measure == "error_ratio":
		return anomaly.SymptomErrors
	case r.Measure == "latency":
		return anomaly.SymptomLatency
	}
	return anomaly.SymptomTraffic
}

// unit is that of the values; a metric's is known from its series.
func (r *Rule) unit() string {
	switch {
	case r.Signal == "logs":
		return "{record}"
	case r.Signal == "metric":
		return ""
	case r.Measure == "latency":
		return "ns"
	case r.Measure == "error_ratio":
		return "1"
	}
	return "/s"
}
