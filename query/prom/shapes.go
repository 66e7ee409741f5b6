package prom

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// shape is one row of metric_distributions. Its slices are the reader's and hold until the next row.
type shape struct {
	entry          int // position in picked.entries
	t, start       int64
	flags          uint8
	count, zero    uint64
	sum, threshold float64
	bounds, values []float64
	counts         []uint64
	negative       []uint64
	scale          int8
	offset         int32
	negativeOffset int32
}

func (s *shape) stale() bool { return s.flags&FlagStale != 0 }

// shapes reads the distributions of the picked series and calls each for every one, in no order.
func (q *querier) shapes(ctx context.Context, p picked, w window, each func(*shape) error) error {
	var series, count, zero proto.ColUInt64
	var ts, start proto.ColInt64
	var flags proto.ColUInt8
	var scale proto.ColInt8
	var offset, negativeOffset proto.ColInt32
	var sum, threshold proto.ColFloat64
	bounds, values := floatArray{}, floatArray{}
	counts, negative := countArray{}, countArray{}
	cond, params, chosen := q.bounds(p, w)
	at := places(p.entries)
	st := statement{params: params, chosen: chosen, result: proto.Results{
		{Name: "series", Data: &series}, {Name: "t", Data: &ts}, {Name: "s", Data: &start}, {Name: "flags", Data: &flags}, {Name: "count", Data: &count}, {Name: "sum", Data: &sum},
		{Name: "bounds", Data: bounds.init()}, {Name: "values", Data: values.init()}, {Name: "counts", Data: counts.init()}}}
	st.sql = "SELECT series, toUnixTimestamp64Milli(ts) AS t, toUnixTimestamp64Milli(start_ts) AS s, flags, count, sum, bounds, values, counts"
	natives := p.kind == kindNative || p.kind == kindExact
	if natives {
		st.sql += ", negative_counts, scale, zero_count, zero_threshold, positive_offset, negative_offset"
		st.result = append(st.result, proto.Results{{Name: "negative_counts", Data: negative.init()}, {Name: "scale", Data: &scale}, {Name: "zero_count", Data: &zero},
			{Name: "zero_threshold", Data: &threshold}, {Name: "positive_offset", Data: &offset}, {Name: "negative_offset", Data: &negativeOffset}}...)
	}
	st.sql += " FROM {{metric_distributions}} WHERE " + cond
	st.block = func() error {
		for i, fp := range series {
			e, ok := at[fp]
			if !ok {
				continue
			}
			s := shape{entry: e, t: ts[i], start: start[i], flags: flags[i], count: count[i], sum: sum[i], bounds: bounds.row(i), values: values.row(i), counts: counts.row(i)}
			if natives {
				s.negative, s.scale, s.zero, s.threshold = negative.row(i), scale[i], zero[i], threshold[i]
				s.offset, s.negativeOffset = offset[i], negativeOffset[i]
			}
			if err := each(&s); err != nil {
				return err
			}
		}
		return nil
	}
	return q.e.columns.run(ctx, st)
}

// floatArray is a column of arrays that is read without copying.
type floatArray struct {
	data proto.ColFloat64
	col  *proto.ColArr[float64]
}

func (a *floatArray) init() *proto.ColArr[float64] {
	a.col = proto.NewArray[float64](&a.data)
	return a.col
}

func (a *floatArray) row(i int) []float64 { return a.data[from(a.col.Offsets, i):a.col.Offsets[i]] }

type countArray struct {
	data proto.ColUInt64
	col  *proto.ColArr[uint64]
}

func (a *countArray) init() *proto.ColArr[uint64] {
	a.col = proto.NewArray[uint64](&a.data)
	return a.col
}

func (a *countArray) row(i int) []uint64 { return a.data[from(a.col.Offsets, i):a.col.Offsets[i]] }

func from(offsets []uint64, i int) uint64 {
	if i == 0 {
		return 0
	}
	return offsets[i-1]
}

// spread is the series that one distribution is spread over, by bound or quantile.
type spread struct {
	keys   []float64 // of the row before
	places []*points // beside keys
	all    map[float64]*points
}

// at are the points of each key, made where they are new.
func (s *spread) at(keys []float64) []*points {
	if slices.Equal(s.keys, keys) && s.places != nil {
		return s.places
	}
	if s.all == nil {
		s.all = map[float64]*points{}
	}
	s.keys, s.places = slices.Clone(keys), make([]*points, len(keys))
	for i, k := range keys {
		if s.all[k] == nil {
			s.all[k] = &points{}
		}
		s.places[i] = s.all[k]
	}
	return s.places
}

func (p *points) add(t, start int64, v float64) {
	p.t, p.start, p.v = append(p.t, t), append(p.start, start), append(p.v, v)
}

