package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// draw writes a tree as indented lines: name, own part, with calls.
func (t *callTree) draw() string {
	var b strings.Builder
	var walk func(n int32, depth int)
	walk = func(n int32, depth int) {
		x := &t.nodes[n]
		name := "root"
		if x.frame >= 0 {
			name = t.frames[x.frame].Function
		}
		fmt.Fprintf(&b, "%s%s %v %v\n", strings.Repeat(" ", depth), name, x.self[0], x.total[0])
		for _, c := range x.children {
			walk(c, depth+1)
		}
	}
	walk(0, 0)
	return b.String()
}

func treeOf(stacks map[string]float64) *callTree {
	t := newCallTree()
	for s, v := range stacks {
		for _, f := range strings.Fields(s) {
			t.calls = append(t.calls, t.frame(&ProfileFrame{Function: f}))
		}
		t.push([2]float64{v, 0})
	}
	t.grow()
	return t
}

func TestStacksGrowIntoATree(t *testing.T) {
	got := treeOf(map[string]float64{"main z": 3, "main b c": 2, "main b": 5, "main b d c": 1, "main b b": 7, "other": 4, "": 6}).draw()
	want := `root 6 28
 main 0 18
  b 5 15
   b 7 7
   c 2 2
   d 0 1
    c 1 1
  z 3 3
 other 4 4
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTheLargestCallsAreListed(t *testing.T) {
	tree := treeOf(map[string]float64{"a b": 10, "a c": 1, "d": 5, "d e": 2, "f": .5})
	list, pruned := tree.list(4, false)
	if pruned != 3 || !slices.Equal(list.Total, []float64{18.5, 11, 10, 7}) || !slices.Equal(list.Depth, []int32{0, 1, 2, 1}) {
		t.Errorf("%+v, %d left out", list, pruned)
	}
	list, pruned = tree.list(100, false)
	if pruned != 0 || len(list.Frame) != 7 {
		t.Errorf("%+v, %d left out", list, pruned)
	}
}

func TestNth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v := make([]float64, 1+r.IntN(50))
		for i := range v {
			v[i] = float64(r.IntN(20))
		}
		sorted := slices.Sorted(slices.Values(v))
		k := r.IntN(len(v))
		if got := nth(slices.Clone(v), k); got != sorted[k] {
			t.Fatalf("%v: the %d-th is %v, want %v", sorted, k, got, sorted[k])
		}
	}
}

// BenchmarkTree merges as many stacks as an hour of a varied service has, and lists the largest calls.
func BenchmarkTree(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var stacks [][]int
	for range 38_000 {
		if n := len(stacks); n > 100 && r.IntN(10) < 9 { // most stacks end as one before, from some call on
			of := stacks[r.IntN(n)]
			s := slices.Clone(of[:1+r.IntN(len(of))])
			for range r.IntN(12) {
				s = append(s, r.IntN(3000))
			}
			stacks = append(stacks, s)
			continue
		}
		stacks = append(stacks, []int{r.IntN(50), r.IntN(500), r.IntN(3000)})
	}
	names := make([]ProfileFrame, 3000)
	for i := range names {
		names[i].Function = fmt.Sprintf("github.com/acme/shop/part%d.(*Thing).Function%d", i%40, i)
	}
	for b.Loop() {
		t := newCallTree()
		ids := make([]int32, len(names))
		for i := range names {
			ids[i] = t.frame(&names[i])
		}
		for i, s := range stacks {
			for _, f := range s {
				t.calls = append(t.calls, ids[f])
			}
			t.push([2]float64{float64(i % 7), 0})
		}
		t.grow()
		t.list(50_000, false)
	}
}
