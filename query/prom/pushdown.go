package prom

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Hot shapes are pushed down: where an expression holds a function over a range of a metric, or the metric itself, alone
// or under an aggregation, that part is evaluated while its samples are read, a few series at a time, so that neither the
// samples nor the steps of all series are ever held. ClickHouse is asked for no more than the samples that some step
// looks at. The part is then replaced by a metric that has its values at the steps, and Prometheus' engine goes on from
// there: over one value a step and group, where it would have had every sample. The functions are the engine's own, so
// that the answers are.
//
// What cannot be had that way (native histograms, summaries, several metrics whose series share their labels) shows when
// it is read; the engine then evaluates the whole expression itself.

// errNotPushed sends a question back to the engine.
var errNotPushed = errors.New("cannot be pushed down")

// plan is an expression whose hot parts have been replaced.
type plan struct {
	e     *Engine
	text  string
	parts map[string]*pushed // by the name that stands for them

	start, end, step int64 // ms
}

// pushed is one part: an optional aggregation of an optional function of a selector.
type pushed struct {
	agg    *parser.AggregateExpr // nil: none
	call   *parser.Call          // nil: the samples themselves
	matrix *parser.MatrixSelector
	vector *parser.VectorSelector
	args   []float64 // numbers of call beside the range
	keep   *keepK    // the part stands under topk or bottomk
}

// keepK is what decides which series topk and bottomk may need.
type keepK struct {
	k        int
	sign     float64 // -1: bottomk
	grouping []string
	without  bool
}

// overRanges are the functions that are pushed down; each takes one range, and after or before it numbers.
var overRanges = map[string]bool{
	"rate": true, "increase": true, "delta": true, "irate": true, "idelta": true, "deriv": true, "changes": true, "resets": true,
	"avg_over_time": true, "sum_over_time": true, "min_over_time": true, "max_over_time": true, "count_over_time": true, "last_over_time": true,
	"present_over_time": true, "stddev_over_time": true, "stdvar_over_time": true, "quantile_over_time": true, "predict_linear": true,
}

var aggregations = map[parser.ItemType]bool{parser.SUM: true, parser.AVG: true, parser.MIN: true, parser.MAX: true, parser.COUNT: true, parser.GROUP: true}

// byShape are functions for which it matters what their argument looks like, not only what its value is.
var byShape = map[string]bool{"timestamp": true, "absent": true, "absent_over_time": true, "info": true}

// plan finds what of an expression can be pushed down; nil if nothing is.
func (e *Engine) plan(expr string, start, end time.Time, step time.Duration) *plan {
	if e.o.StartTimestamps { // of which nothing is known here
		return nil
	}
	tree, err := e.parser.ParseExpr(expr)
	if err != nil {
		return nil
	}
	p := &plan{e: e, text: expr, parts: map[string]*pushed{}, start: start.UnixMilli(), end: end.UnixMilli(), step: max(step.Milliseconds(), 1)}
	p.visit(tree, nil)
	if len(p.parts) == 0 {
		return nil
	}
	if _, err := e.parser.ParseExpr(p.text); err != nil {
		return nil
	}
	return p
}

// pushDown answers an expression with its hot parts pushed down, or with errNotPushed. A step of zero asks for one moment.
func (e *Engine) pushDown(ctx context.Context, expr string, start, end time.Time, step time.Duration) (*Answer, error) {
	p := e.plan(expr, start, end, step)
	if p == nil || !p.heavy(ctx) {
		return nil, errNotPushed
	}
	q, err := e.prepare(ctx, p, nil, p.text, start, end, step)
	if err != nil {
		return nil, errNotPushed
	}
	return finish(ctx, q)
}

// visit replaces what can be pushed down at or below a node.
func (p *plan) visit(n parser.Node, above *keepK) {
	if part := pushable(n); part != nil {
		part.keep = above
		p.replace(n, part)
		return
	}
	switch n := n.(type) {
	case *parser.SubqueryExpr, *parser.StepInvariantExpr, *parser.MatrixSelector:
		return // evaluated at other steps
	case *parser.Call:
		if byShape[n.Func.Name] {
			return
		}
	case *parser.ParenExpr:
		p.visit(n.Expr, above)
		return
	case *parser.AggregateExpr:
		if k, ok := n.Param.(*parser.NumberLiteral); ok && (n.Op == parser.TOPK || n.Op == parser.BOTTOMK) && k.Val >= 1 && k.Val <= 1000 {
			keep := &keepK{k: int(k.Val), sign: 1, grouping: n.Grouping, without: n.Without}
			if n.Op == parser.BOTTOMK {
				keep.sign = -1
			}
			p.visit(n.Expr, keep)
			return
		}
	}
	for c := range parser.ChildrenIter(n) {
		p.visit(c, nil)
	}
}