// finish orders the points of a series that was gathered row by row.
func (p *points) finish(delta bool, w window) {
	for i := 1; i < len(p.t); i++ {
		if p.t[i] <= p.t[i-1] {
			p.sort()
			break
		}
	}
	if delta {
		p.accumulate(w)
	}
}

// buckets reads explicit histograms as cumulative buckets, a series a bound.
func (q *querier) buckets(ctx context.Context, p picked, w window, labelsOnly bool, matchers []*labels.Matcher) ([]*series, error) {
	spreads := make([]spread, len(p.entries))
	var keys []float64
	add := func(s *shape) error {
		keys = append(append(keys[:0], s.bounds...), math.Inf(1))
		places := spreads[s.entry].at(keys)
		if err := q.take(int64(len(keys)), int64(len(keys))*24); err != nil {
			return err
		}
		cumulative := uint64(0)
		for i, at := range places {
			v := float64(s.count)
			if i < len(s.counts) && i < len(s.bounds) {
				cumulative += s.counts[i]
				v = float64(cumulative)
			}
			if s.stale() {
				v = math.Float64frombits(value.StaleNaN)
			}
			at.add(s.t, s.start, v)
		}
		return nil
	}
	if labelsOnly {
		if err := q.bounded(ctx, p, w, func(s *shape) error {
			spreads[s.entry].at(append(slices.Clone(s.bounds), math.Inf(1)))
			return nil
		}); err != nil {
			return nil, err
		}
	} else if err := q.shapes(ctx, p, w, add); err != nil {
		return nil, err
	}
	return q.spreadSeries(p, w, spreads, model.BucketLabel, matchers), nil
}

// quantiles reads summaries, a series a quantile.
func (q *querier) quantiles(ctx context.Context, p picked, w window, labelsOnly bool, matchers []*labels.Matcher) ([]*series, error) {
	spreads := make([]spread, len(p.entries))
	add := func(s *shape) error {
		if err := q.take(int64(len(s.bounds)), int64(len(s.bounds))*24); err != nil {
			return err
		}
		for i, at := range spreads[s.entry].at(s.bounds) {
			v := math.NaN()
			if i < len(s.values) {
				v = s.values[i]
			}
			if s.stale() {
				v = math.Float64frombits(value.StaleNaN)
			}
			at.add(s.t, s.start, v)
		}
		return nil
	}
	read := q.shapes
	if labelsOnly {
		read, add = q.bounded, func(s *shape) error {
			spreads[s.entry].at(s.bounds)
			return nil
		}
	}
	if err := read(ctx, p, w, add); err != nil {
		return nil, err
	}
	return q.spreadSeries(p, w, spreads, model.QuantileLabel, matchers), nil
}

// bounded reads which bounds there are, once a series.
func (q *querier) bounded(ctx context.Context, p picked, w window, each func(*shape) error) error {
	var series proto.ColUInt64
	bounds := floatArray{}
	cond, params, chosen := q.bounds(p, w)
	at := places(p.entries)
	return q.e.columns.run(ctx, statement{
		sql:    "SELECT DISTINCT series, bounds FROM {{metric_distributions}} WHERE " + cond,
		params: params, chosen: chosen, result: proto.Results{{Name: "series", Data: &series}, {Name: "bounds", Data: bounds.init()}},
		block: func() error {
			for i, fp := range series {
				if e, ok := at[fp]; ok {
					if err := each(&shape{entry: e, bounds: bounds.row(i)}); err != nil {
						return err
					}
				}
			}
			return nil
		},
	})
}

// spreadSeries names the series of distributions by bound or quantile and keeps those that are asked for.
func (q *querier) spreadSeries(p picked, w window, spreads []spread, label string, matchers []*labels.Matcher) []*series {
	var asked []*labels.Matcher
	for _, m := range matchers {
		if m.Name == label {
			asked = append(asked, m)
		}
	}
	delta := p.temporality == "delta" && label == model.BucketLabel
	var out []*series
	b := labels.NewBuilder(labels.EmptyLabels())
	for i := range spreads {
		for key, points := range spreads[i].all {
			text := strconv.FormatFloat(key, 'f', -1, 64)
			if slices.ContainsFunc(asked, func(m *labels.Matcher) bool { return !m.Matches(text) }) {
				continue
			}
			b.Reset(p.entries[i].labels)
			b.Set(model.MetricNameLabel, p.name)
			b.Set(label, text)
			points.finish(delta, w)
			if !q.e.o.StartTimestamps {
				points.start = nil
			}
			out = append(out, &series{labels: b.Labels(), points: *points})
		}
	}
	return out
}
