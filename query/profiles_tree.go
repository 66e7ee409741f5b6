package query

import (
	"cmp"
	"slices"
)

// callTree merges stacks by function. It is made in two steps: stacks are collected, with frame and push, and then
// grown into nodes. Once it is grown, frames are in order of their names, nodes in pre-order, and siblings in order of
// their frames, so that two answers look alike.
type callTree struct {
	frames []Frame
	ids    map[frameID]int32

	calls  []int32 // frames of all stacks, from the root
	stacks []treeStack

	nodes []callNode // nodes[0] is the root
}

type frameID struct{ function, file string }

type treeStack struct {
	from, to int32 // in calls
	value    [2]float64
}

type callNode struct {
	frame    int32 // -1: the root
	children []int32
	self     [2]float64
	total    [2]float64
}

func newCallTree() *callTree { return &callTree{ids: map[frameID]int32{}} }

// frame numbers a function. The numbers change when the tree is grown.
func (t *callTree) frame(f *ProfileFrame) int32 {
	k := frameID{f.Function, f.File}
	id, ok := t.ids[k]
	if !ok {
		id = int32(len(t.frames))
		t.frames = append(t.frames, Frame{Function: f.Function, Package: FunctionPackage(f.Function), File: f.File, Line: f.Start})
		t.ids[k] = id
	}
	return id
}

// push takes the frames that were appended to calls since the stack before.
func (t *callTree) push(v [2]float64) {
	from := int32(0)
	if n := len(t.stacks); n > 0 {
		from = t.stacks[n-1].to
	}
	t.stacks = append(t.stacks, treeStack{from, int32(len(t.calls)), v})
}

// grow makes the nodes. Stacks that lie in order share their callers with the one before, so that no call has to be
// looked up.
func (t *callTree) grow() {
	t.orderFrames()
	slices.SortFunc(t.stacks, func(a, b treeStack) int {
		return cmp.Or(slices.Compare(t.calls[a.from:a.to], t.calls[b.from:b.to]), cmp.Compare(a.from, b.from))
	})
	t.nodes = append(make([]callNode, 0, len(t.stacks)*2+1), callNode{frame: -1})
	parents := make([]int32, 1, len(t.stacks)*2+1)
	var path []int32 // nodes of the stack before, without the root
	var last []int32
	for _, s := range t.stacks {
		calls := t.calls[s.from:s.to]
		shared := 0
		for shared < len(calls) && shared < len(last) && calls[shared] == last[shared] {
			shared++
		}
		path = path[:shared]
		for i := shared; i < len(calls); i++ {
			parent := int32(0)
			if i > 0 {
				parent = path[i-1]
			}
			path = append(path, int32(len(t.nodes)))
			t.nodes, parents = append(t.nodes, callNode{frame: calls[i]}), append(parents, parent)
		}
		leaf := &t.nodes[0]
		if len(path) > 0 {
			leaf = &t.nodes[path[len(path)-1]]
		}
		leaf.self[0], leaf.self[1] = leaf.self[0]+s.value[0], leaf.self[1]+s.value[1]
		last = calls
	}
	t.sum(parents)
}

// sum adds up what nodes take with what they call, and links them to their children.
func (t *callTree) sum(parents []int32) {
	count := make([]int32, len(t.nodes))
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		n.total[0], n.total[1] = n.total[0]+n.self[0], n.total[1]+n.self[1]
		if i > 0 {
			p := &t.nodes[parents[i]]
			p.total[0], p.total[1] = p.total[0]+n.total[0], p.total[1]+n.total[1]
			count[parents[i]]++
		}
	}
	links := make([]int32, len(t.nodes))
	at := int32(0)
	for i := range t.nodes {
		t.nodes[i].children = links[at : at : at+count[i]]
		at += count[i]
	}
	for i := 1; i < len(t.nodes); i++ {
		p := &t.nodes[parents[i]]
		p.children = append(p.children, int32(i))
	}
}

// orderFrames numbers the frames by their names.
func (t *callTree) orderFrames() {
	order := make([]int32, len(t.frames))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &t.frames[a], &t.frames[b]
		return cmp.Or(cmp.Compare(x.Function, y.Function), cmp.Compare(x.File, y.File))
	})
	frames, now := make([]Frame, len(order)), make([]int32, len(order))
	for i, was := range order {
		frames[i], now[was] = t.frames[was], int32(i)
	}
	t.frames = frames
	for k, id := range t.ids {
		t.ids[k] = now[id]
	}
	for i, id := range t.calls {
		t.calls[i] = now[id]
	}
}

// list gives out at most max nodes, the largest, in pre-order.
func (t *callTree) list(max int, compared bool) (NodeList, int) {
	least := 0.0
	if len(t.nodes) > max {
		sizes := make([]float64, len(t.nodes))
		for i := range t.nodes {
			sizes[i] = t.size(i)
		}
		least = nth(sizes, len(sizes)-max)
	}
	room := min(max, len(t.nodes))
	out := NodeList{Frame: make([]int32, 0, room), Depth: make([]int32, 0, room), Self: make([]float64, 0, room), Total: make([]float64, 0, room)}
	kept := 0
	var walk func(n, depth int32)
	walk = func(n, depth int32) {
		node := &t.nodes[n]
		kept++
		out.Frame, out.Depth = append(out.Frame, node.frame), append(out.Depth, depth)
		out.Self, out.Total = append(out.Self, node.self[0]), append(out.Total, node.total[0])
		if compared {
			out.BaseSelf, out.BaseTotal = append(out.BaseSelf, node.self[1]), append(out.BaseTotal, node.total[1])
		}
		for _, c := range node.children {
			if kept < max && t.size(int(c)) >= least {
				walk(c, depth+1)
			}
		}
	}
	walk(0, 0)
	return out, len(t.nodes) - kept
}

// size is how much room a node takes: the larger of its two shares.
func (t *callTree) size(i int) float64 {
	n, root := &t.nodes[i], &t.nodes[0]
	var s float64
	for k := range 2 {
		if root.total[k] > 0 {
			s = max(s, n.total[k]/root.total[k])
		}
	}
	return s
}

// nth is the k-th smallest of some numbers (Hoare's selection), which it puts into another order.
func nth(v []float64, k int) float64 {
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}
