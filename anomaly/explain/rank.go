package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// candidate is a possible cause while it is judged.
type candidate struct {
	service, operation string
	symptom            anomaly.Symptom
	peer, peerKind     string // what it calls, where that is where it happens
	id                 string // what makes it the same as another: a service, an edge or what is called
	at                 string // its node in the call graph
	score              float64
	confidence         float64
	why                string // one sentence
	grown              *grown
	failures           *failures
	callers            int // of the peer

	traits []trait
	blame  *blame
	pair   *pair               // the one attribute that names it
	code   *anomaly.CodeChange // the function behind it, where profiles tell
}

// Weights of the ranking.
const (
	calleeShare = 0.7  // of its worst callee's score is taken from a caller's: slowness climbs
	errorsBonus = 1.6  // failing requests also take another time; slow ones seldom fail
	alarmBonus  = 1.25 // for a place that alarmed itself
	alarmOnly   = 0.04 // for a place that alarmed and shows nothing else
)

// rank lists the possible causes, the likeliest first.
func (c *investigation) rank() []*candidate {
	slow, failing := merge(c.slow()), merge(c.failing())
	a := c.alarmScores()
	slowWeight, failWeight := a[anomaly.SymptomLatency]+a[anomaly.SymptomSaturation]+1, errorsBonus*a[anomaly.SymptomErrors]
	if failWeight == 0 {
		failWeight = 2
	}
	all := append(weigh(failing, failWeight*c.failingEvidence()), weigh(slow, slowWeight*c.slowEvidence())...)
	all = append(all, c.traffic(a, len(all) > 0)...)
	all = timeouts(unite(all))
	c.adjust(all)
	all = c.addAlarmed(all)
	slices.SortStableFunc(all, func(a, b *candidate) int {
		return cmp.Or(compare(b.score, a.score), compareText(a.id, b.id))
	})
	all = all[:min(len(all), 5)]
	sum := 0.0
	for _, x := range all {
		sum += x.score
	}
	for _, x := range all {
		x.confidence = math.Min(0.97, x.score/max(sum, 1e-9)) * c.certainty()
	}
	return all
}

// certainty grows with what was looked at.
func (c *investigation) certainty() float64 {
	n := 0.0
	for _, t := range c.traces {
		if t.during {
			n++
		}
	}
	return 0.5 + 0.5*(1-math.Exp(-n/40))
}

// alarmScores is the greatest surprise by symptom, in nats, capped: beyond thirty it says nothing more.
func (c *investigation) alarmScores() map[anomaly.Symptom]float64 {
	out := map[anomaly.Symptom]float64{}
	for _, a := range c.inc.Alarms {
		out[a.Symptom] = max(out[a.Symptom], min(30, max(a.Score, 5)))
	}
	return out
}

// gate lets through what is surely more than chance: 0 below from, 1 from to.
func gate(v, from, to float64) float64 { return min(1, max(0, (v-from)/(to-from))) }

// failingEvidence is how sure it is that failures have a place where they begin.
func (c *investigation) failingEvidence() float64 {
	best := 0.0
	for _, f := range c.failures {
		best = max(best, gate(f.llr, 2, 8)*(1-f.usual))
	}
	return best
}

// slowEvidence is how sure it is that a place became slower.
func (c *investigation) slowEvidence() float64 {
	best := 0.0
	for _, g := range c.latency.nodes {
		if g.delta > 0 {
			best = max(best, max(gate(g.z, 2, 6), gate(g.zCalls, 4, 8))*(1-g.usual))
		}
	}
	return best
}

// slow are the places where additional time is spent: in calls that take longer, or in more calls.
func (c *investigation) slow() []*candidate {
	var out []*candidate
	gained := 0.0
	for _, g := range c.latency.nodes {
		gained += g.surely()
	}
	for _, g := range c.latency.nodes {
		score := g.surely() * (1 - g.usual) / max(gained, 1)
		if g.during > 1.2*g.before && g.calls[0] > 0 && g.calls[1] >= 5 {
			score += 0.05 * gate(g.z, 2, 5) * (1 - g.usual) * math.Min(1, math.Log(g.during/g.before)) // slow, though nothing waits for it
		}
		if score <= 0 {
			continue
		}
		x := place(g.node, anomaly.SymptomLatency)
		if g.kind == gap && g.moreCalls() {
			// It is the caller that makes more calls.
			x.service, x.at = g.service, g.service
		}
		x.score, x.grown = score, g
		out = append(out, x)
	}
	return out
}

// surely is the additional time of a place, ns a request, as far as it is beyond chance.
func (g *grown) surely() float64 {
	return max(0, g.self)*gate(g.z, 2, 5) + max(0, g.fanout)*gate(g.zCalls, 3, 8)
}

