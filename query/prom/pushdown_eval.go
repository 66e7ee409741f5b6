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
	"github.com/prometheus/prometheus/schema"
	"github.com/prometheus/prometheus/util/annotations"
)

// evaluation evaluates one part.
type evaluation struct {
	plan *plan
	part *pushed
	own  *querier // whose budget is that of the question

	mu     sync.Mutex
	groups map[string]*group // by their labels; guarded by mu, like all below
	out    []*series
	held   held
	kept   map[string]*kept
	notes  annotations.Annotations
	seen   bool // a series had a value
}

// held is what an evaluation holds in memory: its answer so far, groups, and the best values of topk.
type held struct{ samples, bytes int64 }

// hold counts what is held, or no longer is, against what the question may hold. Called with mu held.
func (v *evaluation) hold(samples, bytes int) error {
	v.held.samples += int64(samples)
	v.held.bytes += int64(bytes)
	return v.own.take(int64(samples), int64(bytes))
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
		if err := v.hold(-int(v.held.samples), -int(v.held.bytes)); err != nil {
			return nil, err
		}
		v.part, v.out = &whole, nil
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

// alone makes sure that what is chosen can be read here, and that no two sources have series that are one for PromQL.
func alone(chosen []picked) error {
	source := map[string]int{} // by labels, where there are several
	for n, p := range chosen {
		if p.virtual != nil || !pushedKinds[p.kind] {
			return errNotPushed
		}
		if len(chosen) == 1 && p.kind != kindBucket {
			continue
		}
		for _, e := range p.entries {
			if p.kind == kindBucket && e.labels.Has(model.BucketLabel) {
				return errNotPushed
			}
			if len(chosen) == 1 {
				continue
			}
			key := string(e.labels.BytesWithoutLabels(nil, model.MetricNameLabel, model.BucketLabel))
			if m, taken := source[key]; taken && m != n {
				return errNotPushed
			}
			source[key] = n
		}
	}
	return nil
}

// pushedKinds are read as floats, or as buckets.
var pushedKinds = map[kind]bool{kindExact: true, kindFloat: true, kindSum: true, kindCount: true, kindBucket: true}

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
	bounds map[float64]string // as le has them
	notes  annotations.Annotations
}

func (v *evaluation) worker() *worker {
	w := &worker{evaluation: v, values: make([]float64, v.plan.steps()), matrix: make(promql.Matrix, 1), bounds: map[float64]string{}}
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
	if v.part.keep != nil {
		if needed, err := v.needed(ls, values); err != nil || !needed {
			return err
		}
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
	v.out = append(v.out, s)
	return v.hold(len(s.points.t), 16*len(s.points.t))
}
