package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// impact is how many requests of the people who use a system suffer.
type impact struct {
	entry    string  // the service at which most of them come in
	requests float64 // that suffer: fail, or take longer than 19 in 20 did before
	share    float64 // of all requests at that entry, 0..1
	here     float64 // of those that pass through what alarmed, 0..1
}

// leastJudged is how many sampled requests a share is said from.
const leastJudged = 5

// measureImpact says who suffers, from the sample: traces stands for how many traces passed through the subjects.
func (e *Explainer) measureImpact(ctx context.Context, c *investigation, traces float64) error {
	entries := map[string]float64{}
	var n, failed [2]float64 // before and during
	slow, known := 0.0, 0.0
	limits := c.usualLimits()
	for _, t := range c.traces {
		if t.root.Kind == "consumer" {
			continue
		}
		n[sideOf(t)]++
		limit, ok := limits[t.entry()]
		switch {
		case t.root.Error:
			failed[sideOf(t)]++
		case !t.during || !ok:
			continue
		case float64(t.root.Duration) > limit:
			slow, known = slow+1, known+1
		default:
			known++
			continue
		}
		if t.during {
			entries[t.root.Service]++
		}
	}
	if n[1] < leastJudged || len(entries) == 0 {
		return nil
	}
	// One in twenty is slower than the limit on any day, and what failed before is not this incident's.
	slower := max(0, slow-0.05*known) / 0.95
	c.impact.here = min(1, max(0, failed[1]/n[1]-failed[0]/max(n[0], 1))+slower/n[1])
	c.impact.requests = c.impact.here * max(traces, n[1])
	for service, k := range entries {
		if best := entries[c.impact.entry]; k > best || k == best && service < c.impact.entry {
			c.impact.entry = service
		}
	}
	all, _, err := e.o.DB.SubjectCalls(ctx, c.during, []query.TraceSubject{{Service: c.impact.entry}}, c.inc.Env)
	if err != nil {
		return fmt.Errorf("count the requests at %s: %w", c.impact.entry, err)
	}
	c.impact.share = min(1, c.impact.requests/max(float64(all), c.impact.requests, 1))
	return nil
}

// usualLimits are how long 19 in 20 requests of each entry took before, ns, where enough are known.
func (c *investigation) usualLimits() map[query.TraceSubject]float64 {
	times := map[query.TraceSubject][]*span{}
	for _, t := range c.traces {
		if !t.during {
			times[t.entry()] = append(times[t.entry()], t.root)
		}
	}
	out := map[query.TraceSubject]float64{}
	for k, v := range times {
		if len(v) >= 20 {
			out[k] = wholeQuantile(v, 0.95)
		}
	}
	return out
}

// wholeQuantile is a quantile of whole spans' durations, ns.
func wholeQuantile(spans []*span, q float64) float64 {
	v := make([]float64, len(spans))
	for i, s := range spans {
		v[i] = float64(s.Duration)
	}
	slices.Sort(v)
	return v[int(q*float64(len(v)-1))]
}

// suffering says since when and how many requests suffer, in one sentence; empty when it is not known.
func (c *investigation) suffering() string {
	i := c.impact
	if i.share < 0.001 || i.requests < 1 {
		return ""
	}
	s := fmt.Sprintf("Since %s UTC %s of %s suffer (%s", c.inc.StartedAt.UTC().Format("15:04"), count(i.requests, "request"), i.entry, anomaly.Percent(i.share))
	if i.here > 1.2*i.share {
		s += fmt.Sprintf(", %s of those that come through here", anomaly.Percent(i.here))
	}
	return s + ")."
}

// count writes how many of something: exactly below a hundred, to two figures above.
func count(v float64, unit string) string {
	n := int64(v + 0.5)
	if n == 1 {
		return "1 " + unit
	}
	about := ""
	step := int64(1)
	for n/step >= 100 {
		step *= 10
	}
	if step > 1 {
		n, about = (n+step/2)/step*step, "about "
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return about + text + " " + unit + "s"
}
