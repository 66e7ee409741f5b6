package explain

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// CodeQuestion asks which functions of a service take more now than before.
type CodeQuestion struct {
	Now, Before query.CostSelection
	anomaly.RegressionOptions
	Beside   bool // both sides ran in the same minutes
	Deployed bool // Now's version came between them
}

// Bounds of an answer.
const (
	leastCodeSamples = 100 // that each side must stand on
	codeRegressions  = 3   // told of one question
)

// Code compares the profiles of two selections of a service and tells the functions that cost is newly spent in. Where
// the two sides did not run in the same minutes, what merely follows from other operations being asked for is left out.
func (e *Explainer) Code(ctx context.Context, q CodeQuestion) ([]anomaly.CodeChange, error) {
	now, err := e.o.DB.CostOf(ctx, q.Now)
	if err != nil {
		return nil, err
	}
	before, err := e.o.DB.CostOf(ctx, q.Before)
	if err != nil {
		return nil, err
	}
	if samplesOf(now) < leastCodeSamples || samplesOf(before) < leastCodeSamples {
		return nil, nil
	}
	tree, err := e.codeTree(ctx, q.Now.Service, now, before)
	if err != nil {
		return nil, err
	}
	q.Scale = anomaly.Lenient(exposure(now), exposure(before))
	q.Fallen = anomaly.Strict(exposure(now), exposure(before))
	q.Most = 4 * codeRegressions
	found := anomaly.Regressions(tree, q.RegressionOptions)
	if len(found) == 0 {
		return nil, nil
	}
	if !q.Beside {
		if found, err = e.withoutMix(ctx, q, now, before, found); err != nil {
			return nil, err
		}
	}
	out := make([]anomaly.CodeChange, 0, len(found))
	for _, r := range found[:min(len(found), codeRegressions)] {
		out = append(out, q.Change(r, now, before))
	}
	return out, nil
}

func samplesOf(s *query.CostSide) (n float64) {
	for _, c := range s.Stacks {
		n += c.Samples
	}
	return n
}

func valueOf(s *query.CostSide) (v float64) {
	for _, c := range s.Stacks {
		v += c.Value
	}
	return v
}

// exposure is what profiles stand for; where requests are not known, the share of the whole takes their place.
func exposure(s *query.CostSide) anomaly.Exposure {
	e := anomaly.Exposure{Requests: s.Requests, Seconds: s.Seconds}
	if e.Requests == 0 {
		e.Requests = valueOf(s)
	}
	return e
}

// codeTree merges the stacks of both sides.
func (e *Explainer) codeTree(ctx context.Context, service string, sides ...*query.CostSide) (*anomaly.CallTree, error) {
	var hashes []uint64
	for _, s := range sides {
		for _, c := range s.Stacks {
			hashes = append(hashes, c.Stack)
		}
	}
	slices.Sort(hashes)
	frames, stacks, err := e.o.DB.StackFunctions(ctx, service, slices.Compact(hashes))
	if err != nil {
		return nil, err
	}
	t := &anomaly.CallTree{Nodes: []anomaly.CallNode{{Parent: -1, Function: -1}}, Functions: make([]anomaly.Function, len(frames))}
	for i, f := range frames {
		t.Functions[i] = anomaly.Function{Name: f.Function, File: f.File, Line: f.Line}
	}
	type call struct{ parent, function int32 }
	index := map[call]int32{}
	for side, s := range sides {
		for _, c := range s.Stacks {
			at := int32(0)
			for _, f := range stacks[c.Stack] {
				k := call{at, f}
				n, ok := index[k]
				if !ok {
					n = int32(len(t.Nodes))
					index[k] = n
					t.Nodes = append(t.Nodes, anomaly.CallNode{Parent: at, Function: f})
				}
				at = n
			}
			t.Nodes[at].Self[side] += c.Value
			t.Nodes[at].Samples[side] += c.Samples
		}
	}
	return t, nil
}

// A function whose cost follows an operation is one that grew by about as much as the operation's share of requests.
const (
	mixGrowth = 1.1  // least growth of an operation's share that is looked at
	mixLike   = 1.25 // how much more than the operation a function may have grown and still follow it
	mixLeast  = 30   // requests on each side
)

