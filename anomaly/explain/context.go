package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Context is what lies around an incident: what was deployed and restarted, what was logged, and example traces.
type Context struct {
	Deployments []query.Deployment `json:"deployments"`
	Restarts    []Restart          `json:"restarts"`
	Logs        []query.LogRecord  `json:"logs"` // errors of the services concerned, oldest first
	Traces      Examples           `json:"traces"`
}

// Examples are traces that show an incident.
type Examples struct {
	Failing []query.SpanHit `json:"failing"` // newest first
	Slowest []query.SpanHit `json:"slowest"`
}

// Bounds of a Context.
const (
	contextBefore   = time.Hour // deployments and restarts before the incident that are shown
	contextServices = 8         // services, the likeliest causes first
	contextLogs     = 50
	contextTraces   = 5
)

// Context reads what lies around an incident.
func (e *Explainer) Context(ctx context.Context, inc anomaly.Incident) (Context, error) {
	out := Context{Deployments: []query.Deployment{}, Restarts: []Restart{}, Logs: []query.LogRecord{}, Traces: Examples{[]query.SpanHit{}, []query.SpanHit{}}}
	names := concerned(inc)
	if len(names) == 0 {
		return out, nil
	}
	end := inc.UpdatedAt
	if inc.ResolvedAt != nil {
		end = *inc.ResolvedAt
	}
	w := duringWindow(&inc, latest(end, inc.DetectedAt))
	w.To = w.To.Add(time.Minute)
	if err := e.changesAround(ctx, inc, names, w, &out); err != nil {
		return out, err
	}
	logs, err := e.o.DB.Logs(ctx, query.Window{From: w.From.Add(-time.Minute), To: w.To}, anyService(names)+" severity:>=error", "oldest", "", contextLogs)
	if err != nil {
		return out, fmt.Errorf("read the errors logged around incident %s: %w", inc.ID, err)
	}
	out.Logs = logs.Logs
	lead := anyService(names[:1])
	failing, err := e.o.DB.Traces(ctx, w, lead+" status:error", "newest", "", contextTraces)
	if err != nil {
		return out, fmt.Errorf("read failing traces of incident %s: %w", inc.ID, err)
	}
	slowest, err := e.o.DB.Traces(ctx, w, lead+kindOf(inc), "slowest", "", contextTraces)
	if err != nil {
		return out, fmt.Errorf("read slow traces of incident %s: %w", inc.ID, err)
	}
	out.Traces = Examples{failing.Spans, slowest.Spans}
	return out, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// changesAround reads deployments and restarts.
func (e *Explainer) changesAround(ctx context.Context, inc anomaly.Incident, names []string, w query.Window, out *Context) error {
	around := query.Window{From: w.From.Add(-contextBefore), To: w.To}
	var err error
	if out.Deployments, err = e.o.DB.Deployments(ctx, around, names, inc.Env); err != nil {
		return fmt.Errorf("read deployments around incident %s: %w", inc.ID, err)
	}
	runs, err := e.o.DB.VersionRuns(ctx, around, names, inc.Env)
	if err != nil {
		return fmt.Errorf("read restarts around incident %s: %w", inc.ID, err)
	}
	deployments, restarts := changes(runs, around.From)
	for _, d := range deployments { // not in the table yet
		if !slices.ContainsFunc(out.Deployments, func(h query.Deployment) bool { return sameRollout(h, d) }) {
			out.Deployments = append(out.Deployments, d)
		}
	}
	slices.SortStableFunc(out.Deployments, func(a, b query.Deployment) int { return b.TS.Compare(a.TS) })
	if len(restarts) > 0 {
		out.Restarts = restarts
	}
	return nil
}

// concerned lists an incident's services, likely causes first; what is known from its callers only is left out.
func concerned(inc anomaly.Incident) []string {
	var out []string
	for _, c := range inc.RootCauses {
		if slices.Contains(inc.Services, c.Service) {
			out = appendNew(out, c.Service)
		}
	}
	for _, s := range inc.Services {
		out = appendNew(out, s)
	}
	return out[:min(len(out), contextServices)]
}

func anyService(names []string) string {
	terms := make([]string, len(names))
	for i, n := range names {
		terms[i] = term("service", n)
	}
	if len(terms) == 1 {
		return terms[0]
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// kindOf narrows example traces to the operation of the likeliest cause.
func kindOf(inc anomaly.Incident) string {
	if len(inc.RootCauses) == 0 || inc.RootCauses[0].Operation == "" || len(inc.Services) == 0 || inc.RootCauses[0].Service != concerned(inc)[0] {
		return ""
	}
	return " " + term("name", inc.RootCauses[0].Operation)
}
