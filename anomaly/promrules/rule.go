package promrules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query/prom"
)

// group is rules that are evaluated together, one after the other.
type group struct {
	file, name string
	interval   time.Duration
	offset     time.Duration
	limit      int
	rules      []*rule
	busy       atomic.Bool

	mu   sync.Mutex
	last time.Time // the moment it was evaluated at last
	took time.Duration
}

func (e *Engine) newGroup(file string, spec rulefmt.RuleGroup) *group {
	g := &group{file: file, name: spec.Name, interval: time.Duration(spec.Interval), offset: e.o.Offset, limit: spec.Limit}
	if g.interval == 0 {
		g.interval = e.o.Interval
	}
	if spec.QueryOffset != nil {
		g.offset = time.Duration(*spec.QueryOffset)
	}
	for _, s := range spec.Rules {
		merged := maps.Clone(spec.Labels)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, s.Labels)
		g.rules = append(g.rules, &rule{spec: s, labels: labels.FromMap(merged), annotations: labels.FromMap(s.Annotations), active: map[uint64]*alert{}, before: map[uint64]labels.Labels{}})
	}
	return g
}

// rule is one recording or alerting rule with its state.
type rule struct {
	spec                rulefmt.Rule
	labels, annotations labels.Labels

	mu       sync.Mutex
	active   map[uint64]*alert        // by the labels
	restored bool                     // active was made known again after a start
	before   map[uint64]labels.Labels // series written last time
	last     time.Time
	took     time.Duration
	err      error
}

func (r *rule) name() string {
	if r.spec.Record != "" {
		return r.spec.Record
	}
	return r.spec.Alert
}

func (r *rule) done(ts time.Time, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.took, r.err = ts, took, err
}

// States of an alert.
const (
	inactive = "inactive"
	pending  = "pending"
	firing   = "firing"
)

// alert is one element of an alerting rule's result.
type alert struct {
	labels, annotations labels.Labels
	state               string
	activeAt, firedAt   time.Time
	resolvedAt          time.Time
	keepFiringSince     time.Time
	value, worst        float64
}

// resolvedRetention is for how long an alert that is over is remembered, so that nobody misses the end.
const resolvedRetention = 15 * time.Minute

