package prom

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	page, err := pageOf(r)
	if err != nil {
		return result{}, err
	}
	chosen := func(param, name string) bool { return len(r.Form[param]) == 0 || slices.Contains(r.Form[param], name) }
	out := []RuleGroup{}
	next, reached := "", page.token == ""
	for _, g := range e.groups() {
		if !reached && page.token != g.token() {
			continue
		}
		reached = true
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
		if g.Rules = rules; len(rules) == 0 {
			continue
		}
		if page.limit > 0 && len(out) == page.limit { // there is at least one more to show
			next = g.token()
			break
		}
		out = append(out, g)
	}
	if !reached {
		return result{}, badParam(fmt.Errorf("invalid group_next_token '%v'. were rule groups changed?", page.token), "group_next_token")
	}
	return result{data: ruleGroups{out, next}}, nil
}

// ruleGroups is a page of groups; next names the first group of the page after it.
type ruleGroups struct {
	Groups []RuleGroup `json:"groups"`
	Next   string      `json:"groupNextToken,omitempty"`
}

// rulePage is what a client asks for of many groups; limit 0 means all of them.
type rulePage struct {
	limit int
	token string
}

func pageOf(r *http.Request) (rulePage, error) {
	limit, token := r.FormValue("group_limit"), r.FormValue("group_next_token")
	if limit == "" {
		if token != "" {
			return rulePage{}, badParam(errors.New("group_limit needs to be present in order to paginate over the groups"), "group_next_token")
		}
		return rulePage{}, nil
	}
	n, err := strconv.ParseInt(limit, 10, 32)
	if err != nil {
		return rulePage{}, badParam(fmt.Errorf("group_limit needs to be a valid number: %w", err), "group_limit")
	}
	if n <= 0 {
		return rulePage{}, badParam(errors.New("group_limit needs to be greater than 0"), "group_limit")
	}
	return rulePage{int(n), token}, nil
}

// token names a group in group_next_token, as Prometheus does.
func (g RuleGroup) token() string {
	sum := sha256.Sum256([]byte(g.File + ";" + g.Name))
	return hex.EncodeToString(sum[:])
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