// replace puts a name in the place of a node, and blanks up to where it ended: what stands behind it stays where it was,
// and so do the positions in warnings.
func (p *plan) replace(n parser.Node, part *pushed) {
	at := n.PositionRange()
	from, to := int(at.Start), int(at.End)
	name := fmt.Sprintf("_%d", len(p.parts))
	if from < 0 || to > len(p.text) || to-from < len(name) {
		return
	}
	p.text = p.text[:from] + name + strings.Repeat(" ", to-from-len(name)) + p.text[to:]
	p.parts[name] = part
}

// pushable recognises a part.
func pushable(n parser.Node) *pushed {
	part := &pushed{}
	if agg, ok := n.(*parser.AggregateExpr); ok {
		if !aggregations[agg.Op] || agg.Param != nil {
			return nil
		}
		part.agg, n = agg, agg.Expr
		for {
			paren, ok := n.(*parser.ParenExpr)
			if !ok {
				break
			}
			n = paren.Expr
		}
	}
	switch n := n.(type) {
	case *parser.Call:
		if !overRanges[n.Func.Name] || !part.ranges(n) {
			return nil
		}
		part.call = n
	case *parser.VectorSelector:
		part.vector = n
	default:
		return nil
	}
	v := part.vector
	if v.Timestamp != nil || v.StartOrEnd != 0 || v.Anchored || v.Smoothed || v.OriginalOffsetExpr != nil || named(v) == "" {
		return nil
	}
	v.Offset = v.OriginalOffset // where the functions look for it
	return part
}

// ranges reads the arguments of a function.
func (p *pushed) ranges(call *parser.Call) bool {
	for _, arg := range call.Args {
		switch a := arg.(type) {
		case *parser.MatrixSelector:
			v, ok := a.VectorSelector.(*parser.VectorSelector)
			if !ok || p.matrix != nil || a.RangeExpr != nil {
				return false
			}
			p.matrix, p.vector = a, v
		case *parser.NumberLiteral:
			p.args = append(p.args, a.Val)
		default:
			return false
		}
	}
	return p.matrix != nil
}

// named is the metric that a selector asks for by its name and nothing else, "" if there is none.
func named(v *parser.VectorSelector) string {
	name := ""
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			continue
		}
		if m.Type != labels.MatchEqual || name != "" {
			return ""
		}
		name = m.Value
	}
	return name
}

// window is the time that samples of a part may have.
func (p *plan) window(part *pushed) window {
	offset := part.vector.OriginalOffset.Milliseconds()
	return window{p.start - offset - p.span(part) + 1, p.end - offset}
}

// span is how far back a step looks, in milliseconds. Its beginning is not part of it.
func (p *plan) span(part *pushed) int64 {
	if part.matrix != nil {
		return part.matrix.Range.Milliseconds()
	}
	return p.e.o.Lookback.Milliseconds()
}

func (p *plan) steps() int { return int((p.end-p.start)/p.step) + 1 }

// Querier makes a plan a storage.Queryable.
func (p *plan) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := p.e.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return &planQuerier{Querier: q, plan: p, own: q.(*querier)}, nil
}

// planQuerier answers the names that stand for parts itself.
type planQuerier struct {
	storage.Querier
	own  *querier
	plan *plan
}

// Select implements storage.Querier.
func (q *planQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var part *pushed
	if len(matchers) == 1 && matchers[0].Name == model.MetricNameLabel {
		part = q.plan.parts[matchers[0].Value]
	}
	if part == nil {
		return q.Querier.Select(ctx, sorted, hints, matchers...)
	}
	set := &pushedSet{seriesSet: seriesSet{done: make(chan struct{}), at: -1}}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(q.own.closed, cancel)
	q.own.wg.Go(func() {
		defer close(set.done)
		defer cancel()
		v := &evaluation{plan: q.plan, part: part, own: q.own}
		set.all, set.err = v.run(ctx)
		set.notes = v.notes
	})
	return set
}

type pushedSet struct {
	seriesSet
	notes annotations.Annotations
}

// Warnings implements storage.SeriesSet.
func (s *pushedSet) Warnings() annotations.Annotations {
	<-s.done
	return s.notes
}

// heavy tells whether a plan is worth it: whether a part looks at many samples, as far as one can tell beforehand.
func (p *plan) heavy(ctx context.Context) bool {
	for _, part := range p.parts {
		w := p.window(part)
		chosen, err := p.e.index.choose(ctx, w.from, w.to, part.vector.LabelMatchers)
		if err != nil {
			return false
		}
		n := 0
		for _, c := range chosen {
			if c.kind == kindBucket {
				n += (usualBuckets - 1) * len(c.entries)
			}
			n += len(c.entries)
		}
		if int64(n)*(w.to-w.from)/usualInterval >= p.e.pushFrom {
			return true
		}
	}
	return false
}

const (
	// usualInterval is how many milliseconds usually lie between two samples of a series.
	usualInterval = 15_000
	// pushFrom is how many samples a part must look at to be pushed down. Fewer are read as quickly whole.
	pushFrom = 50_000
)

// scratch of evaluations.
var chunks = sync.Pool{New: func() any { return new(chunk) }}