// withoutMix leaves out what grew because another mixture of operations was asked for: a service's requests are not all
// alike, and where one operation is asked for more often, its functions cost more of the average request.
func (e *Explainer) withoutMix(ctx context.Context, q CodeQuestion, now, before *query.CostSide, found []anomaly.Regression) ([]anomaly.Regression, error) {
	if now.Requests == 0 || before.Requests == 0 {
		return found, nil
	}
	a, err := e.o.DB.OperationCalls(ctx, q.Now.Service, q.Now.Version, q.Now.Windows)
	if err != nil {
		return nil, err
	}
	b, err := e.o.DB.OperationCalls(ctx, q.Before.Service, q.Before.Version, q.Before.Windows)
	if err != nil {
		return nil, err
	}
	var sums [2]float64
	for _, n := range a {
		sums[0] += n
	}
	for _, n := range b {
		sums[1] += n
	}
	growth := []float64{}
	for name, n := range a {
		was := b[name]
		if n < mixLeast || sums[1] == 0 {
			continue
		}
		g := (n / sums[0]) / (max(was, .5) / sums[1])
		if g*math.Exp(-2*math.Sqrt(1/n+1/max(was, 1))) >= mixGrowth { // surely
			growth = append(growth, g)
		}
	}
	return slices.DeleteFunc(found, func(r anomaly.Regression) bool {
		f := r.Now / max(r.Was, 1e-9*r.Now)
		return slices.ContainsFunc(growth, func(g float64) bool { return f <= mixLike*g && f >= g/(2*mixLike) })
	}), nil
}

// Change writes a regression as alarms and incidents have it.
func (q CodeQuestion) Change(r anomaly.Regression, now, before *query.CostSide) anomaly.CodeChange {
	per, whole := now.Requests, valueOf(now)
	c := anomaly.CodeChange{Function: r.Function, Caller: r.Caller.Name, Cost: q.Now.Cost, Version: q.Now.Version, Deployed: q.Deployed, Beside: q.Beside,
		PerRequest: now.Requests > 0 && before.Requests > 0, Share: r.Share, Samples: r.Samples, New: r.New}
	c.Type = codeType(q.Now)
	if q.Before.Version != q.Now.Version {
		c.Previous = q.Before.Version
	}
	if !c.PerRequest {
		per = whole
	}
	c.Now, c.Was, c.Rise = r.Now/per, r.Was/per, r.Rise/per
	c.Service, c.ServiceWas = whole/per, valueOf(before)*q.Scale/per
	c.From, c.To = bounds(q.Now.Windows)
	c.BaseFrom, c.BaseTo = bounds(q.Before.Windows)
	if covered := length(q.Now.Windows); c.PerRequest && covered > 0 {
		c.PerDay = c.Rise * now.All / covered.Seconds() * 86400
		if c.Cost == query.CostCPU {
			c.PerDay /= 1e9
		}
	}
	c.Confidence = .98 * (1 - math.Exp(-r.Score/15))
	if !c.PerRequest {
		c.Confidence *= .7
	}
	return c
}

func bounds(windows []query.Window) (from, to time.Time) {
	for i, w := range windows {
		if i == 0 || w.From.Before(from) {
			from = w.From
		}
		if w.To.After(to) {
			to = w.To
		}
	}
	return from.UTC(), to.UTC()
}

func length(windows []query.Window) (d time.Duration) {
	for _, w := range windows {
		d += w.To.Sub(w.From)
	}
	return d
}

// codeThreshold is the surprise from which on a function is named as the reason of slowness that is known already.
const codeThreshold = 9

// nameFunctions looks for the function behind causes that are slow by themselves: in what profiles alarmed about, else
// in the profiles of the cause's service from before and during the incident.
func (e *Explainer) nameFunctions(ctx context.Context, c *investigation, causes []*candidate) {
	for _, x := range causes[:min(len(causes), detailed)] {
		if x.symptom != anomaly.SymptomLatency || x.grown == nil || x.peer != "" && x.peer != x.service {
			continue
		}
		service := x.nodeService()
		if i := slices.IndexFunc(c.inc.Alarms, func(a anomaly.Alarm) bool { return a.Code != nil && a.Subject.Service == service }); i >= 0 {
			x.code = c.inc.Alarms[i].Code
			continue
		}
		for _, env := range slices.Compact([]string{c.inc.Env, ""}) { // who sends profiles may not have said where it runs
			found, err := e.Code(ctx, c.codeQuestion(x, service, env))
			if err != nil {
				if ctx.Err() == nil { // the causes stand without it
					e.o.Logger.Warn("which function is behind an incident is not known", "incident", c.inc.ID, "error", err)
				}
				return
			}
			if len(found) > 0 {
				x.code = &found[0]
				break
			}
		}
	}
}

// codeQuestion asks for the functions of a service that take more during the incident than before.
func (c *investigation) codeQuestion(x *candidate, service, env string) CodeQuestion {
	side := func(w query.Window) query.CostSelection {
		return query.CostSelection{Cost: query.CostCPU, Env: env, Service: service, Windows: []query.Window{w}}
	}
	q := CodeQuestion{Now: side(c.during), Before: side(c.before), RegressionOptions: CodeOptions(codeThreshold)}
	if x.blame != nil && x.blame.confidence > .5 {
		q.Deployed, q.Now.Version = true, x.blame.Version
	}
	return q
}

// codeType is the type of profile of a cost, where the question was about all of them.
func codeType(c query.CostSelection) string {
	switch {
	case c.Type != "":
		return c.Type
	case c.Cost == query.CostAlloc:
		return "heap"
	}
	return "cpu"
}

