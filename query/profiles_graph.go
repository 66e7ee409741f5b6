package query

import (
	"cmp"
	"context"
	"math"
	"regexp"
	"slices"
)

// ProfileGraph is the calls between functions as pprof's graph view draws them: what is too small is left out, and calls
// that went through what was left out are residual.
type ProfileGraph struct {
	Range        Range       `json:"range"`
	SampleType   string      `json:"sample_type"`
	Unit         string      `json:"unit"`
	Momentary    bool        `json:"momentary"`
	Profiles     int         `json:"profiles"`
	Total        float64     `json:"total"`
	NodeCutoff   float64     `json:"node_cutoff"` // smaller functions are left out
	EdgeCutoff   float64     `json:"edge_cutoff"`
	DroppedNodes int         `json:"dropped_nodes"`
	DroppedEdges int         `json:"dropped_edges"`
	Nodes        []GraphNode `json:"nodes"` // the most important first
	Edges        []GraphEdge `json:"edges"`
}

// GraphNode is one function.
type GraphNode struct {
	Frame
	Flat float64 `json:"flat"` // without what it calls
	Cum  float64 `json:"cum"`  // with it
}

// GraphEdge is calls from one function to another, as indices in the nodes.
type GraphEdge struct {
	From     int     `json:"from"`
	To       int     `json:"to"`
	Value    float64 `json:"value"`
	Residual bool    `json:"residual"` // functions in between are left out
	Inline   bool    `json:"inline"`   // the compiler inlined every one of these calls
}

// GraphOptions are pprof's of the same names.
type GraphOptions struct {
	NodeCount    int     // most functions; default 80
	NodeFraction float64 // of the total, below which a function is left out; default 0.005
	EdgeFraction float64 // default 0.001
	Focus        string  // regular expression: only stacks with a function that matches
	Ignore       string  // regular expression: no stack with one
}

// DefaultGraphOptions are pprof's defaults.
func DefaultGraphOptions() GraphOptions {
	return GraphOptions{NodeCount: 80, NodeFraction: .005, EdgeFraction: .001}
}

// ProfileGraph merges the selected profiles into a graph of functions.
func (db *DB) ProfileGraph(ctx context.Context, s ProfileSelection, o GraphOptions) (*ProfileGraph, error) {
	focus, err := pattern("focus", o.Focus)
	if err != nil {
		return nil, err
	}
	ignore, err := pattern("ignore", o.Ignore)
	if err != nil {
		return nil, err
	}
	sh, err := db.shape(ctx, &s)
	if err != nil {
		return nil, err
	}
	values, err := db.stackValues(ctx, &s, sh)
	if err != nil {
		return nil, err
	}
	hashes := make([]uint64, 0, len(values))
	for h := range values {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	stacks, err := db.resolve(ctx, s.Service, hashes)
	if err != nil {
		return nil, err
	}
	files, err := db.namelessFiles(ctx, locationsOf(stacks))
	if err != nil {
		return nil, err
	}
	g := newCallGraph()
	for _, h := range hashes {
		if calls := g.calls(stacks[h], files); matches(calls, g.tree, focus, ignore) {
			g.stacks = append(g.stacks, graphStack{slices.Clone(calls), values[h]})
		}
	}
	out := &ProfileGraph{Range: db.profileRange(&s), SampleType: sh.sampleType, Momentary: momentary(sh.sampleType), Profiles: sh.profiles}
	_, out.Unit = ProfileUnit(sh.sampleType)
	g.prune(out, o)
	return out, nil
}

// pattern compiles a regular expression; nil without.
func pattern(field, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, &InputError{field, err.Error()}
	}
	return re, nil
}

func matches(calls []graphCall, t *frameTable, focus, ignore *regexp.Regexp) bool {
	found := focus == nil
	for _, c := range calls {
		f := &t.frames[c.frame]
		if ignore != nil && (ignore.MatchString(f.Function) || ignore.MatchString(f.File)) {
			return false
		}
		found = found || focus.MatchString(f.Function) || focus.MatchString(f.File)
	}
	return found
}