// eval evaluates a rule and gives what is to be written.
func (e *Engine) eval(ctx context.Context, g *group, r *rule, ts time.Time) (promql.Vector, error) {
	if r.spec.Alert != "" {
		return e.evalAlert(ctx, g, r, ts)
	}
	vector, err := e.query(ctx, r.spec.Expr, ts.Add(-g.offset))
	if err != nil {
		return nil, err
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	for i := range vector {
		b.Reset(vector[i].Metric)
		b.Set(model.MetricNameLabel, r.spec.Record)
		r.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
		vector[i].Metric = b.Labels()
	}
	if vector.ContainsSameLabelset() {
		return nil, errors.New("vector contains metrics with the same labelset after applying rule labels")
	}
	if g.limit > 0 && len(vector) > g.limit {
		return nil, fmt.Errorf("exceeded limit of %d with %d series", g.limit, len(vector))
	}
	return vector, nil
}

// evalAlert lets an alerting rule's alerts change as Prometheus does.
func (e *Engine) evalAlert(ctx context.Context, g *group, r *rule, ts time.Time) (promql.Vector, error) {
	vector, err := e.query(ctx, r.spec.Expr, ts.Add(-g.offset))
	if err != nil {
		return nil, err
	}
	found := map[uint64]*alert{}
	for _, s := range vector {
		a := e.newAlert(ctx, r, s, ts)
		if found[a.labels.Hash()] != nil {
			return nil, errors.New("vector contains metrics with the same labelset after applying alert labels")
		}
		found[a.labels.Hash()] = a
	}
	var since map[uint64]time.Time
	if !r.restored && r.spec.For > 0 && len(found) > 0 {
		if since, err = e.activeSince(ctx, r, ts.Add(-g.offset)); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restored = true
	for h, a := range found {
		if was := r.active[h]; was != nil && was.state != inactive {
			was.value, was.annotations = a.value, a.annotations
			was.worst = worse(was.worst, a.value)
			continue
		}
		if at, ok := since[h]; ok {
			a.activeAt = at
		}
		r.active[h] = a
	}
	var out promql.Vector
	living := 0
	for h, a := range r.active {
		if !r.advance(a, found[h] != nil, ts) {
			if a.state == inactive && (a.firedAt.IsZero() || ts.Sub(a.resolvedAt) > resolvedRetention) {
				delete(r.active, h)
			}
			continue
		}
		living++
		out = append(out, a.samples(ts.Add(-g.offset))...)
	}
	if g.limit > 0 && living > g.limit {
		r.active = map[uint64]*alert{}
		return nil, fmt.Errorf("exceeded limit of %d with %d alerts", g.limit, living)
	}
	return out, nil
}

// worse is the value that lies further from zero.
func worse(a, b float64) float64 {
	if b*b > a*a {
		return b
	}
	return a
}

// advance moves an alert on and tells whether it is pending or firing.
func (r *rule) advance(a *alert, found bool, ts time.Time) bool {
	if !found {
		if a.state == firing && r.spec.KeepFiringFor > 0 {
			if a.keepFiringSince.IsZero() {
				a.keepFiringSince = ts
			}
			if ts.Sub(a.keepFiringSince) < time.Duration(r.spec.KeepFiringFor) {
				return true
			}
		}
		if a.state != inactive {
			a.state, a.resolvedAt = inactive, ts
		}
		return false
	}
	a.keepFiringSince = time.Time{}
	if a.state == pending && ts.Sub(a.activeAt) >= time.Duration(r.spec.For) {
		a.state, a.firedAt = firing, ts
	}
	return true
}

// samples are ALERTS and ALERTS_FOR_STATE.
func (a *alert) samples(ts time.Time) promql.Vector {
	b := labels.NewBuilder(a.labels)
	b.Set(model.MetricNameLabel, "ALERTS")
	b.Set("alertstate", a.state)
	state := b.Labels()
	b.Reset(a.labels)
	b.Set(model.MetricNameLabel, "ALERTS_FOR_STATE")
	return promql.Vector{{Metric: state, T: timestamp.FromTime(ts), F: 1}, {Metric: b.Labels(), T: timestamp.FromTime(ts), F: float64(a.activeAt.Unix())}}
}

// outage is how old the state of alerts may be that is taken up again after a start.
const outage = time.Hour

// activeSince reads since when a rule's alerts are active, by their labels.
func (e *Engine) activeSince(ctx context.Context, r *rule, ts time.Time) (map[uint64]time.Time, error) {
	vector, err := e.query(ctx, fmt.Sprintf("last_over_time(ALERTS_FOR_STATE{alertname=%s}[%s])", strconv.Quote(r.spec.Alert), model.Duration(outage)), ts)
	if err != nil {
		return nil, err
	}
	since := map[uint64]time.Time{}
	for _, s := range vector {
		ls := s.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel })
		since[ls.Hash()] = time.Unix(int64(s.F), 0).UTC()
	}
	return since, nil
}

// newAlert makes an alert of an element of the result, its templates filled in.
func (e *Engine) newAlert(ctx context.Context, r *rule, s promql.Sample, ts time.Time) *alert {
	data := template.AlertTemplateData(s.Metric.Map(), map[string]string{}, e.o.ExternalURL, s)
	expand := func(text string) string {
		const shortcuts = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
		out, err := template.NewTemplateExpander(ctx, shortcuts+text, "__alert_"+r.spec.Alert, data, model.Time(timestamp.FromTime(ts)), e.query, e.external, nil).Expand()
		if err != nil {
			return fmt.Sprintf("<error expanding template: %s>", err)
		}
		return out
	}
	b := labels.NewBuilder(s.Metric)
	b.Del(model.MetricNameLabel)
	r.labels.Range(func(l labels.Label) { b.Set(l.Name, expand(l.Value)) })
	b.Set("alertname", r.spec.Alert)
	notes := labels.NewBuilder(labels.EmptyLabels())
	r.annotations.Range(func(l labels.Label) { notes.Set(l.Name, expand(l.Value)) })
	return &alert{labels: b.Labels(), annotations: notes.Labels(), state: pending, activeAt: ts, value: s.F, worst: s.F}
}

