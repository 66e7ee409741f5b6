package query

import "slices"

// callTree is what profiles took, by call: a value for each of a service's calls, of up to two selections.
type callTree struct {
	calls
	seen        []bool       // the calls that were made
	self, total [2][]float64 // by call; nil without the second selection
}

// newCallTree adds up stacks, given by their last calls.
func newCallTree(c calls, last []int32, values [2][]float64) *callTree {
	t := &callTree{calls: c, seen: make([]bool, len(c.parent))}
	t.seen[0] = true
	for _, at := range last {
		t.seen[at] = true
	}
	for k, v := range values {
		if k > 0 && v == nil {
			continue
		}
		self := make([]float64, len(c.parent))
		for i, at := range last {
			self[at] += v[i]
		}
		t.self[k], t.total[k] = self, slices.Clone(self)
	}
	now, was := t.total[0], t.total[1]
	for i := len(c.parent) - 1; i > 0; i-- {
		if !t.seen[i] {
			continue
		}
		p := c.parent[i]
		t.seen[p] = true
		now[p] += now[i]
		if was != nil {
			was[p] += was[i]
		}
	}
	return t
}

// whole is the total of a selection.
func (t *callTree) whole(k int) float64 {
	if t.total[k] == nil {
		return 0
	}
	return t.total[k][0]
}

// shares is how much of the whole each of some values takes: the larger of both sides' shares.
func (t *callTree) shares(values [2][]float64) func(i int) float64 {
	var scale [2]float64
	for k := range scale {
		if w := t.whole(k); w > 0 {
			scale[k] = 1 / w
		}
	}
	now, was := values[0], values[1]
	if was == nil {
		return func(i int) float64 { return now[i] * scale[0] }
	}
	return func(i int) float64 { return max(now[i]*scale[0], was[i]*scale[1]) }
}

// functions is what each function takes in all calls; one that calls itself counts once.
func (t *callTree) functions() (self, total [2][]float64) {
	for k := range t.self {
		if t.self[k] == nil {
			continue
		}
		self[k], total[k] = make([]float64, len(t.frames)), make([]float64, len(t.frames))
		for i := 1; i < len(t.parent); i++ {
			if !t.seen[i] {
				continue
			}
			f := t.frame[i]
			self[k][f] += t.self[k][i]
			if !t.again[i] {
				total[k][f] += t.total[k][i]
			}
		}
	}
	return self, total
}

// largest is the calls of the largest size, in order of their numbers: at most so many, or some more of the same size.
// least is the size that they have at least, and made how many calls there are in all.
func (t *callTree) largest(most int) (list []int32, least float64, made int) {
	size := t.shares(t.total)
	sizes := make([]float64, 0, len(t.parent))
	for i, seen := range t.seen {
		if seen {
			sizes = append(sizes, size(i))
		}
	}
	made, least = len(sizes), 0
	all := made <= most
	if !all {
		least = nth(sizes, made-most)
	}
	list = make([]int32, 0, min(most, made))
	for i, seen := range t.seen {
		if seen && (all || i == 0 || size(i) >= least) {
			list = append(list, int32(i))
		}
	}
	return list, least, made
}

// callList is the calls that are given out.
type callList struct {
	nodes  NodeList // frames are numbered as in the tree
	pruned int      // calls that are left out
	least  float64  // share of the whole, below which calls are left out; 0: none is
}

// list gives out at most so many calls, the largest, in pre-order and siblings in order of their names.
func (t *callTree) list(most int, compared bool) callList {
	ids, least, made := t.largest(most)
	first, next := t.siblings(ids)
	room := min(most, len(ids))
	l := NodeList{Frame: make([]int32, 0, room), Depth: make([]int32, 0, room), Self: make([]float64, 0, room), Total: make([]float64, 0, room)}
	type at struct{ call, depth int32 }
	for open := []at{{0, 0}}; len(open) > 0 && len(l.Frame) < most; {
		x := open[len(open)-1]
		open = open[:len(open)-1]
		if n := next[x.call]; n != 0 {
			open = append(open, at{n, x.depth})
		}
		if c := first[x.call]; c != 0 {
			open = append(open, at{c, x.depth + 1})
		}
		l.Frame, l.Depth = append(l.Frame, t.frame[x.call]), append(l.Depth, x.depth)
		l.Self, l.Total = append(l.Self, t.self[0][x.call]), append(l.Total, t.total[0][x.call])
		if compared {
			l.BaseSelf, l.BaseTotal = append(l.BaseSelf, t.self[1][x.call]), append(l.BaseTotal, t.total[1][x.call])
		}
	}
	return callList{nodes: l, pruned: made - len(l.Frame), least: least}
}

// siblings links some calls, the root first: to the first one below each, and to the next one beside it; 0 is none.
func (t *callTree) siblings(ids []int32) (first, next []int32) {
	at := make([]int32, len(t.frames)+1) // they are put in order of their names by counting
	for _, id := range ids[1:] {
		at[t.rank[t.frame[id]]+1]++
	}
	for r := 1; r < len(at); r++ {
		at[r] += at[r-1]
	}
	order := make([]int32, len(ids)-1)
	for _, id := range ids[1:] {
		r := t.rank[t.frame[id]]
		order[at[r]] = id
		at[r]++
	}
	first, next = make([]int32, len(t.parent)), make([]int32, len(t.parent))
	for _, id := range slices.Backward(order) {
		p := t.parent[id]
		first[p], next[id] = id, first[p]
	}
	return first, next
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
