package watch

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	// costMemory is how much of the past what a function usually costs is learned from, for a chart.
	costMemory = 6 * time.Hour
	// mostCostBand is how long a range with an expected band may be.
	mostCostBand = 3 * 24 * time.Hour
	// leastCostPoints is how many points must be known before anything is expected.
	leastCostPoints = 3
)

// CostOf says which function's cost a chart is of.
type CostOf struct {
	Env      string // empty: the environment with the most requests
	Service  string
	Version  string // empty: all
	Function string
	File     string // empty: every function of the name
	Symptom  anomaly.Symptom
}

// CostBands is what a function cost a request over time, with what it calls, and what was expected of each point from
// those before it.
func (w *Watch) CostBands(ctx context.Context, of CostOf, r query.Range) (Bands, error) {
	out := Bands{Unit: "ns", TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	cost := query.CostCPU
	if of.Symptom == anomaly.SymptomAlloc {
		out.Unit, cost = "By", query.CostAlloc
	}
	from, to := time.UnixMilli(r.FromMS), minTime(time.UnixMilli(r.ToMS), w.o.Now().Truncate(time.Minute))
	if to.Sub(from) > mostCostBand {
		from = to.Add(-mostCostBand)
	}
	step := max(costBlock*time.Second, (to.Sub(from) / mostCostPoints).Truncate(time.Minute))
	b, err := w.readCosts(ctx, query.Window{From: from.Add(-costMemory).Truncate(step), To: to}, step, of.Service)
	if err != nil {
		return out, err
	}
	points := b.pointsOf(of, cost)
	if len(points) > 0 {
		out.History = float64(points[len(points)-1].at-points[0].at) / 86400
	}
	expectCosts(points)
	for _, p := range points {
		if p.at < from.Unix()-int64(step.Seconds()) {
			continue
		}
		out.TS, out.Value = append(out.TS, p.at*1000), append(out.Value, number(p.value/p.requests))
		out.Expected, out.Lower, out.Upper = append(out.Expected, number(p.expected)), append(out.Lower, number(p.lower)), append(out.Upper, number(p.upper))
	}
	return out, nil
}

// costPoint is what a function took in a step, and what the requests of the step let expect of each.
type costPoint struct {
	at                     int64 // Unix seconds
	value, samples         float64
	whole, requests        float64
	expected, lower, upper float64 // NaN: nothing is known
	odd                    bool    // not as expected
}

// pointsOf adds up what a batch says of a function, in the order of time.
func (b *costBatch) pointsOf(of CostOf, cost string) []costPoint {
	f := newFunctions(Settings{Default: DefaultBudget})
	for _, rows := range b.rows {
		for _, g := range rows.Groups {
			if g.Service != of.Service || g.Cost != cost || of.Env != "" && g.Env != of.Env {
				continue
			}
			s := f.of(g)
			for _, fr := range b.names[of.Service].frames {
				if fr.Function == of.Function && (of.File == "" || fr.File == of.File) && s != nil {
					s.track(anomaly.Function{Name: fr.Function, File: fr.File, Line: fr.Line})
				}
			}
		}
	}
	f.take(b, false)
	var best *costSeries
	most := -1.0
	for _, s := range f.order {
		if s.key.service != of.Service || s.key.cost != cost || of.Env != "" && s.key.env != of.Env {
			continue
		}
		n := 0.0
		s.cells(func(c *costCell) { n += c.Requests })
		if n > most {
			best, most = s, n
		}
	}
	if best == nil {
		return nil
	}
	return best.pointsOf(of)
}

func (s *costSeries) pointsOf(of CostOf) []costPoint {
	points := map[int64]*costPoint{}
	for _, v := range s.versions {
		if of.Version != "" && v.name != of.Version {
			continue
		}
		for i := range v.blocks {
			c := &v.blocks[i]
			if c.Requests <= 0 || c.samples <= 0 {
				continue
			}
			p := points[c.at]
			if p == nil {
				p = &costPoint{at: c.at}
				points[c.at] = p
			}
			p.requests, p.whole, p.samples = p.requests+c.Requests, p.whole+c.whole, p.samples+c.samples
			for id, f := range s.functions {
				if f.Name == of.Function && (of.File == "" || f.File == of.File) {
					p.value += valueAt(c.total, int32(id))
				}
			}
		}
	}
	out := make([]costPoint, 0, len(points))
	for _, at := range slices.Sorted(maps.Keys(points)) {
		out = append(out, *points[at])
	}
	return out
}

// expectCosts says of each point what those before it let expect, within the memory. What is not as expected teaches
// nothing until it has lasted as long as it takes to become normal.
func expectCosts(points []costPoint) {
	first, since := 0, int64(0) // the first point that counts; since when points are odd
	for i := range points {
		p := &points[i]
		for first < i && points[first].at < p.at-int64(costMemory.Seconds()) {
			first++
		}
		p.expect(points[first:i])
		v := p.value / p.requests
		if p.odd = v > p.upper || v < p.lower; !p.odd {
			since = 0
			continue
		}
		if since == 0 {
			since = p.at
		}
		if p.at-since < adoptAfter {
			continue
		}
		for first < i && points[first].at < since {
			first++
		}
		for j := first; j <= i; j++ {
			points[j].odd = false
		}
		since = 0
	}
}

// expect is the band of one point: chance in its samples, what the function varies by beyond that, and how well what is
// usual is known.
func (p *costPoint) expect(before []costPoint) {
	p.expected, p.lower, p.upper = math.NaN(), math.NaN(), math.NaN()
	var value, whole, samples, requests float64
	var list []anomaly.Observation
	for _, o := range before {
		if o.odd {
			continue
		}
		value, whole, samples, requests = value+o.value, whole+o.whole, samples+o.samples, requests+o.requests
		list = append(list, anomaly.Observation{Value: o.value, Samples: o.value / o.whole * o.samples, Exposure: o.requests})
	}
	if len(list) < leastCostPoints || samples < leastProfile || whole <= 0 {
		return
	}
	per := whole / samples // what a sample stands for
	usual := value + per/2 // Jeffreys' prior: half a sample
	mu := usual / requests * p.requests
	noise := anomaly.Variation(list)
	variance := per*mu + noise*noise*mu*mu + per*usual*(p.requests/requests)*(p.requests/requests)
	width := deviations * math.Sqrt(variance)
	p.expected, p.lower, p.upper = value/requests, math.Max(0, mu-width)/p.requests, (mu+width)/p.requests
}
