package query

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// FlameAnswer is profiles merged into a call tree. Nodes are in pre-order, as parallel arrays; node 0 is the root.
type FlameAnswer struct {
	Range      Range    `json:"range"`
	SampleType string   `json:"sample_type"`
	Unit       string   `json:"unit"`
	Momentary  bool     `json:"momentary"` // values are averages, not sums
	Profiles   int      `json:"profiles"`
	Processes  int      `json:"processes"`
	CoveredS   float64  `json:"covered_s"` // sum of the profiles' durations
	Total      float64  `json:"total"`
	Frames     []Frame  `json:"frames"`
	Nodes      NodeList `json:"nodes"`
	Pruned     int      `json:"pruned"` // calls too small to be listed; they count in their callers
	// What the frames take in all calls, the pruned ones included.
	Functions       FunctionList `json:"functions"`
	PrunedFunctions int          `json:"pruned_functions"` // functions whose calls are all pruned and which take less than any listed call
}

// FunctionList is what functions take, in the order of the frames. A function that calls itself counts once.
type FunctionList struct {
	Self  []float64 `json:"self"`
	Total []float64 `json:"total"`
	// Of the profiles compared with; absent without.
	BaseSelf  []float64 `json:"base_self,omitempty"`
	BaseTotal []float64 `json:"base_total,omitempty"`
}

// Frame is a function as nodes refer to it.
type Frame struct {
	Function string `json:"function"`
	Package  string `json:"package"`
	File     string `json:"file"`
	Line     int64  `json:"line"` // where the function starts, or 0
}

// NodeList is the calls of a tree.
type NodeList struct {
	Frame []int32   `json:"frame"` // index in frames; -1 for the root
	Depth []int32   `json:"depth"`
	Self  []float64 `json:"self"`
	Total []float64 `json:"total"`
	// Of the profiles compared with; absent without.
	BaseSelf  []float64 `json:"base_self,omitempty"`
	BaseTotal []float64 `json:"base_total,omitempty"`
}

// MaxFlameNodes bounds what one answer may list.
const MaxFlameNodes = 100_000

// stackSums is what each stack of a selection is worth.
type stackSums struct {
	hashes []uint64
	values []float64
}

// stackValues sums the selection by stack.
func (db *DB) stackValues(ctx context.Context, s *ProfileSelection, sh *profileShape) (map[uint64]float64, error) {
	sums, err := db.stackSums(ctx, s, sh)
	if err != nil {
		return nil, err
	}
	out := make(map[uint64]float64, len(sums.hashes))
	for i, h := range sums.hashes {
		out[h] = sums.values[i]
	}
	return out, nil
}

func (db *DB) stackSums(ctx context.Context, s *ProfileSelection, sh *profileShape) (*stackSums, error) {
	sel := *s
	c, err := db.cover(ctx, &sel, daySeconds)
	if err != nil {
		return nil, err
	}
	return db.coveredSums(ctx, &sel, sh, c)
}

// byManyThreads has a few rows read by all threads: the engine takes a thousand of them for little, but each is a profile
// of thousands of samples.
const byManyThreads = " SETTINGS merge_tree_min_rows_for_concurrent_read = 1, merge_tree_min_bytes_for_concurrent_read = 1"

func (db *DB) coveredSums(ctx context.Context, s *ProfileSelection, sh *profileShape, c *profileCover) (*stackSums, error) {
	a := args{}
	out := &stackSums{}
	return out, db.each(ctx, fmt.Sprintf("SELECT stack, %s AS v FROM (%s) GROUP BY stack HAVING v != 0%s", sh.total(), c.rows(s, sh, a), byManyThreads), a,
		func(rows driver.Rows) error {
			var h uint64
			var v float64
			err := rows.Scan(&h, &v)
			out.hashes, out.values = append(out.hashes, h), append(out.values, v)
			return err
		})
}

// tree merges the stacks of two selections of one service.
func (db *DB) tree(ctx context.Context, service string, now, base *stackSums) (*callTree, error) {
	hashes, values := now.with(base)
	c, last, err := db.stackCalls(ctx, service, hashes)
	if err != nil {
		return nil, err
	}
	return newCallTree(c, last, values), nil
}

// with puts two sums side by side.
func (s *stackSums) with(base *stackSums) ([]uint64, [2][]float64) {
	at := make(map[uint64]int, len(s.hashes))
	for i, h := range s.hashes {
		at[h] = i
	}
	hashes, now, was := slices.Clone(s.hashes), slices.Clone(s.values), make([]float64, len(s.hashes))
	for i, h := range base.hashes {
		if k, ok := at[h]; ok {
			was[k] = base.values[i]
			continue
		}
		hashes, now, was = append(hashes, h), append(now, 0), append(was, base.values[i])
	}
	return hashes, [2][]float64{now, was}
}