// moreCalls says whether a place costs more because it is called more often.
func (g *grown) moreCalls() bool {
	return max(0, g.self)*gate(g.z, 2, 5) < max(0, g.fanout)*gate(g.zCalls, 3, 8)
}

// failing are the places where failures begin.
func (c *investigation) failing() []*candidate {
	var out []*candidate
	all := 0.0
	for _, f := range c.failures {
		all += f.excess()
	}
	for _, f := range c.failures {
		score := f.excess() * (1 - f.usual) / max(all, 1) * gate(f.llr, 1, 5) * (0.6 + 0.4*f.ochiai)
		if score <= 0 {
			continue
		}
		x := place(f.node, anomaly.SymptomErrors)
		x.score, x.failures = score, f
		out = append(out, x)
	}
	return out
}

// place makes a node a candidate.
func place(n node, symptom anomaly.Symptom) *candidate {
	x := &candidate{service: n.service, operation: n.operation, symptom: symptom}
	switch n.kind {
	case own:
		x.id, x.at = "service "+n.service, n.service
	case gap:
		x.id, x.at, x.peer, x.peerKind = "edge "+n.service+" "+n.peer, n.peer, n.service, "caller"
		x.service = n.peer
	case call:
		x.id, x.at, x.peer, x.peerKind = "peer "+n.peer, nodeID(n.peerKind, n.peer), n.peer, n.peerKind
	}
	return x
}