// callGraph is stacks before they are merged.
type callGraph struct {
	tree   *frameTable // numbers the frames
	cache  map[*location][]int32
	stacks []graphStack
	buf    []graphCall
	names  []ProfileFrame
}

type graphStack struct {
	calls []graphCall // from the root
	value float64
}

type graphCall struct {
	frame  int32
	inline bool // into the call before it
}

func newCallGraph() *callGraph {
	return &callGraph{tree: &frameTable{}, cache: map[*location][]int32{}}
}

func (g *callGraph) calls(stack []*location, files map[uint64]mapping) []graphCall {
	g.buf = g.buf[:0]
	for _, l := range stack {
		ids, ok := g.cache[l]
		if !ok {
			g.names = l.frames(g.names[:0], files)
			for i := range g.names {
				ids = append(ids, g.tree.frame(&g.names[i]))
			}
			g.cache[l] = ids
		}
		for i, id := range ids {
			g.buf = append(g.buf, graphCall{id, i > 0})
		}
	}
	return g.buf
}

type edgeKey struct{ from, to int32 }

// prune leaves out what is small, as pprof does: functions below the cutoff, then the least important ones beyond the
// count, then calls below their cutoff. Each time the graph is made anew, so that what remains is linked.
func (g *callGraph) prune(out *ProfileGraph, o GraphOptions) {
	for _, s := range g.stacks {
		out.Total += s.value
	}
	out.NodeCutoff, out.EdgeCutoff = math.Abs(out.Total*o.NodeFraction), math.Abs(out.Total*o.EdgeFraction)
	r := g.graph(nil)
	keep := map[int32]bool{}
	for f, n := range r.nodes {
		if math.Abs(n.Cum) >= out.NodeCutoff {
			keep[f] = true
		}
	}
	out.DroppedNodes = len(r.nodes) - len(keep)
	r = g.graph(keep)
	order := g.order(r)
	if o.NodeCount > 0 && len(order) > o.NodeCount {
		out.DroppedNodes += len(order) - o.NodeCount
		keep = map[int32]bool{}
		for _, f := range order[:o.NodeCount] {
			keep[f] = true
		}
		r = g.graph(keep)
		order = g.order(r)
	}
	for k, e := range r.edges {
		if math.Abs(e.Value) < out.EdgeCutoff {
			r.unlink(k)
			out.DroppedEdges++
		}
	}
	r.dropRedundant(order)
	out.list(r, order, g.tree.frames)
}

// order is the functions of a graph, the most important first.
func (g *callGraph) order(r *functionGraph) []int32 {
	scores := make(map[int32]float64, len(r.nodes))
	order := make([]int32, 0, len(r.nodes))
	for f := range r.nodes {
		scores[f] = r.score(f)
		order = append(order, f)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(g.tree.frames[a].Function, g.tree.frames[b].Function), cmp.Compare(a, b))
	})
	return order
}

