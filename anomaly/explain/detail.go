package explain

import (
	"context"
	"maps"
	"slices"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// detailed is how many of the likeliest causes are looked at closely; scanned how many requests of each side.
const (
	detailed = 3
	scanned  = 700
)

// detail finds what the bad requests of the likeliest causes have in common, which deployment they came with, and which
// function takes the time.
func (e *Explainer) detail(ctx context.Context, c *investigation, causes []*candidate) error {
	for _, x := range causes[:min(len(causes), detailed)] {
		if x.grown == nil && x.failures == nil {
			continue
		}
		items, err := e.items(ctx, c, x)
		if err != nil {
			return err
		}
		x.traits = scan(items)
		service := x.at
		if x.peer != "" && x.peerKind != "caller" {
			service = x.nodeService()
		}
		x.blame = whichDeploy(items, of(c.deployments, service), c.inc.StartedAt)
		x.name(items)
	}
	e.nameFunctions(ctx, c, causes)
	return nil
}

// nodeService is the service whose spans show the trouble.
func (x *candidate) nodeService() string {
	if x.symptom == anomaly.SymptomErrors && x.failures != nil {
		return x.failures.service
	}
	if x.grown != nil {
		return x.grown.service
	}
	return x.service
}

func of(list []query.Deployment, service string) []query.Deployment {
	var out []query.Deployment
	for _, d := range list {
		if d.Service == service {
			out = append(out, d)
		}
	}
	return out
}

// name picks the attribute that stands for a candidate: the statement of a slow or failing call, else what its bad
// requests have in common.
func (x *candidate) name(items []item) {
	if len(x.traits) > 0 {
		p := x.traits[0].pairs[0]
		if p.key != "service.version" {
			x.pair = &p
		}
	}
	if x.peerKind != "database" {
		return
	}
	for _, it := range items {
		for _, k := range []string{"db.query.text", "db.statement"} {
			if v := it.attributes[k]; it.bad && v != "" && x.service != x.peer {
				x.pair = &pair{k, v}
				return
			}
		}
	}
}

// items are the requests that a candidate is judged by, with their attributes, bad ones marked.
func (e *Explainer) items(ctx context.Context, c *investigation, x *candidate) ([]item, error) {
	spans := c.spansOf(x)
	if len(spans) == 0 {
		return nil, nil
	}
	var ids []uint64
	var services []string
	fingerprints := map[uint64]bool{}
	for _, m := range spans {
		for _, s := range m.spans() {
			ids = append(ids, s.ID)
			services = appendNew(services, s.Service)
			fingerprints[s.Resource] = true
		}
	}
	w := query.Window{From: c.before.From, To: c.during.To}
	attributes, err := e.o.DB.SpanAttributes(ctx, w, services, ids)
	if err != nil {
		return nil, err
	}
	resources, err := e.o.DB.ResourcesOf(ctx, slices.Sorted(maps.Keys(fingerprints)))
	if err != nil {
		return nil, err
	}
	out := make([]item, 0, len(spans))
	for _, m := range spans {
		all := map[string]string{}
		for _, s := range m.spans() {
			r := resources[s.Resource]
			maps.Copy(all, r.Attributes)
			if r.Version != "" {
				all["service.version"] = r.Version
			}
			maps.Copy(all, attributes[s.ID])
		}
		out = append(out, item{all, m.bad, m.during})
	}
	return out, nil
}

// marked is a span of a candidate's place.
type marked struct {
	span        *span
	bad, during bool
}

// spans are the span itself and what it was called from, the latter first.
func (m marked) spans() []*span {
	if p := m.span.parent; p != nil && p.Service == m.span.Service {
		return []*span{p, m.span}
	}
	return []*span{m.span}
}

// spansOf are the requests of a candidate's place: those that failed against those that did not, or those that were
// slower than nine in ten were before against the others.
func (c *investigation) spansOf(x *candidate) []marked {
	var out []marked
	if x.failures != nil && (x.symptom == anomaly.SymptomErrors || x.grown == nil) {
		for _, s := range x.failures.spans[:min(len(x.failures.spans), scanned)] {
			out = append(out, marked{s, true, true})
		}
		n := [2]int{}
		for _, t := range c.traces {
			for _, s := range t.spans {
				side := sideOf(t)
				if s.node == x.failures.node && !s.Error && n[side] < scanned {
					n[side]++
					out = append(out, marked{s, false, t.during})
				}
			}
		}
		return out
	}
	g := x.grown
	if g == nil {
		return nil
	}
	limit := quantile(g.reference, 0.9)
	for _, s := range g.spans[:min(len(g.spans), scanned)] {
		out = append(out, marked{s, s.self > limit, true})
	}
	for _, s := range g.reference[:min(len(g.reference), scanned)] {
		out = append(out, marked{s, false, false})
	}
	return out
}

// quantile is a quantile of the spans' own times.
func quantile(spans []*span, q float64) float64 {
	if len(spans) == 0 {
		return 0
	}
	v := make([]float64, len(spans))
	for i, s := range spans {
		v[i] = s.self
	}
	slices.Sort(v)
	return v[int(q*float64(len(v)-1))]
}