// alarms are a group's alerts that fire, and those that stopped of late, as incidents are made of them.
func (g *group) alarms() []anomaly.Alarm {
	var out []anomaly.Alarm
	for _, r := range g.rules {
		r.mu.Lock()
		for _, a := range r.active {
			if !a.firedAt.IsZero() && a.state != pending {
				out = append(out, a.alarm(g, r))
			}
		}
		r.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b anomaly.Alarm) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// alarmScore ranks what a person asked for above most of what was learned, nats.
const alarmScore = 20

func (a *alert) alarm(g *group, r *rule) anomaly.Alarm {
	first := func(names ...string) string {
		for _, n := range names {
			if v := a.labels.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	service := first("service", "service_name", "server", "job")
	if i := strings.LastIndexByte(service, '/'); i >= 0 {
		service = service[i+1:]
	}
	name := r.spec.Alert
	if s := a.annotations.Get("summary"); s != "" {
		name += ": " + s
	}
	out := anomaly.Alarm{
		ID: fmt.Sprintf("prom-%016x-%d", a.labels.Hash(), a.activeAt.Unix()), Channel: anomaly.ChannelRule, Symptom: symptom(a.labels.Get("symptom")),
		Subject: anomaly.Subject{Service: service, Env: first("deployment_environment_name", "env"), Instance: a.labels.Get("instance"), Operation: a.labels.Get("span_name"), Rule: "prom:" + g.name + "/" + r.spec.Alert},
		Began:   a.activeAt, Detected: a.firedAt, Observed: a.worst, Score: alarmScore, Paging: true, Name: name, Severity: severity(a.labels.Get("severity")), Labels: a.labels.Map(),
	}
	if a.state == inactive {
		out.Ended = a.resolvedAt
	}
	return out
}

func symptom(label string) anomaly.Symptom {
	switch s := anomaly.Symptom(label); s {
	case anomaly.SymptomLatency, anomaly.SymptomErrors, anomaly.SymptomTraffic:
		return s
	}
	return anomaly.SymptomSaturation
}

func severity(label string) anomaly.Severity {
	switch strings.ToLower(label) {
	case "critical", "page", "error", "high":
		return anomaly.SeverityCritical
	case "info", "none", "low":
		return anomaly.SeverityInfo
	}
	return anomaly.SeverityWarning
}

// Groups are all groups with how they stand, as the Prometheus API shows them.
func (e *Engine) Groups() []prom.RuleGroup {
	e.mu.Lock()
	groups := slices.Clone(e.groups)
	e.mu.Unlock()
	var out []prom.RuleGroup
	for _, g := range groups {
		g.mu.Lock()
		shown := prom.RuleGroup{Name: g.name, File: strings.TrimPrefix(g.file, keyPrefix), Interval: g.interval.Seconds(), Limit: g.limit, EvaluationTime: g.took.Seconds(), LastEvaluation: g.last.UTC()}
		g.mu.Unlock()
		for _, r := range g.rules {
			shown.Rules = append(shown.Rules, r.shown())
		}
		out = append(out, shown)
	}
	return out
}

func (r *rule) shown() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	health, why := "ok", ""
	switch {
	case r.last.IsZero():
		health = "unknown"
	case r.err != nil:
		health, why = "err", r.err.Error()
	}
	if r.spec.Record != "" {
		return prom.RecordingRule{Name: r.spec.Record, Query: r.spec.Expr, Labels: r.labels, Health: health, LastError: why, EvaluationTime: r.took.Seconds(), LastEvaluation: r.last.UTC(), Type: "recording"}
	}
	out := prom.AlertingRule{State: inactive, Name: r.spec.Alert, Query: r.spec.Expr, Duration: time.Duration(r.spec.For).Seconds(), KeepFiringFor: time.Duration(r.spec.KeepFiringFor).Seconds(),
		Labels: r.labels, Annotations: r.annotations, Alerts: []prom.Alert{}, Health: health, LastError: why, EvaluationTime: r.took.Seconds(), LastEvaluation: r.last.UTC(), Type: "alerting"}
	if r.last.IsZero() {
		out.State = "unknown"
	}
	for _, a := range r.active {
		if a.state == inactive {
			continue
		}
		if out.State != firing {
			out.State = a.state
		}
		at := a.activeAt.UTC()
		shown := prom.Alert{Labels: a.labels, Annotations: a.annotations, State: a.state, ActiveAt: &at, Value: strconv.FormatFloat(a.value, 'e', -1, 64)}
		if !a.keepFiringSince.IsZero() {
			since := a.keepFiringSince.UTC()
			shown.KeepFiringSince = &since
		}
		out.Alerts = append(out.Alerts, shown)
	}
	slices.SortFunc(out.Alerts, func(a, b prom.Alert) int { return labels.Compare(a.Labels, b.Labels) })
	return out
}