func (out *ProfileGraph) list(r *functionGraph, order []int32, frames []Frame) {
	at := map[int32]int{}
	out.Nodes, out.Edges = []GraphNode{}, []GraphEdge{}
	for i, f := range order {
		n := r.nodes[f]
		n.Frame = frames[f]
		at[f] = i
		out.Nodes = append(out.Nodes, *n)
	}
	for k, e := range r.edges {
		e.From, e.To = at[k.from], at[k.to]
		out.Edges = append(out.Edges, *e)
	}
	slices.SortFunc(out.Edges, func(a, b GraphEdge) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
}

type functionGraph struct {
	nodes   map[int32]*GraphNode
	edges   map[edgeKey]*GraphEdge
	in, out map[int32][]edgeKey
}

// graph merges the stacks by function, a function once a stack; with keep, of those functions only.
func (g *callGraph) graph(keep map[int32]bool) *functionGraph {
	r := &functionGraph{nodes: map[int32]*GraphNode{}, edges: map[edgeKey]*GraphEdge{}, in: map[int32][]edgeKey{}, out: map[int32][]edgeKey{}}
	seen, linked := map[int32]bool{}, map[edgeKey]bool{}
	for _, s := range g.stacks {
		clear(seen)
		clear(linked)
		last, residual := int32(-1), false
		for _, c := range s.calls {
			if keep != nil && !keep[c.frame] {
				residual = true
				continue
			}
			n := r.nodes[c.frame]
			if n == nil {
				n = &GraphNode{}
				r.nodes[c.frame] = n
			}
			if !seen[c.frame] {
				seen[c.frame] = true
				n.Cum += s.value
			}
			if k := (edgeKey{last, c.frame}); last >= 0 && last != c.frame && !linked[k] {
				linked[k] = true
				r.link(k, s.value, residual, c.inline)
			}
			last, residual = c.frame, false
		}
		if last >= 0 && !residual {
			r.nodes[last].Flat += s.value
		}
	}
	return r
}

func (r *functionGraph) link(k edgeKey, v float64, residual, inline bool) {
	e := r.edges[k]
	if e == nil {
		e = &GraphEdge{Residual: residual, Inline: inline}
		r.edges[k] = e
		r.in[k.to], r.out[k.from] = append(r.in[k.to], k), append(r.out[k.from], k)
	}
	e.Value += v
	e.Residual = e.Residual || residual
	e.Inline = e.Inline && inline
}

func (r *functionGraph) unlink(k edgeKey) {
	delete(r.edges, k)
	r.in[k.to] = slices.DeleteFunc(r.in[k.to], func(x edgeKey) bool { return x == k })
	r.out[k.from] = slices.DeleteFunc(r.out[k.from], func(x edgeKey) bool { return x == k })
}

// score is pprof's importance of a function: what it takes, more where ways meet or part.
func (r *functionGraph) score(f int32) float64 {
	n := r.nodes[f]
	score := 0.0
	for _, side := range []struct {
		edges []edgeKey
		self  float64
	}{{r.in[f], 0}, {r.out[f], n.Flat}} {
		if len(side.edges) == 0 {
			score++
		} else {
			score += r.entropy(side.edges, side.self)
		}
	}
	return math.Trunc(score*n.Cum) + n.Flat
}

// entropy is how evenly values are spread over calls and the function itself, in bits.
func (r *functionGraph) entropy(edges []edgeKey, self float64) (bits float64) {
	sum := self
	for _, k := range edges {
		sum += max(0, r.edges[k].Value)
	}
	if sum == 0 {
		return 0
	}
	add := func(v float64) {
		if p := math.Abs(v) / sum; p > 0 {
			bits -= p * math.Log2(p)
		}
	}
	for _, k := range edges {
		add(r.edges[k].Value)
	}
	if self > 0 {
		add(self)
	}
	return bits
}

// dropRedundant removes residual calls where other calls lead from the one function to the other, the smallest first
// and none that is larger than a call that was not residual.
func (r *functionGraph) dropRedundant(order []int32) {
	for _, f := range slices.Backward(order) {
		in := slices.Clone(r.in[f])
		slices.SortFunc(in, func(a, b edgeKey) int {
			return cmp.Or(cmp.Compare(math.Abs(r.edges[a].Value), math.Abs(r.edges[b].Value)), cmp.Compare(b.from, a.from))
		})
		for _, k := range in {
			if !r.edges[k].Residual {
				break
			}
			if r.reached(k) {
				r.unlink(k)
			}
		}
	}
}

// reached looks for a way that does without an edge.
func (r *functionGraph) reached(without edgeKey) bool {
	seen := map[int32]bool{without.to: true}
	queue := []int32{without.to}
	for len(queue) > 0 {
		f := queue[0]
		queue = queue[1:]
		for _, k := range r.in[f] {
			if k == without || seen[k.from] {
				continue
			}
			if k.from == without.from {
				return true
			}
			seen[k.from] = true
			queue = append(queue, k.from)
		}
	}
	return false
}
