package prom

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// window is a span of time, both ends included, in milliseconds.
type window struct{ from, to int64 }

// earliest and latest are what DateTime64(3) holds and partitions by day tell apart.
const (
	earliest = 0
	latest   = 4102444800000 // 2100-01-01
)

// Querier makes the Engine a storage.Queryable.
func (e *Engine) Querier(mint, maxt int64) (storage.Querier, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return &querier{e: e, w: window{mint, maxt}, closed: ctx, close: cancel, budget: &budget{}}, nil
}

// querier answers the selections of one question. Each selection is read in the background as soon as it is asked
// for, so that those of one question run beside each other, and whole, so that none holds a slot of the store while
// it waits for another.
type querier struct {
	e      *Engine
	w      window
	closed context.Context
	close  context.CancelFunc
	budget *budget
	wg     sync.WaitGroup
}

// Close ends what still runs.
func (q *querier) Close() error {
	q.close()
	q.wg.Wait()
	return nil
}

// Select implements storage.Querier.
func (q *querier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	w := q.w
	if hints != nil {
		w = window{hints.Start, hints.End}
	} else {
		hints = &storage.SelectHints{Start: w.from, End: w.to}
	}
	w = window{max(w.from, earliest), min(w.to, latest)}
	set := &seriesSet{done: make(chan struct{}), at: -1}
	if w.from > w.to {
		close(set.done)
		return set
	}
	asked, cancel := context.WithCancel(ctx)
	context.AfterFunc(q.closed, cancel)
	q.wg.Go(func() {
		defer close(set.done)
		defer cancel()
		if set.all, set.err = q.read(asked, w, hints, matchers); set.err != nil { // whatever it was that ended
			ended := ctx.Err()
			if at, ok := ctx.Deadline(); ended == nil && ok && !time.Now().Before(at) {
				ended = context.DeadlineExceeded // what it waited for noticed before the context did
			}
			switch ended {
			case context.DeadlineExceeded:
				set.err = promql.ErrQueryTimeout("expression evaluation")
			case context.Canceled:
				set.err = promql.ErrQueryCanceled("expression evaluation")
			}
		}
	})
	return set
}

// read chooses series and reads their samples; the answer is sorted by labels, and no two are the same.
func (q *querier) read(ctx context.Context, w window, hints *storage.SelectHints, matchers []*labels.Matcher) ([]*series, error) {
	chosen, err := q.e.index.choose(ctx, w.from, w.to, matchers)
	if err != nil {
		return nil, err
	}
	var all []*series
	for _, p := range chosen {
		some, err := q.readPicked(ctx, p, w, hints, matchers)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if hints.Func == "series" && hints.Limit > 0 && len(all) > hints.Limit {
			break
		}
	}
	return unite(all), nil
}

// unite sorts series and joins those with the same labels.
func unite(all []*series) []*series {
	compare := func(a, b *series) int { return labels.Compare(a.labels, b.labels) }
	if !slices.IsSortedFunc(all, compare) {
		slices.SortStableFunc(all, compare)
	}
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && labels.Equal(out[n-1].labels, s.labels) {
			out[n-1].points.merge(s.points)
			continue
		}
		out = append(out, s)
	}
	return out
}

// readPicked reads the series of one source.
func (q *querier) readPicked(ctx context.Context, p picked, w window, hints *storage.SelectHints, matchers []*labels.Matcher) ([]*series, error) {
	if p.virtual != nil {
		return p.virtual.read(ctx, q, virtualQuestion{p.name, w, hints, matchers})
	}
	if hints.Func == "series" && p.kind != kindBucket && p.kind != kindQuantile { // only the labels are asked for
		out := make([]*series, len(p.entries))
		for i, e := range p.entries {
			out[i] = &series{labels: p.named(e)}
		}
		return out, nil
	}
	switch p.kind {
	case kindSum:
		return q.readFloats(ctx, p, w, sumColumn)
	case kindCount:
		return q.readFloats(ctx, p, w, countColumn)
	case kindBucket:
		return q.buckets(ctx, p, w, hints.Func == "series", matchers)
	case kindQuantile:
		return q.quantiles(ctx, p, w, hints.Func == "series", matchers)
	case kindNative, kindCustom:
		return q.readNatives(ctx, p, w)
	}
	return q.readFloats(ctx, p, w, sampleColumn)
}

// named are the labels of an entry with the name of the source.
func (s *source) named(e *entry) labels.Labels {
	if s.kind == kindExact {
		return e.labels
	}
	b := labels.NewScratchBuilder(e.labels.Len() + 1)
	b.Add(model.MetricNameLabel, s.name)
	e.labels.Range(func(l labels.Label) { b.Add(l.Name, l.Value) })
	b.Sort()
	return b.Labels()
}

func (q *querier) readFloats(ctx context.Context, p picked, w window, c column) ([]*series, error) {
	delta := p.temporality == "delta"
	found, err := q.floats(ctx, p, w, c, delta || q.e.o.StartTimestamps)
	if err != nil {
		return nil, err
	}
	out := make([]*series, 0, len(found))
	var shaped picked
	var places []*series
	for i := range found {
		g := &found[i]
		if len(g.runs) == 0 && !g.shaped {
			continue
		}
		s := &series{labels: p.named(p.entries[i]), points: g.points()}
		if delta {
			s.points.accumulate(w)
		}
		if g.shaped {
			shaped.entries, places = append(shaped.entries, p.entries[i]), append(places, s)
		}
		out = append(out, s)
	}
	if len(shaped.entries) == 0 {
		return out, nil
	}
	shaped.source = p.source
	shapes, err := q.natives(ctx, shaped, w)
	if err != nil {
		return nil, err
	}
	for i, s := range places {
		s.points.shapes = shapes[i]
	}
	return out, nil
}

// accumulate turns increases into a counter that stands at zero at the beginning of the first increase. What came
// before the window is not known; rates and increases do not ask for it.
func (p *points) accumulate(w window) {
	if len(p.t) == 0 {
		return
	}
	sum := 0.0
	for i, v := range p.v {
		if value.IsStaleNaN(v) {
			continue
		}
		sum += v
		p.v[i] = sum
	}
	begin := p.start[0]
	if begin > 0 && begin >= w.from && begin < p.t[0] {
		p.t, p.v = append([]int64{begin}, p.t...), append([]float64{0}, p.v...)
	}
	p.start = nil
}

// seriesSet waits for what is read in the background.
type seriesSet struct {
	done chan struct{}
	all  []*series
	err  error
	at   int
}

func (s *seriesSet) Next() bool {
	<-s.done
	if s.err != nil || s.at+1 >= len(s.all) {
		return false
	}
	s.at++
	return true
}

func (s *seriesSet) At() storage.Series { return s.all[s.at] }

func (s *seriesSet) Err() error {
	<-s.done
	return s.err
}

func (s *seriesSet) Warnings() annotations.Annotations { return nil }
