package prom

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// RuleGroup is a group of recording and alerting rules as the API shows it. Durations are in seconds.
type RuleGroup struct {
	Name           string    `json:"name"`
	File           string    `json:"file"`
	Rules          []any     `json:"rules"` // AlertingRule and RecordingRule, in their order
	Interval       float64   `json:"interval"`
	Limit          int       `json:"limit"`
	EvaluationTime float64   `json:"evaluationTime"`
	LastEvaluation time.Time `json:"lastEvaluation"`
}

// AlertingRule is one rule that tells of something.
type AlertingRule struct {
	State          string        `json:"state"` // pending, firing, inactive, unknown
	Name           string        `json:"name"`
	Query          string        `json:"query"`
	Duration       float64       `json:"duration"`
	KeepFiringFor  float64       `json:"keepFiringFor"`
	Labels         labels.Labels `json:"labels"`
	Annotations    labels.Labels `json:"annotations"`
	Alerts         []Alert       `json:"alerts"`
	Health         string        `json:"health"` // ok, err, unknown
	LastError      string        `json:"lastError,omitempty"`
	EvaluationTime float64       `json:"evaluationTime"`
	LastEvaluation time.Time     `json:"lastEvaluation"`
	Type           string        `json:"type"` // alerting
}

// RecordingRule is one rule that writes a series.
type RecordingRule struct {
	Name           string        `json:"name"`
	Query          string        `json:"query"`
	Labels         labels.Labels `json:"labels"`
	Health         string        `json:"health"`
	LastError      string        `json:"lastError,omitempty"`
	EvaluationTime float64       `json:"evaluationTime"`
	LastEvaluation time.Time     `json:"lastEvaluation"`
	Type           string        `json:"type"` // recording
}

// Alert is one element of an alerting rule's result.
type Alert struct {
	Labels          labels.Labels `json:"labels"`
	Annotations     labels.Labels `json:"annotations"`
	State           string        `json:"state"`
	ActiveAt        *time.Time    `json:"activeAt,omitempty"`
	KeepFiringSince *time.Time    `json:"keepFiringSince,omitempty"`
	Value           string        `json:"value"`
}

// SetRules says where the rules that are shown come from. It is called before the first question.
func (e *Engine) SetRules(rules func() []RuleGroup) { e.rules = rules }

func (e *Engine) groups() []RuleGroup {
	if e.rules == nil {
		return nil
	}
	return e.rules()
}

func (e *Engine) httpRules(r *http.Request) (result, error) {
	typ := r.FormValue("type")
	if typ != "" && typ != "alert" && typ != "record" {
		return result{}, badParam(fmt.Errorf("not supported value %q", typ), "type")
	}
	bare := false
	if s := r.FormValue("exclude_alerts"); s != "" {
		var err error
		if bare, err = strconv.ParseBool(s); err != nil {
			return result{}, badParam(fmt.Errorf("error converting exclude_alerts: %w", err), "exclude_alerts")
		}
	}
	sets, err := e.matcherSets(r)
	if err != nil {
		return result{}, badData(err)
	}
	chosen := func(param, name string) bool { return len(r.Form[param]) == 0 || slices.Contains(r.Form[param], name) }
	out := []RuleGroup{}
	for _, g := range e.groups() {
		if !chosen("rule_group[]", g.Name) || !chosen("file[]", g.File) {
			continue
		}
		rules := []any{}
		for _, rule := range g.Rules {
			switch rule := rule.(type) {
			case AlertingRule:
				if typ != "record" && chosen("rule_name[]", rule.Name) && anySet(rule.Labels, sets) {
					if bare {
						rule.Alerts = nil
					}
					rules = append(rules, rule)
				}
			case RecordingRule:
				if typ != "alert" && chosen("rule_name[]", rule.Name) && anySet(rule.Labels, sets) {
					rules = append(rules, rule)
				}
			}
		}
		if g.Rules = rules; len(rules) > 0 {
			out = append(out, g)
		}
	}
	return result{data: map[string]any{"groups": out}}, nil
}

func anySet(ls labels.Labels, sets [][]*labels.Matcher) bool {
	return len(sets) == 0 || slices.ContainsFunc(sets, func(set []*labels.Matcher) bool { return matches(ls, set) })
}

func (e *Engine) httpAlerts(*http.Request) (result, error) {
	all := []Alert{}
	for _, g := range e.groups() {
		for _, rule := range g.Rules {
			if a, ok := rule.(AlertingRule); ok {
				all = append(all, a.Alerts...)
			}
		}
	}
	return result{data: map[string]any{"alerts": all}}, nil
}