// Flame merges the selected profiles into a call tree of at most nodes calls: of all stacks, or of those with a function
// or file that a regular expression finds.
func (db *DB) Flame(ctx context.Context, s ProfileSelection, focus string, nodes int) (*FlameAnswer, error) {
	find, err := pattern("focus", focus)
	if err != nil {
		return nil, err
	}
	sh, sums, err := db.shapeAndSums(ctx, &s)
	if err != nil {
		return nil, err
	}
	c, last, err := db.stackCalls(ctx, s.Service, sums.hashes)
	if err != nil {
		return nil, err
	}
	values := sums.values
	if find != nil {
		last, values = c.through(find, last, values)
	}
	return db.flameAnswer(&s, sh, newCallTree(c, last, [2][]float64{values}), nodes, false), nil
}

// through keeps the stacks with a function or file that matches.
func (c *calls) through(find *regexp.Regexp, last []int32, values []float64) (kept []int32, worth []float64) {
	hit := make([]bool, len(c.frames))
	for i := range c.frames {
		hit[i] = find.MatchString(c.frames[i].Function) || find.MatchString(c.frames[i].File)
	}
	below := make([]bool, len(c.parent))
	for i := 1; i < len(below); i++ {
		below[i] = below[c.parent[i]] || hit[c.frame[i]]
	}
	for i, at := range last {
		if below[at] {
			kept, worth = append(kept, at), append(worth, values[i])
		}
	}
	return kept, worth
}

// shapeAndSums asks for how the selection is held while it finds out which tables hold it.
func (db *DB) shapeAndSums(ctx context.Context, s *ProfileSelection) (*profileShape, *stackSums, error) {
	sel := *s
	var c *profileCover
	var failed error
	var covered sync.WaitGroup
	covered.Go(func() { c, failed = db.cover(ctx, &sel, daySeconds) })
	sh, err := db.shape(ctx, s)
	covered.Wait()
	if err := cmp.Or(err, failed); err != nil {
		return nil, nil, err
	}
	sums, err := db.coveredSums(ctx, &sel, sh, c)
	return sh, sums, err
}

func (db *DB) flameAnswer(s *ProfileSelection, sh *profileShape, t *callTree, nodes int, compared bool) *FlameAnswer {
	if nodes <= 0 || nodes > MaxFlameNodes {
		nodes = MaxFlameNodes
	}
	out := &FlameAnswer{SampleType: sh.sampleType, Momentary: momentary(sh.sampleType), Profiles: sh.profiles, Processes: len(sh.resources),
		CoveredS: sh.duration.Seconds(), Total: t.whole(0), Range: db.profileRange(s)}
	_, out.Unit = ProfileUnit(sh.sampleType)
	l := t.list(nodes, compared)
	out.Nodes, out.Pruned = l.nodes, l.pruned
	out.listFunctions(t, l.least, compared)
	return out
}

// listFunctions adds the functions of the listed calls, and the others that take as much as the smallest of those.
func (out *FlameAnswer) listFunctions(t *callTree, least float64, compared bool) {
	self, total := t.functions()
	share := t.shares(total)
	called := make([]bool, len(t.frames))
	for _, f := range out.Nodes.Frame[1:] {
		called[f] = true
	}
	made := make([]bool, len(t.frames))
	for i, seen := range t.seen {
		if seen && i > 0 {
			made[t.frame[i]] = true
		}
	}
	order, number := make([]int32, len(t.frames)), make([]int32, len(t.frames))
	for f, r := range t.rank {
		order[r] = int32(f)
	}
	out.Frames = []Frame{}
	l := FunctionList{Self: []float64{}, Total: []float64{}}
	for _, f := range order {
		switch {
		case !made[f]:
			continue
		case !called[f] && share(int(f)) < least:
			out.PrunedFunctions++
			continue
		}
		number[f] = int32(len(out.Frames))
		out.Frames = append(out.Frames, t.frames[f])
		l.Self, l.Total = append(l.Self, self[0][f]), append(l.Total, total[0][f])
		if compared {
			l.BaseSelf, l.BaseTotal = append(l.BaseSelf, self[1][f]), append(l.BaseTotal, total[1][f])
		}
	}
	out.Functions = l
	for i, f := range out.Nodes.Frame[1:] {
		out.Nodes.Frame[i+1] = number[f]
	}
}

// profileRange is the range that was read: in whole hours where the rollup served it.
func (db *DB) profileRange(s *ProfileSelection) Range {
	sel := *s
	r := Range{Resolution: "raw", NowMS: db.o.Now().UnixMilli()}
	if sel.rolled() {
		r.Resolution = "1h"
		sel.From, sel.To = sel.From.Truncate(time.Hour), sel.To.Add(time.Hour-1).Truncate(time.Hour)
	}
	r.FromMS, r.ToMS = sel.From.UnixMilli(), sel.To.UnixMilli()
	r.StepMS, r.CompleteToMS = max(1, r.ToMS-r.FromMS), min(r.ToMS, r.NowMS)
	return r
}
