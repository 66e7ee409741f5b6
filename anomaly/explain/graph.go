package explain

import (
	"slices"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Graph is who calls whom. Services stand under their names, what is known from its callers only under kind:name. It
// does not change once made.
type Graph struct {
	out, in map[string][]string
}

// farthest is over how many calls trouble is followed from one service to another.
const farthest = 8

// NewGraph makes the graph of calls.
func NewGraph(edges []query.CallEdge) *Graph {
	g := &Graph{map[string][]string{}, map[string][]string{}}
	for _, e := range edges {
		g.add(e.Client, nodeID(e.TargetKind, e.Target))
	}
	for _, m := range []map[string][]string{g.out, g.in} {
		for k := range m {
			slices.Sort(m[k])
			m[k] = slices.Compact(m[k])
		}
	}
	return g
}

func (g *Graph) add(client, target string) {
	if client == target || client == "" || target == "" {
		return
	}
	g.out[client] = append(g.out[client], target)
	g.in[target] = append(g.in[target], client)
}

// nodeID is a node's name in the graph.
func nodeID(kind, name string) string {
	if kind == "" || kind == "service" {
		return name
	}
	return kind + ":" + name
}

// distance is over how many calls one reaches the other, along the arrows; -1 when it does not.
func (g *Graph) distance(from, to string) int {
	if from == to {
		return 0
	}
	if g == nil {
		return -1
	}
	seen, edge := map[string]bool{from: true}, []string{from}
	for d := 1; d <= farthest && len(edge) > 0; d++ {
		var next []string
		for _, n := range edge {
			for _, t := range g.out[n] {
				if t == to {
					return d
				}
				if !seen[t] {
					seen[t] = true
					next = append(next, t)
				}
			}
		}
		edge = next
	}
	return -1
}

// related says whether trouble at one can be trouble at the other: one calls the other, directly or not, or both call
// the same database, broker or service directly.
func (g *Graph) related(a, b string) bool {
	if a == b || g.distance(a, b) > 0 || g.distance(b, a) > 0 {
		return true
	}
	return g != nil && common(g.out[a], g.out[b])
}

// siblings says whether both are called by the same service: less arrives at both when less leaves there.
func (g *Graph) siblings(a, b string) bool { return g != nil && common(g.in[a], g.in[b]) }

// common says whether two sorted lists share an element.
func common(a, b []string) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			return true
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return false
}

// Connected says whether two alarms can have one cause.
func (g *Graph) Connected(a, b anomaly.Alarm) bool {
	if a.Subject.Env != b.Subject.Env && a.Subject.Env != "" && b.Subject.Env != "" {
		return false
	}
	for _, x := range ends(a.Subject) {
		for _, y := range ends(b.Subject) {
			if g.related(x, y) {
				return true
			}
		}
	}
	return a.Symptom == anomaly.SymptomTraffic && b.Symptom == anomaly.SymptomTraffic && g.siblings(a.Subject.Service, b.Subject.Service)
}

// ends are the nodes that a subject is about: its service, and the other end of an edge.
func ends(s anomaly.Subject) []string {
	if s.Peer == "" {
		return []string{s.Service}
	}
	return []string{s.Service, nodeID(s.PeerKind, s.Peer)}
}
