package prom

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/schema"
	"github.com/prometheus/prometheus/util/annotations"
)

// evaluation evaluates one part.
type evaluation struct {
	plan *plan
	part *pushed

	mu     sync.Mutex
	groups map[string]*group // by their labels; guarded by mu, like all below
	out    []*series
	points int
	kept   map[string]*kept
	notes  annotations.Annotations
	seen   bool // a series had a value
}

// none stands for a step without a value. No function makes one of samples that are none.
var none = math.Float64frombits(value.StaleNaN)

func isNone(v float64) bool { return math.Float64bits(v) == value.StaleNaN }

// run reads and evaluates; the answer is sorted by labels.
func (v *evaluation) run(ctx context.Context) ([]*series, error) {
	w := v.plan.window(v.part)
	if w.from < earliest || w.to > latest || w.from > w.to {
		return nil, errNotPushed
	}
	chosen, err := v.plan.e.index.choose(ctx, w.from, w.to, v.part.vector.LabelMatchers)
	if err != nil {
		return nil, err
	}
	if err := alone(chosen); err != nil {
		return nil, err
	}
	v.groups, v.kept = map[string]*group{}, map[string]*kept{}
	for _, p := range chosen {
		if err := v.read(ctx, p, w); err != nil {
			return nil, err
		}
	}
	if v.tied() {
		whole := *v.part
		whole.keep = nil
		v.part, v.out, v.points = &whole, nil, 0
		return v.run(ctx)
	}
	if err := v.finish(); err != nil {
		return nil, err
	}
	v.inform()
	slices.SortFunc(v.out, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	for i := 1; i < len(v.out); i++ {
		if labels.Equal(v.out[i-1].labels, v.out[i].labels) {
			return nil, errNotPushed // the engine knows what to say about it
		}
	}
	return v.out, nil
}

// alone makes sure that no two series are one for PromQL, and that all are floats that count or measure.
func alone(chosen []picked) error {
	var before labels.Labels
	for n, p := range chosen {
		if p.virtual != nil || p.kind != kindExact && p.kind != kindFloat || p.temporality == "delta" || n > 0 {
			return errNotPushed
		}
		for i, e := range p.entries { // sorted by labels
			if i > 0 && labels.Equal(before, e.labels) {
				return errNotPushed
			}
			before = e.labels
		}
	}
	return nil
}

// inform adds what the engine says of rates of what may be no counter.
func (v *evaluation) inform() {
	if v.part.call == nil || !v.seen || v.part.call.Func.Name != "rate" && v.part.call.Func.Name != "increase" {
		return
	}
	name := named(v.part.vector)
	for _, suffix := range []string{"_total", "_sum", "_count", "_bucket"} {
		if strings.HasSuffix(name, suffix) {
			return
		}
	}
	v.notes.Add(annotations.NewPossibleNonCounterInfo(name, v.part.matrix.PositionRange()))
}

// worker evaluates series one after the other.
type worker struct {
	*evaluation
	floats []promql.FPoint
	resets []int     // the position of the newest reset up to each of floats, 0 for none
	values []float64 // one a step
	enh    promql.EvalNodeHelper
	matrix promql.Matrix
	args   []promql.Vector
	notes  annotations.Annotations
}

func (v *evaluation) worker() *worker {
	w := &worker{evaluation: v, values: make([]float64, v.plan.steps()), matrix: make(promql.Matrix, 1)}
	w.enh.Out = make(promql.Vector, 0, 1)
	for _, a := range v.part.args {
		w.args = append(w.args, promql.Vector{promql.Sample{F: a}})
	}
	return w
}

// series evaluates the samples of one series into values; false if no step has a value.
func (w *worker) series(ls labels.Labels, t []int64, v []float64) bool {
	if w.part.call == nil {
		return w.instants(t, v)
	}
	w.floats = slices.Grow(w.floats[:0], len(t))
	for i, x := range v {
		if math.Float64bits(x) != value.StaleNaN {
			w.floats = append(w.floats, promql.FPoint{T: t[i], F: x})
		}
	}
	if ok, counter, perSecond := rates(w.part.call.Func.Name); ok {
		return w.rates(counter, perSecond)
	}
	return w.ranges(ls)
}

// instants takes the newest sample at each step.
func (w *worker) instants(t []int64, v []float64) bool {
	p := w.plan
	at := p.start - w.part.vector.OriginalOffset.Milliseconds()
	span, next, any := p.span(w.part), 0, false
	for i := range w.values {
		for next < len(t) && t[next] <= at {
			next++
		}
		w.values[i] = none
		if next > 0 && t[next-1] > at-span && math.Float64bits(v[next-1]) != value.StaleNaN {
			w.values[i], any = v[next-1], true
		}
		at += p.step
	}
	return any
}

// rates are the functions that extrapolate the difference of the last and the first sample.
func rates(function string) (extrapolates, counter, perSecond bool) {
	switch function {
	case "rate":
		return true, true, true
	case "increase":
		return true, true, false
	case "delta":
		return true, false, false
	}
	return false, false, false
}

// extrapolated does what the engine's function does for rate, increase and delta over f, in the same order, but looks
// for resets only where there are some: resetAt, if positive, is the position of the newest one. Steps overlap, so
// that a sample would be looked at many times.
func extrapolated(f []promql.FPoint, begin, end int64, counter, perSecond bool, resetAt int, span float64) (float64, bool) {
	n := len(f) - 1
	if n == 0 {
		return 0, false
	}
	result := f[n].F - f[0].F
	if counter && resetAt > 0 {
		for i, p := range f[1:] {
			if p.F < f[i].F {
				result += f[i].F
			}
		}
	}
	toStart, toEnd := float64(f[0].T-begin)/1000, float64(end-f[n].T)/1000
	sampled := float64(f[n].T-f[0].T) / 1000
	between := sampled / float64(n)
	threshold := between * 1.1
	if toStart >= threshold {
		toStart = between / 2
	}
	if counter {
		toZero := toStart
		if result > 0 && f[0].F >= 0 {
			toZero = sampled * (f[0].F / result)
		}
		if toZero < toStart {
			toStart = toZero
		}
	}
	if toEnd >= threshold {
		toEnd = between / 2
	}
	factor := 1.0
	if sampled != 0 {
		factor = (sampled + toStart + toEnd) / sampled
	}
	if perSecond {
		factor /= span
	}
	return result * factor, true
}

// rates evaluates one of the extrapolating functions at each step.
func (w *worker) rates(counter, perSecond bool) bool {
	p, f := w.plan, w.floats
	w.resets = slices.Grow(w.resets[:0], len(f))[:len(f)]
	last := 0
	for i := range f {
		if i > 0 && f[i].F < f[i-1].F {
			last = i
		}
		w.resets[i] = last
	}
	offset, span, seconds := w.part.vector.OriginalOffset.Milliseconds(), p.span(w.part), w.part.matrix.Range.Seconds()
	from, to, any := 0, 0, false
	for i := range w.values {
		at := p.start + int64(i)*p.step - offset
		w.values[i] = none
		for to < len(f) && f[to].T <= at {
			to++
		}
		for from < to && f[from].T <= at-span {
			from++
		}
		if from == to {
			continue
		}
		resetAt := w.resets[to-1] - from
		if v, ok := extrapolated(f[from:to], at-span, at, counter, perSecond, resetAt, seconds); ok {
			w.values[i], any = v, true
		}
	}
	return any
}

// ranges calls the function at each step.
func (w *worker) ranges(ls labels.Labels) bool {
	p, f := w.plan, w.floats
	function := promql.FunctionCalls[w.part.call.Func.Name]
	offset, span := w.part.vector.OriginalOffset.Milliseconds(), p.span(w.part)
	w.matrix[0].Metric = ls
	from, to, any := 0, 0, false
	for i := range w.values {
		at := p.start + int64(i)*p.step
		w.values[i] = none
		for to < len(f) && f[to].T <= at-offset {
			to++
		}
		for from < to && f[from].T <= at-offset-span {
			from++
		}
		if from == to {
			continue
		}
		w.matrix[0].Floats, w.enh.Ts = f[from:to:to], at
		out, notes := function(w.args, w.matrix, w.part.call.Args, &w.enh)
		if len(notes) > 0 {
			w.notes.Merge(notes)
		}
		if len(out) > 0 {
			w.values[i], any = out[0].F, true
		}
		w.enh.Out = out[:0]
	}
	return any
}

// outward are the labels that the values of a series have. Functions but one take away the name.
func (v *evaluation) outward(ls labels.Labels) labels.Labels {
	if v.part.call == nil || v.part.call.Func.Name == "last_over_time" {
		return ls
	}
	return ls.DropReserved(schema.IsMetadataLabel)
}

// add takes in the values of one series. Called with mu held.
func (v *evaluation) add(ls labels.Labels, values []float64) error {
	v.seen = true
	if v.part.agg != nil {
		return v.aggregate(ls, values)
	}
	if v.part.keep != nil && !v.needed(ls, values) {
		return nil
	}
	return v.emit(ls, values)
}

// emit makes a series of values. Called with mu held.
func (v *evaluation) emit(ls labels.Labels, values []float64) error {
	s := &series{labels: ls}
	present := 0
	for _, x := range values {
		if !isNone(x) {
			present++
		}
	}
	s.points.t, s.points.v = make([]int64, 0, present+present/4), make([]float64, 0, present+present/4)
	gap := true
	for i, x := range values {
		if isNone(x) && gap {
			continue
		}
		gap = isNone(x) // the marker ends what the value before stands for
		s.points.t, s.points.v = append(s.points.t, v.plan.start+int64(i)*v.plan.step), append(s.points.v, x)
	}
	if v.points += len(s.points.t); v.points > v.plan.e.o.MaxSamples {
		return promql.ErrTooManySamples("query execution")
	}
	v.out = append(v.out, s)
	return nil
}

// group is the series of an aggregation that share the labels it groups by.
type group struct {
	labels     labels.Labels
	sum, carry []float64 // or the least or greatest value; carry is what rounding lost
	count      []float64
}

// groupOf finds the group of a series. Called with mu held.
func (v *evaluation) groupOf(ls labels.Labels) *group {
	by := grouped(ls, v.part.agg.Grouping, v.part.agg.Without)
	key := string(by.Bytes(nil))
	g := v.groups[key]
	if g == nil {
		n := v.plan.steps()
		g = &group{labels: by, count: make([]float64, n)}
		switch v.part.agg.Op {
		case parser.SUM, parser.AVG:
			g.sum, g.carry = make([]float64, n), make([]float64, n)
		case parser.MIN, parser.MAX:
			g.sum = make([]float64, n)
		}
		v.groups[key] = g
	}
	return g
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
	g := v.groupOf(ls)
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
	for _, g := range v.groups {
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
func (v *evaluation) needed(ls labels.Labels, values []float64) bool {
	k := v.part.keep
	key := string(grouped(ls, k.grouping, k.without).Bytes(nil))
	x := v.kept[key]
	if x == nil {
		x = &kept{make([][]float64, len(values)), make([]bool, len(values))}
		v.kept[key] = x
	}
	needed := false
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
	return needed
}
