package explain

import (
	"cmp"
	"slices"

	"github.com/tidemarkhq/tidemark/query"
)

// nodeKind is what a node of the decomposition is.
type nodeKind uint8

const (
	own  nodeKind = iota // an operation's own time, children excluded
	gap                  // between a caller's span and its callee's: the network, a queue, a proxy
	call                 // a call to what does not report itself: a database, a broker, somebody else's API
)

// node is a place where time is spent or failures begin.
type node struct {
	kind      nodeKind
	service   string // who spends it; of gaps and calls the caller
	operation string // of gaps the callee's
	peer      string // of gaps the callee's service, of calls the host called
	peerKind  string // of calls
}

// span is a span within its trace.
type span struct {
	query.TraceSpan
	parent   *span
	children []*span
	from, to int64 // Unix ns, corrected for the clocks' difference
	node     node
	self     float64 // ns not covered by children
	onPath   float64 // ns of the trace's critical path that are its own
}

// tree is a trace, or the part of it that one entry into the system began: what a consumer does with a message is a
// tree of its own, for nobody waits for it.
type tree struct {
	root   *span
	spans  []*span
	during bool
}

// entry names what a tree does.
func (t *tree) entry() query.TraceSubject {
	return query.TraceSubject{Service: t.root.Service, Operation: t.root.Name}
}

// trees rebuilds the traces of a sample; its spans come grouped by trace.
func trees(spans []query.TraceSpan, during bool) []*tree {
	var out []*tree
	for len(spans) > 0 {
		n := 1
		for n < len(spans) && spans[n].Trace == spans[0].Trace {
			n++
		}
		out = append(out, traceTrees(spans[:n], during)...)
		spans = spans[n:]
	}
	return out
}

func traceTrees(list []query.TraceSpan, during bool) []*tree {
	all := make([]span, len(list))
	byID := make(map[uint64]*span, len(list))
	for i := range list {
		s := &all[i]
		s.TraceSpan = list[i]
		s.from, s.to = s.Start, s.Start+int64(s.Duration)
		byID[s.ID] = s
	}
	var roots []*span
	for i := range all {
		s := &all[i]
		if p := byID[s.Parent]; s.Parent != 0 && p != nil && p != s {
			s.parent = p
			p.children = append(p.children, s)
		}
		if s.parent == nil || s.Kind == "consumer" {
			roots = append(roots, s)
		}
	}
	var out []*tree
	for _, r := range roots {
		t := &tree{root: r, during: during}
		t.take(r, 0, 0)
		if r.parent == nil && r.Kind != "server" && r.Kind != "consumer" && r.Parent != 0 {
			continue // a fragment: what called it is missing
		}
		t.path(r, r.from, r.to)
		out = append(out, t)
	}
	return out
}

// deepest bounds how deep a trace is followed; what lies deeper is not looked at.
const deepest = 200

// take collects the spans of a tree, corrects clocks, and names nodes. shift is by how much the parent was moved.
func (t *tree) take(s *span, shift int64, depth int) {
	s.from, s.to = s.from+shift, s.to+shift
	if p := s.parent; p != nil && s != t.root && s.Kind == "server" && p.Kind == "client" && (s.from < p.from || s.to > p.to) {
		// The clocks of two hosts differ: the callee's span is put in the middle of the caller's.
		move := p.from + max(0, ((p.to-p.from)-(s.to-s.from))/2) - s.from
		s.from, s.to, shift = s.from+move, s.to+move, shift+move
	}
	s.node = nodeOf(s)
	t.spans = append(t.spans, s)
	if depth < deepest {
		for _, c := range s.children {
			if c.Kind != "consumer" {
				t.take(c, shift, depth+1)
			}
		}
	}
	s.self = float64(s.to-s.from) - s.covered()
	slices.SortFunc(s.children, func(a, b *span) int { return cmp.Compare(b.to, a.to) }) // the last to end first
}

// nodeOf names the node that a span's own time belongs to.
func nodeOf(s *span) node {
	if s.Kind == "client" || s.Kind == "producer" {
		for _, c := range s.children {
			if c.Kind == "server" {
				return node{kind: gap, service: s.Service, operation: c.Name, peer: c.Service}
			}
		}
		if s.Peer != "" {
			return node{kind: call, service: s.Service, operation: s.Name, peer: s.Peer, peerKind: s.PeerKind}
		}
	}
	return node{kind: own, service: s.Service, operation: s.Name}
}

// covered is how much of a span its children cover, ns.
func (s *span) covered() float64 {
	type part struct{ from, to int64 }
	var parts []part
	for _, c := range s.children {
		if c.Kind == "consumer" {
			continue
		}
		if from, to := max(c.from, s.from), min(c.to, s.to); from < to {
			parts = append(parts, part{from, to})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	var sum, end int64
	for _, p := range parts {
		if p.from = max(p.from, end); p.from < p.to {
			sum += p.to - p.from
			end = p.to
		}
	}
	return float64(sum)
}

// path gives each instant of [from, to] of a span to the span that the answer was waiting for: the child that ended
// last before it, or the span itself. What the spans of a tree get adds up to the root's duration exactly.
func (t *tree) path(s *span, from, to int64) {
	cur := to
	for _, c := range s.children {
		if c.Kind == "consumer" {
			continue
		}
		start, end := max(c.from, from), min(c.to, cur)
		if start >= end {
			continue
		}
		s.onPath += float64(cur - end)
		t.path(c, start, end)
		cur = start
	}
	s.onPath += float64(cur - from)
}

// origins are the failures of a tree that did not come from another: failed spans without a failed child.
func (t *tree) origins() []*span {
	var out []*span
	for _, s := range t.spans {
		if s.Error && !slices.ContainsFunc(s.children, func(c *span) bool { return c.Error && c.Kind != "consumer" }) {
			out = append(out, s)
		}
	}
	return out
}
