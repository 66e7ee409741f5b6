package explain

import (
	"math"
	"slices"

	"github.com/tidemarkhq/tidemark/query"
)

// moments are the count, mean and spread of a sample.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(v float64)    { m.n, m.sum, m.squares = m.n+1, m.sum+v, m.squares+v*v }
func (m moments) mean() float64     { return m.sum / max(m.n, 1) }
func (m moments) variance() float64 { return max(0, m.squares/max(m.n, 1)-m.mean()*m.mean()) }

// grown is a node's part in the change of latency.
type grown struct {
	node
	before, during float64 // ns of own time a call
	calls          [2]float64
	delta          float64 // ns a request of the entries, weighted by their requests
	self, fanout   float64 // the parts of delta: own time a call, number of calls
	z              float64 // how sure it is that own time grew, in standard errors of its logarithm
	zCalls         float64 // how sure it is that there are more calls for each request, in standard errors
	usual          float64 // share of the growth that comes at this time of every day, 0..1
	spans          []*span // of the time during the incident
	reference      []*span // before
}

// latencyChange is where an incident's additional time is spent.
type latencyChange struct {
	nodes []*grown // by delta, the greatest first
	total float64  // ns a request: the exact sum of all deltas
	was   float64  // ns a request before
	now   float64
}

// decompose splits the change in latency of the entries exactly: Σ over nodes of calls·Δself + self·Δcalls, where self is
// time on the critical path, so that parallel work is not counted twice. Entries that did not occur on both sides are
// left out; each counts by its requests during the incident.
func decompose(list []*tree) latencyChange {
	type sums struct { // of a node in one entry, before and during
		calls, time [2]float64
		perTrace    [2]moments // calls of each trace that has any; those without are added at the end
	}
	type group struct {
		trees [2]float64
		nodes map[node]*sums
		total [2]float64
	}
	groups, all := map[query.TraceSubject]*group{}, map[node]*grown{}
	logs := map[node]*[2]moments{}
	for _, t := range list {
		e := t.entry()
		g := groups[e]
		if g == nil {
			g = &group{nodes: map[node]*sums{}}
			groups[e] = g
		}
		side := sideOf(t)
		g.trees[side]++
		g.total[side] += float64(t.root.to - t.root.from)
		in := map[node]float64{}
		for _, s := range t.spans {
			n := g.nodes[s.node]
			if n == nil {
				n = &sums{}
				g.nodes[s.node] = n
			}
			in[s.node]++
			if s.onPath > 0 {
				n.calls[side]++
				n.time[side] += s.onPath
			}
			gr := all[s.node]
			if gr == nil {
				gr = &grown{node: s.node}
				all[s.node], logs[s.node] = gr, &[2]moments{}
			}
			logs[s.node][side].add(math.Log(max(s.self, 1e3))) // below a microsecond nothing is known
			if t.during {
				gr.spans = append(gr.spans, s)
			} else {
				gr.reference = append(gr.reference, s)
			}
		}
		for n, calls := range in {
			g.nodes[n].perTrace[side].add(calls)
		}
	}
	var out latencyChange
	var weights float64
	for _, g := range groups {
		if g.trees[0] == 0 || g.trees[1] == 0 {
			continue
		}
		w := g.trees[1]
		weights += w
		out.was += w * g.total[0] / g.trees[0]
		out.now += w * g.total[1] / g.trees[1]
		for n, s := range g.nodes {
			var c, self [2]float64
			for i := range c {
				c[i] = s.calls[i] / g.trees[i]
				if s.calls[i] > 0 {
					self[i] = s.time[i] / s.calls[i]
				}
			}
			if c[0] == 0 { // not called before: the time of a call then is not known
				self[0] = self[1]
			}
			if c[1] == 0 {
				self[1] = self[0]
			}
			all[n].self += w * (c[0] + c[1]) / 2 * (self[1] - self[0])
			all[n].fanout += w * (self[0] + self[1]) / 2 * (c[1] - c[0])
			all[n].zCalls = max(all[n].zCalls, moreCalls(s.perTrace, g.trees))
		}
	}
	for n, g := range all {
		l := logs[n]
		g.before, g.during = math.Exp(l[0].mean()), math.Exp(l[1].mean())
		g.calls = [2]float64{l[0].n, l[1].n}
		g.z = welch(l[0], l[1])
		g.self, g.fanout = g.self/max(weights, 1), g.fanout/max(weights, 1)
		g.delta = g.self + g.fanout
		out.nodes = append(out.nodes, g)
	}
	out.was, out.now = out.was/max(weights, 1), out.now/max(weights, 1)
	out.total = out.now - out.was
	slices.SortFunc(out.nodes, func(a, b *grown) int {
		if c := compare(b.delta, a.delta); c != 0 {
			return c
		}
		return compareNodes(a.node, b.node)
	})
	return out
}

// moreCalls is by how many standard errors the calls for each trace have grown. A trace without any counts as well.
func moreCalls(calls [2]moments, traces [2]float64) float64 {
	for i := range calls {
		calls[i].n = traces[i]
	}
	// Where every trace has the same number, the spread is taken to be that of one call in ten traces.
	v := func(m moments) float64 { return (m.variance() + 0.1) / m.n }
	return (calls[1].mean() - calls[0].mean()) / math.Sqrt(v(calls[0])+v(calls[1]))
}

func sideOf(t *tree) int {
	if t.during {
		return 1
	}
	return 0
}

// welch is by how many standard errors b's mean lies above a's. Small samples borrow a spread of 0.35 (in logarithms:
// a third up or down), worth four observations.
func welch(a, b moments) float64 {
	if a.n < 1 || b.n < 1 {
		return 0
	}
	const usual, worth = 0.35 * 0.35, 4
	v := func(m moments) float64 { return (m.variance()*m.n + usual*worth) / (m.n + worth) / m.n }
	return (b.mean() - a.mean()) / math.Sqrt(v(a)+v(b))
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareNodes(a, b node) int {
	for _, c := range []int{int(a.kind) - int(b.kind), compareText(a.service, b.service), compareText(a.operation, b.operation), compareText(a.peer, b.peer)} {
		if c != 0 {
			return c
		}
	}
	return 0
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