// CodeOptions are what a rise must have to be told.
func CodeOptions(threshold float64) anomaly.RegressionOptions {
	return anomaly.RegressionOptions{Threshold: threshold, Least: .01, Growth: 1.1}
}

// codeCauses are the functions that alarmed, as root causes: most newly spent first.
func codeCauses(alarms []anomaly.Alarm) []anomaly.RootCause {
	var out []anomaly.RootCause
	for _, a := range alarms {
		if a.Code == nil {
			continue
		}
		c := a.Code
		name := c.Function.Name
		r := anomaly.RootCause{Service: a.Subject.Service, Kind: anomaly.SymptomCode, Function: &name, Confidence: c.Confidence, Summary: c.Text(), Evidence: []anomaly.Evidence{codeEvidence(a.Subject.Service, c)}}
		if c.Version != "" && c.Deployed {
			v := c.Version
			r.Version = &v
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(x, y anomaly.RootCause) int { return compare(y.Confidence, x.Confidence) })
	for i := range out {
		out[i].Rank = i + 1
	}
	return out[:min(len(out), codeRegressions)]
}

// codeEvidence is the difference flame graph.
func codeEvidence(service string, c *anomaly.CodeChange) anomaly.Evidence {
	text := anomaly.ShortFunction(c.Function.Name)
	if p := c.Place(); p != "" {
		text += " (" + p + ")"
	}
	return anomaly.Evidence{Type: "profile", Link: c.Link(service), Text: text}
}

// codeOnly says whether profiles alone alarmed.
func codeOnly(alarms []anomaly.Alarm) bool {
	return len(alarms) > 0 && !slices.ContainsFunc(alarms, func(a anomaly.Alarm) bool { return a.Code == nil })
}

// concludeCode writes an incident that profiles alone know of.
func concludeCode(inc *anomaly.Incident) {
	slices.SortStableFunc(inc.Alarms, func(a, b anomaly.Alarm) int { return compare(b.Code.Share, a.Code.Share) })
	inc.RootCauses = codeCauses(inc.Alarms)
	first := inc.Alarms[0]
	inc.Title = title(first)
	said := []string{first.Code.Text()}
	if n := len(inc.Alarms) - 1; n > 0 {
		names := []string{}
		for _, a := range inc.Alarms[1:] {
			names = append(names, anomaly.ShortFunction(a.Code.Function.Name))
		}
		said = append(said, "So do "+strings.Join(names[:min(n, 3)], ", ")+" take more.")
	}
	inc.Summary = strings.Join(said, " ")
}

// codeTogether is how far apart in time an alarm about a function and another of its service may begin and still have
// one cause: profiles take longer to be sure.
const codeTogether = 15 * time.Minute

// codeBelongs says whether an alarm about a function and another one are one incident: of the same service, at the same
// time; and not of the calls that the service makes, or of the requests that it is not asked.
func codeBelongs(a, b anomaly.Alarm) bool {
	if a.Subject.Service != b.Subject.Service || a.Subject.Env != b.Subject.Env && a.Subject.Env != "" && b.Subject.Env != "" {
		return false
	}
	for _, x := range []anomaly.Alarm{a, b} {
		if x.Code == nil && (x.Symptom != anomaly.SymptomLatency && x.Symptom != anomaly.SymptomSaturation || !incoming(x.Subject)) {
			return false
		}
	}
	return a.Began.Sub(b.Began).Abs() <= codeTogether || overlaps(a, b) || comesBack(a, b)
}

// nameFunction says which function is behind a cause.
func nameFunction(r *anomaly.RootCause, c *anomaly.CodeChange) {
	name := c.Function.Name
	r.Function = &name
	if v := c.Version; v != "" && c.Deployed && r.Version == nil {
		r.Version = &v
	}
	r.Summary = strings.TrimSpace(r.Summary + " " + c.Text())
	r.Evidence = append(r.Evidence, codeEvidence(r.Service, c))
}

// joinCode gives the causes of an incident the functions that alarmed in it: the cause at the same service has it, else
// the function is a cause of its own, after what the requests themselves show.
func joinCode(inc *anomaly.Incident) {
	for _, x := range codeCauses(inc.Alarms) {
		at := slices.IndexFunc(inc.RootCauses, func(r anomaly.RootCause) bool {
			return r.Service == x.Service && (r.Kind == anomaly.SymptomLatency || r.Kind == anomaly.SymptomSaturation || r.Kind == anomaly.SymptomCode)
		})
		if at < 0 {
			x.Rank = len(inc.RootCauses) + 1
			inc.RootCauses = append(inc.RootCauses, x)
			continue
		}
		r := &inc.RootCauses[at]
		if r.Function == nil {
			r.Function, r.Summary, r.Evidence = x.Function, strings.TrimSpace(r.Summary+" "+x.Summary), append(r.Evidence, x.Evidence...)
			if r.Version == nil {
				r.Version = x.Version
			}
		}
	}
}
