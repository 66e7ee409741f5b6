package prom

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// budget is what one question may still load.
type budget struct {
	samples atomic.Int64
	bytes   atomic.Int64
}

// ErrTooManyBytes is the answer to a question whose samples take more memory than one question may.
type ErrTooManyBytes struct{ Max int64 }

func (e ErrTooManyBytes) Error() string {
	return fmt.Sprintf("query processing would load more than %d bytes of samples into memory in query execution: choose fewer series or less time, or raise --prom-max-bytes", e.Max)
}

// take counts samples of so many bytes in all.
func (q *querier) take(samples, bytes int64) error {
	if q.budget.samples.Add(samples) > int64(q.e.o.MaxSamples) {
		return promql.ErrTooManySamples("query execution")
	}
	if q.budget.bytes.Add(bytes) > q.e.o.MaxBytes {
		return ErrTooManyBytes{q.e.o.MaxBytes}
	}
	return nil
}

// histogramSample is one native histogram: either of the two.
type histogramSample struct {
	t, start int64
	i        *histogram.Histogram
	f        *histogram.FloatHistogram
}

// points are the samples of one series in the order of time: floats and native histograms beside each other.
type points struct {
	t      []int64
	v      []float64
	start  []int64 // beside t, or nil
	shapes []histogramSample
}

// run is a piece of a series as it came from the store: in the order of time.
type run struct {
	t     []int64
	v     []float64
	start []int64
}

// gathered are the runs of a series.
type gathered struct {
	runs    []run
	shaped  bool // there are native histograms
	samples int
}

// points joins the runs, the first sample of a time wins.
func (g *gathered) points() points {
	if len(g.runs) == 0 {
		return points{}
	}
	if len(g.runs) == 1 {
		r := g.runs[0]
		return points{t: r.t, v: r.v, start: r.start}
	}
	slices.SortStableFunc(g.runs, func(a, b run) int { return cmp.Compare(a.t[0], b.t[0]) })
	p := points{t: make([]int64, 0, g.samples), v: make([]float64, 0, g.samples)}
	if g.runs[0].start != nil {
		p.start = make([]int64, 0, g.samples)
	}
	ordered := true
	for i, r := range g.runs {
		ordered = ordered && (i == 0 || r.t[0] > p.t[len(p.t)-1])
		p.t, p.v = append(p.t, r.t...), append(p.v, r.v...)
		if p.start != nil {
			p.start = append(p.start, r.start...)
		}
	}
	if !ordered {
		p.sort()
	}
	return p
}

// sort puts floats in the order of time and drops all but the first of the same time.
func (p *points) sort() {
	order := make([]int, len(p.t))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.t[a], p.t[b]) })
	s := points{t: make([]int64, 0, len(p.t)), v: make([]float64, 0, len(p.t)), shapes: p.shapes}
	for _, i := range order {
		if n := len(s.t); n > 0 && s.t[n-1] == p.t[i] {
			continue
		}
		s.t, s.v = append(s.t, p.t[i]), append(s.v, p.v[i])
		if p.start != nil {
			s.start = append(s.start, p.start[i])
		}
	}
	*p = s
}

func (p *points) sortShapes() {
	slices.SortStableFunc(p.shapes, func(a, b histogramSample) int { return cmp.Compare(a.t, b.t) })
	p.shapes = slices.CompactFunc(p.shapes, func(a, b histogramSample) bool { return a.t == b.t })
}

// merge adds the samples of another series with the same labels, such as the same process started again.
func (p *points) merge(o points) {
	if len(o.t) > 0 {
		if (p.start == nil) != (o.start == nil) {
			p.start, o.start = nil, nil
		}
		ordered := len(p.t) == 0 || o.t[0] > p.t[len(p.t)-1]
		p.t, p.v = append(slices.Clip(p.t), o.t...), append(slices.Clip(p.v), o.v...)
		if o.start != nil {
			p.start = append(slices.Clip(p.start), o.start...)
		}
		if !ordered {
			p.sort()
		}
	}
	if len(o.shapes) > 0 {
		p.shapes = append(slices.Clip(p.shapes), o.shapes...)
		p.sortShapes()
	}
}