// merge makes one candidate of those of one service, edge or peer: its strongest operation stands for all. What several
// services, or several statements, meet at a peer is the peer's own trouble, and it is named itself.
func merge(list []*candidate) []*candidate {
	var out []*candidate
	services, operations, strongest := map[string][]string{}, map[string][]string{}, map[string]float64{}
	for _, x := range list {
		i := slices.IndexFunc(out, func(o *candidate) bool { return o.id == x.id })
		if i < 0 {
			out = append(out, x)
			strongest[x.id] = x.score
		} else if o := out[i]; x.score > strongest[x.id] {
			strongest[x.id] = x.score
			x.score += o.score
			out[i] = x
		} else {
			o.score += x.score
		}
		services[x.id], operations[x.id] = appendNew(services[x.id], x.service), appendNew(operations[x.id], x.operation)
	}
	for _, x := range out {
		x.callers = len(services[x.id])
		if x.peer != "" && x.peerKind != "caller" && (x.callers > 1 || len(operations[x.id]) > 1 || x.peerKind == "external") && strongest[x.id] < 0.8*x.score || x.peerKind == "external" {
			x.service = x.peer
		}
	}
	return out
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func weigh(list []*candidate, weight float64) []*candidate {
	for _, x := range list {
		x.score *= weight
	}
	return list
}

// unite makes one of the candidates that are the same place by two symptoms; the stronger names it.
func unite(list []*candidate) []*candidate {
	var out []*candidate
	for _, x := range list {
		i := slices.IndexFunc(out, func(o *candidate) bool { return o.id == x.id })
		if i < 0 {
			out = append(out, x)
			continue
		}
		o := out[i]
		if x.score > o.score {
			o, x = x, o
			out[i] = o
		}
		o.score += x.score
		if o.grown == nil {
			o.grown = x.grown
		}
		if o.failures == nil {
			o.failures = x.failures
		}
	}
	return out
}

// timeouts gives failures between a caller and its callee to the callee where that has become much slower by itself:
// the caller did not wait.
func timeouts(list []*candidate) []*candidate {
	return slices.DeleteFunc(list, func(x *candidate) bool {
		if x.symptom != anomaly.SymptomErrors || x.peerKind != "caller" {
			return false
		}
		for _, y := range list {
			if g := y.grown; y != x && y.peer == "" && y.service == x.service && y.symptom == anomaly.SymptomLatency && g != nil && g.z >= 5 && g.during > 3*g.before {
				y.score += x.score
				return true
			}
		}
		return false
	})
}

// adjust takes from callers what their worst callee explains, and prefers places that alarmed themselves.
func (c *investigation) adjust(list []*candidate) {
	was := map[*candidate]float64{}
	for _, x := range list {
		was[x] = x.score
	}
	for _, x := range list {
		worst := 0.0
		for _, y := range list {
			if x != y && x.symptom == y.symptom && x.peer == "" && c.graph != nil && slices.Contains(c.graph.out[x.at], y.at) {
				worst = max(worst, was[y])
			}
		}
		x.score = max(0.1*x.score, x.score-calleeShare*worst)
	}
	for _, x := range list {
		for _, a := range c.inc.Alarms {
			if a.Subject.Service == x.at || a.Subject.Peer != "" && nodeID(a.Subject.PeerKind, a.Subject.Peer) == x.at {
				x.score *= alarmBonus
				break
			}
		}
	}
}

// addAlarmed adds places that alarmed but were not found otherwise, in the alarms' order.
func (c *investigation) addAlarmed(list []*candidate) []*candidate {
	top := 0.0
	for _, x := range list {
		top = max(top, x.score)
	}
	if top == 0 {
		top = 1
	}
	weight := alarmOnly * top
	for _, a := range c.inc.Alarms {
		id := "service " + a.Subject.Service
		if a.Subject.Service == "" || slices.ContainsFunc(list, func(x *candidate) bool { return x.id == id || x.service == a.Subject.Service }) {
			continue
		}
		list = append(list, &candidate{service: a.Subject.Service, operation: a.Subject.Operation, symptom: a.Symptom, id: id, at: a.Subject.Service,
			score: weight, why: title(a) + "."})
		weight *= 0.8
	}
	return list
}

// traffic is the cause that requests do not come, or come in too great a number: the first service on their way.
func (c *investigation) traffic(scores map[anomaly.Symptom]float64, others bool) []*candidate {
	var first *anomaly.Alarm
	var operations []string
	for i := range c.inc.Alarms {
		a := &c.inc.Alarms[i]
		if a.Symptom != anomaly.SymptomTraffic {
			continue
		}
		if first == nil || c.graph.distance(a.Subject.Service, first.Subject.Service) > 0 && c.graph.distance(first.Subject.Service, a.Subject.Service) <= 0 {
			first = a
		}
	}
	if first == nil {
		return nil
	}
	for _, a := range c.inc.Alarms {
		if a.Symptom == anomaly.SymptomTraffic && a.Subject.Service == first.Subject.Service && a.Subject.Operation != "" && incoming(a.Subject) {
			operations = appendNew(operations, a.Subject.Operation)
		}
	}
	x := &candidate{service: first.Subject.Service, symptom: anomaly.SymptomTraffic, id: "service " + first.Subject.Service, at: first.Subject.Service,
		score: scores[anomaly.SymptomTraffic], why: title(*first) + "."}
	if len(operations) == 1 {
		x.operation = operations[0]
	}
	if !others && first.Observed < first.Expected {
		x.why += " What does arrive neither fails nor takes longer: fewer requests are sent to " + x.service + "."
	}
	if others {
		x.score *= 0.5 // callers that fail or wait send fewer requests, too
	}
	if others && (first.Observed > first.Expected || c.failingEvidence() > 0.5) {
		x.score *= 0.3
	}
	return []*candidate{x}
}

// reason says in one sentence why a place is thought to be the cause.
func (c *investigation) reason(x *candidate) string {
	name := x.service
	if x.operation != "" {
		name += " " + x.operation
	}
	switch {
	case x.symptom == anomaly.SymptomErrors && x.failures != nil:
		f := x.failures
		what := "begin in " + name
		switch f.kind {
		case call:
			what = fmt.Sprintf("begin where %s calls %s (%s)", f.service, f.peer, f.operation)
		case gap:
			what = fmt.Sprintf("begin between %s and %s", f.node.service, f.peer)
		}
		return fmt.Sprintf("%s of the additional failures %s", anomaly.Percent(f.excess()/max(1, c.excess())), what)
	case x.grown != nil && x.symptom != anomaly.SymptomTraffic:
		g := x.grown
		times := fmt.Sprintf("%s instead of %s", anomaly.Elapsed(g.during), anomaly.Elapsed(g.before))
		more := ""
		if c.latency.total > 0 && g.delta > 0.05*c.latency.total {
			more = fmt.Sprintf(", %s of the additional time", anomaly.Percent(min(1, g.delta/c.latency.total)))
		}
		switch {
		case g.kind != own && g.moreCalls():
			return fmt.Sprintf("%s makes more calls to %s (%s) for each request%s", g.service, g.peer, g.operation, more)
		case g.kind == call:
			return fmt.Sprintf("%s waits %s for %s (%s)%s", g.service, times, g.peer, g.operation, more)
		case g.kind == gap:
			return fmt.Sprintf("between %s and %s pass %s%s", g.service, g.peer, times, more)
		}
		return fmt.Sprintf("%s itself takes %s%s", name, times, more)
	}
	return x.why
}

// excess is how many traces failed beyond what was usual.
func (c *investigation) excess() float64 {
	sum := 0.0
	for _, f := range c.failures {
		sum += f.excess()
	}
	return sum
}
