package query

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// add remembers a stack of single functions and returns its last call.
func (x *callIndex) add(functions ...string) int32 {
	n := int32(0)
	for _, f := range functions {
		n = x.call(n, x.frames.frame(&ProfileFrame{Function: f}))
	}
	return n
}

func treeOf(stacks map[string]float64, base map[string]float64) *callTree {
	x := newCallIndex()
	x.add("never", "called") // by these profiles
	var last []int32
	var now, was []float64
	for s, v := range stacks {
		last, now, was = append(last, x.add(strings.Fields(s)...)), append(now, v), append(was, base[s])
	}
	for s, v := range base {
		if _, ok := stacks[s]; !ok {
			last, now, was = append(last, x.add(strings.Fields(s)...)), append(now, 0), append(was, v)
		}
	}
	if base == nil {
		was = nil
	}
	return newCallTree(x.view(), last, [2][]float64{now, was})
}

// draw writes listed calls as indented lines: name, own part, with what is called.
func (t *callTree) draw(l NodeList) string {
	var b strings.Builder
	for i, f := range l.Frame {
		name := "root"
		if f >= 0 {
			name = t.frames[f].Function
		}
		fmt.Fprintf(&b, "%s%s %v %v\n", strings.Repeat(" ", int(l.Depth[i])), name, l.Self[i], l.Total[i])
	}
	return b.String()
}

func TestStacksGrowIntoATree(t *testing.T) {
	tree := treeOf(map[string]float64{"main z": 3, "main b c": 2, "main b": 5, "main b d c": 1, "main b b": 7, "other": 4, "": 6}, nil)
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
	if got := tree.draw(tree.list(100, false).nodes); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTheLargestCallsAreListed(t *testing.T) {
	tree := treeOf(map[string]float64{"a b": 10, "a c": 1, "d": 5, "d e": 2, "f": .5}, nil)
	l := tree.list(4, false)
	if l.pruned != 3 || !slices.Equal(l.nodes.Total, []float64{18.5, 11, 10, 7}) || !slices.Equal(l.nodes.Depth, []int32{0, 1, 2, 1}) {
		t.Errorf("%+v", l)
	}
	if l = tree.list(100, false); l.pruned != 0 || len(l.nodes.Frame) != 7 || l.least != 0 {
		t.Errorf("%+v", l)
	}
}

// Functions that only small calls are of are told with what all those calls take; those that take less than any listed
// call are counted.
func TestFunctionsOfCallsThatAreNotListed(t *testing.T) {
	stacks := map[string]float64{"main": 100, "main tiny": 1}
	for i := range 50 {
		stacks[fmt.Sprintf("main f%02d alloc", i)] = 2
		stacks[fmt.Sprintf("main f%02d alloc alloc", i)] = 1
	}
	tree := treeOf(stacks, nil)
	l := tree.list(12, false)
	out := &FlameAnswer{Nodes: l.nodes, Pruned: l.pruned}
	out.listFunctions(tree, l.least, false)
	took := map[string][2]float64{}
	for i, f := range out.Frames {
		took[f.Function] = [2]float64{out.Functions.Self[i], out.Functions.Total[i]}
	}
	if took["alloc"] != [2]float64{150, 150} || took["main"] != [2]float64{100, 251} || took["f00"] != [2]float64{0, 3} {
		t.Errorf("%v", took)
	}
	if _, ok := took["tiny"]; ok || out.PrunedFunctions != 1 || took["never"] != [2]float64{} {
		t.Errorf("%d functions left out: %v", out.PrunedFunctions, took)
	}
	if !slices.IsSortedFunc(out.Frames, func(a, b Frame) int { return strings.Compare(a.Function, b.Function) }) || out.Frames[out.Nodes.Frame[1]].Function != "main" {
		t.Errorf("%+v %v", out.Frames, out.Nodes.Frame)
	}
}

func TestTwoSelectionsInOneTree(t *testing.T) {
	tree := treeOf(map[string]float64{"main a": 3, "main b": 1}, map[string]float64{"main a": 1, "main gone": 4})
	l := tree.list(100, true)
	if got := fmt.Sprint(l.nodes.Total, l.nodes.BaseTotal, l.nodes.BaseSelf); got != "[4 4 3 1 0] [5 5 1 0 4] [0 0 1 0 4]" {
		t.Error(got)
	}
	self, total := tree.functions()
	main := tree.frame[1]
	for f := range tree.frames {
		if tree.frames[f].Function == "main" {
			main = int32(f)
		}
	}
	if self[0][main] != 0 || total[0][main] != 4 || total[1][main] != 5 {
		t.Errorf("%v %v", self, total)
	}
}

func TestServicesThatWereAskedForLongAgoAreForgotten(t *testing.T) {
	var all callIndexes
	for i := range 5 {
		for n := range 100 {
			all.of(fmt.Sprint(i)).add("main", fmt.Sprint(n))
		}
	}
	all.of("1")
	all.trim(2 * all.of("0").size())
	if len(all.byName) != 2 || all.byName["0"] == nil || all.byName["1"] == nil {
		t.Errorf("%v are left", all.byName)
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

// BenchmarkTree merges as many stacks as an hour of a varied service has, and lists the largest calls: all those that
// were seen before.
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
	x := newCallIndex()
	hashes, values := make([]uint64, len(stacks)), make([]float64, len(stacks))
	for i, s := range stacks {
		n := int32(0)
		for _, f := range s {
			n = x.call(n, x.frames.frame(&ProfileFrame{Function: fmt.Sprintf("github.com/acme/shop/part%d.(*Thing).Function%d", f%40, f)}))
		}
		hashes[i], values[i] = uint64(i), float64(i%7)
		x.stacks[uint64(i)] = n
	}
	for _, most := range []int{4_000, 100_000} {
		b.Run(fmt.Sprint(most), func(b *testing.B) {
			last := make([]int32, len(hashes))
			for b.Loop() {
				x.lookup(hashes, last)
				t := newCallTree(x.view(), last, [2][]float64{values})
				l := t.list(most, false)
				out := &FlameAnswer{Nodes: l.nodes}
				out.listFunctions(t, l.least, false)
			}
		})
	}
}

func TestOnlyStacksThatAreLookedFor(t *testing.T) {
	x := newCallIndex()
	last := []int32{x.add("main", "a", "b"), x.add("main", "c"), x.add("a"), x.add("main")}
	c := x.view()
	last, values := c.through(regexp.MustCompile(`^\Qa\E$`), last, []float64{1, 2, 4, 8})
	tree := newCallTree(c, last, [2][]float64{values})
	want := `root 0 5
 a 4 4
 main 0 1
  a 0 1
   b 1 1
`
	if got := tree.draw(tree.list(100, false).nodes); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	last, values = c.through(regexp.MustCompile(`nowhere`), last, values)
	if l := newCallTree(c, last, [2][]float64{values}).list(100, false); len(l.nodes.Frame) != 1 || l.pruned != 0 {
		t.Errorf("%+v", l)
	}
}
