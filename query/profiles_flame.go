package query

import (
	"context"
	"fmt"
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
	Pruned     int      `json:"pruned"` // calls too small to be listed; they count in their callers
	Frames     []Frame  `json:"frames"`
	Nodes      NodeList `json:"nodes"`
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

// stackValues sums the selection by stack.
func (db *DB) stackValues(ctx context.Context, s *ProfileSelection, sh *profileShape) (map[uint64]float64, error) {
	a := args{}
	sel := *s
	c, err := db.cover(ctx, &sel, daySeconds)
	if err != nil {
		return nil, err
	}
	out := map[uint64]float64{}
	err = db.each(ctx, fmt.Sprintf("SELECT stack, %s AS v FROM (%s) GROUP BY stack HAVING v != 0", sh.total(), c.rows(&sel, sh, a)), a,
		func(rows driver.Rows) error {
			var h uint64
			var v float64
			if err := rows.Scan(&h, &v); err != nil {
				return err
			}
			out[h] = v
			return nil
		})
	return out, err
}

// tree merges the stacks of up to two selections of one service.
func (db *DB) tree(ctx context.Context, service string, values, base map[uint64]float64) (*callTree, error) {
	hashes := make([]uint64, 0, len(values)+len(base))
	for h := range values {
		hashes = append(hashes, h)
	}
	for h := range base {
		if _, ok := values[h]; !ok {
			hashes = append(hashes, h)
		}
	}
	stacks, err := db.resolve(ctx, service, hashes)
	if err != nil {
		return nil, err
	}
	files, err := db.namelessFiles(ctx, stacks)
	if err != nil {
		return nil, err
	}
	t := newCallTree()
	cache := map[*location][]int32{}
	var calls []ProfileFrame
	for _, h := range hashes {
		for _, l := range stacks[h] {
			ids, ok := cache[l]
			if !ok {
				calls = l.frames(calls[:0], files)
				for i := range calls {
					ids = append(ids, t.frame(&calls[i]))
				}
				cache[l] = ids
			}
			t.calls = append(t.calls, ids...)
		}
		t.push([2]float64{values[h], base[h]})
	}
	t.grow()
	return t, nil
}

// namelessFiles loads the mappings of locations that have no symbols.
func (db *DB) namelessFiles(ctx context.Context, stacks map[uint64][]*location) (map[uint64]mapping, error) {
	need := map[uint64]bool{}
	for _, s := range stacks {
		for _, l := range s {
			if len(l.lines) == 0 && l.mapping != 0 {
				need[l.mapping] = true
			}
		}
	}
	var hashes []uint64
	for h := range need {
		hashes = append(hashes, h)
	}
	return db.mappings(ctx, hashes)
}

// Flame merges the selected profiles into a call tree of at most nodes calls.
func (db *DB) Flame(ctx context.Context, s ProfileSelection, nodes int) (*FlameAnswer, error) {
	sh, err := db.shape(ctx, &s)
	if err != nil {
		return nil, err
	}
	values, err := db.stackValues(ctx, &s, sh)
	if err != nil {
		return nil, err
	}
	t, err := db.tree(ctx, s.Service, values, nil)
	if err != nil {
		return nil, err
	}
	return db.flameAnswer(&s, sh, t, nodes, false), nil
}

func (db *DB) flameAnswer(s *ProfileSelection, sh *profileShape, t *callTree, nodes int, compared bool) *FlameAnswer {
	if nodes <= 0 || nodes > MaxFlameNodes {
		nodes = MaxFlameNodes
	}
	out := &FlameAnswer{SampleType: sh.sampleType, Momentary: momentary(sh.sampleType), Profiles: sh.profiles, Processes: len(sh.resources),
		CoveredS: sh.duration.Seconds(), Total: t.nodes[0].total[0], Range: db.profileRange(s)}
	_, out.Unit = ProfileUnit(sh.sampleType)
	out.Nodes, out.Pruned = t.list(nodes, compared)
	out.Frames = t.frames
	return out
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
