package explain

import (
	"context"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// investigation is what was read about one incident.
type investigation struct {
	inc            *anomaly.Incident
	graph          *Graph
	during, before query.Window
	subjects       []query.TraceSubject // what alarmed, for the traces to look at
	calls, errors  [2]float64           // of the subjects, before and during
	traces         []*tree              // a sample of both sides
	latency        latencyChange
	failures       []*failures
	deployments    []query.Deployment
	impact         impact
}

// Windows of an explanation.
const (
	longest  = time.Hour        // of an incident that is looked at, from its beginning
	shortest = 2 * time.Minute  // looked at in any case
	guard    = 10 * time.Minute // before the incident, part of neither side: trouble often begins before it is noticed
	least    = 300              // calls before the incident that make a fair comparison
	most     = 40               // subjects
)

// lookBack are the lengths of the time before that are tried until it has enough calls.
var lookBack = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour}

// investigate reads what the causes are judged by.
func (e *Explainer) investigate(ctx context.Context, inc *anomaly.Incident, g *Graph, at time.Time) (*investigation, error) {
	c := &investigation{inc: inc, graph: g, subjects: subjects(inc.Alarms)}
	c.during = duringWindow(inc, at)
	if len(c.subjects) == 0 {
		c.subjects = upstream(inc.Alarms, g)
	}
	if len(c.subjects) == 0 {
		return c, nil
	}
	if err := e.measure(ctx, c); err != nil {
		return nil, err
	}
	if err := e.sample(ctx, c); err != nil {
		return nil, err
	}
	if err := e.discountUsual(ctx, c); err != nil {
		return nil, err
	}
	var err error
	c.deployments, err = e.deploymentsNear(ctx, c)
	return c, err
}

// subjects are what alarms say traces should be looked at for: everything that is slow, fails or is saturated.
func subjects(alarms []anomaly.Alarm) []query.TraceSubject {
	var out []query.TraceSubject
	seen := map[query.TraceSubject]bool{}
	for _, a := range alarms {
		s := query.TraceSubject{Service: a.Subject.Service, Operation: a.Subject.Operation}
		if a.Symptom == anomaly.SymptomTraffic || a.Code != nil || s.Service == "" || seen[s] || len(out) == most {
			continue
		}
		seen[s] = true
		out = append(out, s)
	}
	return out
}

// upstream are the services whose traffic is not usual, and those that call them: where only traffic is off, what keeps
// requests from coming may be on their way.
func upstream(alarms []anomaly.Alarm, g *Graph) []query.TraceSubject {
	names := services(alarms)
	for i := 0; g != nil && i < len(names) && len(names) < most; i++ {
		for _, caller := range g.in[names[i]] {
			names = appendNew(names, caller)
		}
	}
	var out []query.TraceSubject
	for _, n := range names[:min(len(names), most)] {
		if !strings.HasPrefix(n, nodeID("messaging", "")) { // a queue has no spans of its own
			out = append(out, query.TraceSubject{Service: n})
		}
	}
	return out
}

// duringWindow is the part of an incident that is looked at.
func duringWindow(inc *anomaly.Incident, at time.Time) query.Window {
	w := query.Window{From: inc.StartedAt, To: at}
	last := time.Time{}
	for _, a := range inc.Alarms {
		if a.Ended.IsZero() {
			last = at
		} else if a.Ended.After(last) {
			last = a.Ended
		}
	}
	if last.Before(w.To) && last.After(w.From) {
		w.To = last
	}
	if w.To.Sub(w.From) > longest {
		w.To = w.From.Add(longest)
	}
	if w.To.Sub(w.From) < shortest {
		w.From = w.To.Add(-shortest)
	}
	return w
}

// measure counts the subjects' calls, and chooses a time before that has enough of them.
func (e *Explainer) measure(ctx context.Context, c *investigation) error {
	n, failed, err := e.o.DB.SubjectCalls(ctx, c.during, c.subjects, c.inc.Env)
	if err != nil {
		return err
	}
	c.calls[1], c.errors[1] = float64(n), float64(failed)
	end := c.during.From.Add(-guard)
	for _, d := range lookBack {
		c.before = query.Window{From: end.Add(-d), To: end}
		if n, failed, err = e.o.DB.SubjectCalls(ctx, c.before, c.subjects, c.inc.Env); err != nil {
			return err
		}
		if c.calls[0], c.errors[0] = float64(n), float64(failed); n >= least {
			break
		}
	}
	return nil
}

// sample reads traces of both sides, and failing ones where more fails than before.
func (e *Explainer) sample(ctx context.Context, c *investigation) error {
	ask := func(w query.Window, failing bool, n int) (*query.TraceSampleAnswer, error) {
		return e.o.DB.SampleTraces(ctx, query.TraceSample{Window: w, Subjects: c.subjects, Env: c.inc.Env, Failing: failing, Traces: n})
	}
	before, err := ask(c.before, false, e.o.Traces)
	if err != nil {
		return err
	}
	during, err := ask(c.during, false, e.o.Traces)
	if err != nil {
		return err
	}
	c.traces = append(trees(before.Spans, false), trees(during.Spans, true)...)
	c.latency = decompose(c.traces)
	if err := e.measureImpact(ctx, c, float64(during.All)/max(during.Looked, 1e-6)); err != nil {
		return err
	}
	if !c.failsMore() {
		return nil
	}
	failedBefore, err := ask(c.before, true, e.o.Traces/2)
	if err != nil {
		return err
	}
	failed, err := ask(c.during, true, e.o.Traces/2)
	if err != nil {
		return err
	}
	population := func(a *query.TraceSampleAnswer, calls float64) population {
		return population{float64(a.Traces), float64(a.All) / max(a.Looked, 1e-6), calls}
	}
	c.failures = locate(append(trees(failedBefore.Spans, false), trees(failed.Spans, true)...), c.traces,
		population(failedBefore, c.calls[0]), population(failed, c.calls[1]))
	return nil
}

// failsMore says whether failing traces are worth reading: an alarm says so, or the counts do.
func (c *investigation) failsMore() bool {
	for _, a := range c.inc.Alarms {
		if a.Symptom == anomaly.SymptomErrors {
			return true
		}
	}
	return poisson(c.errors[1], (c.errors[0]+0.5)*c.calls[1]/max(c.calls[0], 1)) > 4
}
