package prom

import (
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// group is the series of an aggregation that share the labels it groups by.
type group struct {
	labels     labels.Labels
	sum, carry []float64 // or the least or greatest value; carry is what rounding lost
	count      []float64
}

// groupBytes is what a step of a group takes, at most.
const groupBytes = 24

// groupOf finds the group of a series. Called with mu held.
func (v *evaluation) groupOf(ls labels.Labels) (*group, error) {
	by := grouped(ls, v.part.agg.Grouping, v.part.agg.Without)
	key := string(by.Bytes(nil))
	g := v.groups[key]
	if g == nil {
		n := v.plan.steps()
		if err := v.hold(n, groupBytes*n); err != nil {
			return nil, err
		}
		g = &group{labels: by, count: make([]float64, n)}
		switch v.part.agg.Op {
		case parser.SUM, parser.AVG:
			g.sum, g.carry = make([]float64, n), make([]float64, n)
		case parser.MIN, parser.MAX:
			g.sum = make([]float64, n)
		}
		v.groups[key] = g
	}
	return g, nil
}

// grouped are the labels that a series is grouped by.
func grouped(ls labels.Labels, grouping []string, without bool) labels.Labels {
	b := labels.NewBuilder(ls)
	switch {
	case without:
		b.Del(grouping...)
		b.Del(model.MetricNameLabel)
	case len(grouping) > 0:
		b.Keep(grouping...)
	default:
		return labels.EmptyLabels()
	}
	return b.Labels()
}

// aggregate takes one series into its group. Called with mu held.
func (v *evaluation) aggregate(ls labels.Labels, values []float64) error {
	g, err := v.groupOf(ls)
	if err != nil {
		return err
	}
	op := v.part.agg.Op
	for i, x := range values {
		if isNone(x) {
			continue
		}
		g.count[i]++
		first := g.count[i] == 1
		switch op {
		case parser.SUM, parser.AVG:
			if first {
				g.sum[i] = x
				break
			}
			g.sum[i], g.carry[i] = kahan(x, g.sum[i], g.carry[i])
			if op == parser.AVG && math.IsInf(g.sum[i], 0) {
				return errNotPushed // the engine has another way for such
			}
		case parser.MIN:
			if first || x < g.sum[i] || math.IsNaN(g.sum[i]) {
				g.sum[i] = x
			}
		case parser.MAX:
			if first || x > g.sum[i] || math.IsNaN(g.sum[i]) {
				g.sum[i] = x
			}
		}
	}
	return nil
}

// kahan adds with Neumaier's compensation, as the engine does.
func kahan(x, sum, carry float64) (float64, float64) {
	t := sum + x
	switch {
	case math.IsInf(t, 0):
		carry = 0
	case math.Abs(sum) >= math.Abs(x):
		carry += (sum - t) + x
	default:
		carry += (x - t) + sum
	}
	return t, carry
}

// finish makes series of the groups.
func (v *evaluation) finish() error {
	for key, g := range v.groups {
		for i, n := range g.count {
			if n == 0 {
				g.count[i] = none
				continue
			}
			switch v.part.agg.Op {
			case parser.SUM:
				g.count[i] = g.sum[i] + g.carry[i]
			case parser.AVG:
				g.count[i] = g.sum[i]/n + g.carry[i]/n
			case parser.MIN, parser.MAX:
				g.count[i] = g.sum[i]
			case parser.GROUP:
				g.count[i] = 1
			}
		}
		delete(v.groups, key)
		if err := v.hold(-len(g.count), -groupBytes*len(g.count)); err != nil {
			return err
		}
		if err := v.emit(g.labels, g.count); err != nil {
			return err
		}
	}
	return nil
}

// kept are the k+1 best values so far of each step, the worst first, and whether there were NaNs.
type kept struct {
	best [][]float64
	nan  []bool
}

// tied tells whether series were equal where topk or bottomk had to choose: which the engine chooses depends on all the
// others. Called when all has been read.
func (v *evaluation) tied() bool {
	for _, x := range v.kept {
		for i, h := range x.best {
			if n := len(h); n == v.part.keep.k+1 && h[0] == h[1] || n < v.part.keep.k && x.nan[i] {
				return true
			}
		}
	}
	return false
}

// needed tells whether topk or bottomk may choose a series at some step. Called with mu held.
func (v *evaluation) needed(ls labels.Labels, values []float64) (bool, error) {
	k := v.part.keep
	key := string(grouped(ls, k.grouping, k.without).Bytes(nil))
	x := v.kept[key]
	if x == nil {
		x = &kept{make([][]float64, len(values)), make([]bool, len(values))}
		v.kept[key] = x
		if err := v.hold(0, 24*len(values)); err != nil {
			return false, err
		}
	}
	needed, more := false, 0
	for i, value := range values {
		if isNone(value) {
			continue
		}
		h := x.best[i]
		value *= k.sign
		switch {
		case math.IsNaN(value): // comes last
			x.nan[i], needed = true, needed || len(h) < k.k
		case len(h) <= k.k:
			needed = true
			more++
			at, _ := slices.BinarySearch(h, value)
			x.best[i] = slices.Insert(h, at, value)
		case value >= h[0]:
			needed = true
			if at, _ := slices.BinarySearch(h, value); at > 0 {
				copy(h, h[1:at])
				h[at-1] = value
			}
		}
	}
	return needed, v.hold(more, 8*more)
}