// Flags of a row of metric_samples or metric_distributions.
const (
	FlagStale uint8 = 1 << 0 // the series ended
	FlagShape uint8 = 1 << 1 // the sample is a native histogram; in metric_distributions: laid out as remote write does
	FlagFloat uint8 = 1 << 2 // its counts are the bits of floats
	HintShift       = 3      // two bits: the counter reset hint
)

// maxInline is how many series are named in the text of a statement; more are sent beside it, as a table.
const maxInline = 500

// bounds are the conditions on time and series that all readers share; both ends are included.
func (q *querier) bounds(p picked, w window) (sql string, params map[string]any, chosen []uint64) {
	sql = fmt.Sprintf("name = {name:String} AND ts >= fromUnixTimestamp64Milli(toInt64(%d)) AND ts <= fromUnixTimestamp64Milli(toInt64(%d))", w.from, w.to)
	switch {
	case p.whole:
	case len(p.entries) <= maxInline:
		list := make([]byte, 0, 21*len(p.entries))
		for i, e := range p.entries {
			if i > 0 {
				list = append(list, ',')
			}
			list = strconv.AppendUint(list, e.fingerprint, 10)
		}
		sql += " AND series IN (" + string(list) + ")"
	default:
		sql += " AND series IN (SELECT fingerprint FROM chosen)"
		chosen = make([]uint64, len(p.entries))
		for i, e := range p.entries {
			chosen[i] = e.fingerprint
		}
	}
	return sql, map[string]any{"name": p.stored}, chosen
}

// places maps fingerprints to positions in entries.
func places(entries []*entry) map[uint64]int {
	at := make(map[uint64]int, len(entries))
	for i, e := range entries {
		at[e.fingerprint] = i
	}
	return at
}

// column is where floats are read from.
type column struct{ table, value string }

var (
	sampleColumn = column{"metric_samples", "value"}
	sumColumn    = column{"metric_distributions", "sum"}
	countColumn  = column{"metric_distributions", "toFloat64(count)"}
)

// floats reads the samples of the picked series, one element for each entry.
func (q *querier) floats(ctx context.Context, p picked, w window, c column, starts bool) ([]gathered, error) {
	var series proto.ColUInt64
	var ts, start proto.ColInt64
	var values proto.ColFloat64
	var flags proto.ColUInt8
	cond, params, chosen := q.bounds(p, w)
	at, out := places(p.entries), make([]gathered, len(p.entries))
	st := statement{sql: "SELECT series, toUnixTimestamp64Milli(ts) AS t, " + c.value + " AS v, flags", params: params, chosen: chosen,
		result: proto.Results{{Name: "series", Data: &series}, {Name: "t", Data: &ts}, {Name: "v", Data: &values}, {Name: "flags", Data: &flags}}}
	if starts {
		st.sql += ", toUnixTimestamp64Milli(start_ts) AS s"
		st.result = append(st.result, proto.ResultColumn{Name: "s", Data: &start})
	}
	st.sql += " FROM {{" + c.table + "}} WHERE " + cond
	st.block = func() error {
		n := len(series)
		if err := q.take(int64(n), int64(n)*int64(16)); err != nil {
			return err
		}
		t, v := append([]int64(nil), ts...), append([]float64(nil), values...)
		var s []int64
		if starts {
			s = append([]int64(nil), start...)
		}
		for i, f := range flags {
			if f&FlagStale != 0 {
				v[i] = math.Float64frombits(value.StaleNaN)
			}
		}
		for from := 0; from < n; {
			to := from + 1
			shape := flags[from]&FlagShape != 0
			for to < n && series[to] == series[from] && (flags[to]&FlagShape != 0) == shape && (shape || t[to] > t[to-1]) {
				to++
			}
			if i, ok := at[series[from]]; ok {
				g := &out[i]
				if shape {
					g.shaped = true
				} else {
					r := run{t: t[from:to:to], v: v[from:to:to]}
					if starts {
						r.start = s[from:to:to]
					}
					g.runs, g.samples = append(g.runs, r), g.samples+to-from
				}
			}
			from = to
		}
		return nil
	}
	return out, q.e.columns.run(ctx, st)
}

// series is one series of an answer.
type series struct {
	labels labels.Labels
	points points
}

func (s *series) Labels() labels.Labels { return s.labels }

func (s *series) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	own, ok := it.(*iterator[int64])
	if !ok {
		own = &iterator[int64]{}
	}
	*own = iterator[int64]{p: &s.points, f: -1, h: -1}
	return own
}

var _ storage.Series = (*series)(nil)

// iterator walks over floats and histograms in the order of time. T is int64: vet takes a Seek of an int64 for a
// mistaken io.Seeker.
type iterator[T ~int64] struct {
	p    *points
	f, h int // the positions reached in both; the current sample is the one that at tells
	at   chunkenc.ValueType
}

func (it *iterator[T]) Next() chunkenc.ValueType {
	f, h := it.f, it.h
	switch it.at {
	case chunkenc.ValNone:
		if f < 0 {
			f, h = 0, 0
		}
	case chunkenc.ValFloat:
		f++
	default:
		h++
	}
	return it.set(f, h)
}

// set stands at the earlier of a float and a histogram.
func (it *iterator[T]) set(f, h int) chunkenc.ValueType {
	it.f, it.h = f, h
	floats, shapes := f < len(it.p.t), h < len(it.p.shapes)
	if floats && shapes && it.p.t[f] == it.p.shapes[h].t { // one sample a time: the histogram
		f++
		it.f = f
		floats = f < len(it.p.t)
	}
	switch {
	case floats && (!shapes || it.p.t[f] < it.p.shapes[h].t):
		it.at = chunkenc.ValFloat
	case shapes && it.p.shapes[h].i != nil:
		it.at = chunkenc.ValHistogram
	case shapes:
		it.at = chunkenc.ValFloatHistogram
	default:
		it.at = chunkenc.ValNone
	}
	return it.at
}

func (it *iterator[T]) Seek(to T) chunkenc.ValueType {
	t := int64(to)
	if it.at != chunkenc.ValNone && it.AtT() >= t {
		return it.at
	}
	f, h := max(it.f, 0), max(it.h, 0)
	// Steps are short next to the whole: a few samples are looked at before the rest is halved.
	for n := 0; f < len(it.p.t) && it.p.t[f] < t; n++ {
		if f++; n == 8 {
			skip, _ := slices.BinarySearch(it.p.t[f:], t)
			f += skip
			break
		}
	}
	for h < len(it.p.shapes) && it.p.shapes[h].t < t {
		h++
	}
	return it.set(f, h)
}

func (it *iterator[T]) At() (int64, float64) { return it.p.t[it.f], it.p.v[it.f] }

func (it *iterator[T]) AtT() int64 {
	if it.at == chunkenc.ValFloat {
		return it.p.t[it.f]
	}
	return it.p.shapes[it.h].t
}

func (it *iterator[T]) AtST() int64 {
	if it.at != chunkenc.ValFloat {
		return it.p.shapes[it.h].start
	}
	if it.p.start == nil {
		return 0
	}
	return it.p.start[it.f]
}

func (it *iterator[T]) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	s := &it.p.shapes[it.h]
	if h == nil {
		return s.t, s.i.Copy()
	}
	s.i.CopyTo(h)
	return s.t, h
}

func (it *iterator[T]) AtFloatHistogram(f *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	s := &it.p.shapes[it.h]
	if s.i != nil {
		return s.t, s.i.ToFloat(f)
	}
	if f == nil {
		return s.t, s.f.Copy()
	}
	s.f.CopyTo(f)
	return s.t, f
}

func (it *iterator[T]) Err() error { return nil }
