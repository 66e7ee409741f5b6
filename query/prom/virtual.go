package prom

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// virtual is a metric that is made from other tables when it is asked for.
type virtual struct {
	metric
	names []string
	read  func(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error)
}

// virtualQuestion is what is asked of a virtual metric.
type virtualQuestion struct {
	name     string
	w        window
	hints    *storage.SelectHints
	matchers []*labels.Matcher
}

// bare tells that only labels are asked for.
func (v *virtualQuestion) bare() bool { return v.hints.Func == "series" }

// bareWindow is how far back labels of virtual metrics are looked for, in milliseconds.
const bareWindow = 24 * 3600_000

func (e *Engine) virtuals() []*virtual {
	counter := func(names []string, unit, help string, read func(context.Context, *querier, virtualQuestion) ([]*series, error)) *virtual {
		return &virtual{metric{metricKey: metricKey{typ: "sum", monotonic: true, unit: unit}, description: help}, names, read}
	}
	shape := func(name, help string, read func(context.Context, *querier, virtualQuestion) ([]*series, error)) *virtual {
		return &virtual{metric{metricKey: metricKey{typ: "histogram", unit: "seconds"}, description: help}, histogramNames(name), read}
	}
	info := &virtual{metric{metricKey: metricKey{typ: "info"}, description: "Target metadata: the resource attributes of who sends."}, []string{"target_info"}, readTargetInfo}
	return []*virtual{
		info,
		counter([]string{"traces_span_metrics_calls_total"}, "", "Spans, by service, name, kind and status.", readSpanCalls),
		shape("traces_span_metrics_duration_seconds", "How long spans took.", readSpanDurations),
		counter([]string{"traces_service_graph_request_total"}, "", "Calls between services, and to databases, queues and others.", readEdgeCalls),
		counter([]string{"traces_service_graph_request_failed_total"}, "", "Calls between services that failed.", readEdgeCalls),
		shape("traces_service_graph_request_client_seconds", "How long calls between services took, as their callers saw it.", readEdgeDurations),
		counter([]string{"log_records_total"}, "", "Log records, by service and severity.", readLogCounts),
	}
}

// histogramNames are the names of a histogram: the native one, and the classic parts.
func histogramNames(name string) []string {
	return []string{name, name + "_bucket", name + "_sum", name + "_count"}
}

// grid is how increases lie in time: step i ends at from + (i+1)·step. Times are milliseconds.
type grid struct {
	from, step int64
	n          int
}

// quietSteps is for how long a counter that no longer grows is still shown, in milliseconds.
const quietFor = 600_000

// lay divides a window into steps; a step that is not over at its end is left out.
func lay(w window, step int64) grid {
	from := w.from / step * step
	return grid{from, step, int(max(0, (w.to-from)/step))}
}

func (g grid) index(t int64) int { return int((t - g.from) / g.step) }

// span are the first and last step of a counter that grew from step first to last.
func (g grid) span(first, last int) (from, to int) {
	return first, min(g.n-1, last+int(quietFor/g.step))
}

// grown are the increases of one counter by step.
type grown map[int]float64

// counter makes a counter of increases: it stands at zero where it begins to grow.
func (g grid) counter(by grown) points {
	if len(by) == 0 {
		return points{}
	}
	first, last := math.MaxInt, 0
	for i := range by {
		first, last = min(first, i), max(last, i)
	}
	from, to := g.span(first, last)
	p := points{t: make([]int64, 0, to-from+2), v: make([]float64, 0, to-from+2)}
	p.t, p.v = append(p.t, g.from+int64(from)*g.step), append(p.v, 0)
	sum := 0.0
	for i := from; i <= to; i++ {
		sum += by[i]
		p.t, p.v = append(p.t, g.from+int64(i+1)*g.step), append(p.v, sum)
	}
	return p
}

// chooseStep picks a resolution, in milliseconds, of those kept: the coarsest that has a few points in each range
// vector, and in each step where the window is long.
func chooseStep(v virtualQuestion, now time.Time) int64 {
	const second, minute, hour = 1000, 60_000, 3600_000
	width := v.hints.Range
	if width == 0 {
		width = 5 * minute
		if v.w.to-v.w.from <= 3*hour {
			width = minute
		}
	}
	tooOld := func(days int64) bool { return v.w.from < now.UnixMilli()-days*24*hour }
	switch {
	case width >= 4*hour || tooOld(30):
		return hour
	case width >= 4*minute || tooOld(3):
		return minute
	}
	return 10 * second
}

// The buckets of durations that classic histograms show: powers of two of nanoseconds, which the rollups' buckets end
// on exactly, from 131 µs to 69 s.
const (
	leastPower, mostPower = 17, 36
	fineness              = 32 // of the rollups' buckets in a doubling
)

// bucketBounds are the upper bounds in seconds.
var bucketBounds = func() []string {
	var out []string
	for p := leastPower; p <= mostPower; p++ {
		out = append(out, strconv.FormatFloat(math.Ldexp(1, p)/1e9, 'f', -1, 64))
	}
	return append(out, "+Inf")
}()

// bucketOf is the position in bucketBounds of a rollup's bucket.
func bucketOf(b int16) int {
	p := (int(b) + fineness - 1) / fineness
	return min(max(p, leastPower), mostPower+1) - leastPower
}

// durations collects the latency distribution of one series by step.
type durations struct {
	count, sum grown
	classic    [mostPower - leastPower + 2]grown
	native     map[int]map[int16]float64
}

// add counts a share of a row in a step.
func (d *durations) add(i int, row *cell, part string, share float64) {
	if d.count == nil {
		d.count, d.sum, d.native = grown{}, grown{}, map[int]map[int16]float64{}
	}
	d.count[i] += float64(row.calls) * share
	d.sum[i] += float64(row.sum) / 1e9 * share
	for j, b := range row.buckets {
		switch part {
		case "_bucket":
			k := bucketOf(b)
			if d.classic[k] == nil {
				d.classic[k] = grown{}
			}
			d.classic[k][i] += float64(row.counts[j]) * share
		case "":
			if d.native[i] == nil {
				d.native[i] = map[int16]float64{}
			}
			d.native[i][b] += float64(row.counts[j]) * share
		}
	}
}

// series makes the series of a part of the histogram: _bucket, _sum, _count, or the native one.
func (d *durations) series(g grid, ls labels.Labels, part string, matchers []*labels.Matcher) []*series {
	switch part {
	case "_sum":
		return []*series{{ls, g.counter(d.sum)}}
	case "_count":
		return []*series{{ls, g.counter(d.count)}}
	case "":
		return []*series{{ls, d.nativePoints(g)}}
	}
	var out []*series
	cumulative := grown{}
	for i := range d.count {
		cumulative[i] = 0
	}
	b := labels.NewBuilder(ls)
	for k, le := range bucketBounds {
		for i, n := range d.classic[k] {
			cumulative[i] += n
		}
		b.Set(model.BucketLabel, le)
		if named := b.Labels(); matches(named, onLabel(matchers, model.BucketLabel)) {
			out = append(out, &series{named, g.counter(cumulative)})
		}
	}
	return out
}

func onLabel(matchers []*labels.Matcher, name string) []*labels.Matcher {
	return slices.DeleteFunc(slices.Clone(matchers), func(m *labels.Matcher) bool { return m.Name != name })
}

// shiftToSeconds moves a rollup's bucket, of nanoseconds, to the one of seconds: 32·log2(1e-9) is -956.7, so that
// bounds are 0.7 % off.
const shiftToSeconds = -957

// nativePoints are native histograms of scale 5.
func (d *durations) nativePoints(g grid) points {
	if len(d.count) == 0 {
		return points{}
	}
	first, last := math.MaxInt, 0
	for i := range d.count {
		first, last = min(first, i), max(last, i)
	}
	from, to := g.span(first, last)
	sum := &histogram.FloatHistogram{Schema: 5, ZeroThreshold: zeroWidth}
	p := points{shapes: []histogramSample{{t: g.from + int64(from)*g.step, f: sum.Copy()}}}
	for i := from; i <= to; i++ {
		if n := d.native[i]; n != nil {
			next := sum.Copy()
			if _, _, _, err := next.Add(floatHistogram(n, d.count[i], d.sum[i])); err == nil {
				sum = next
			}
		}
		p.shapes = append(p.shapes, histogramSample{t: g.from + int64(i+1)*g.step, f: sum})
	}
	return p
}

func floatHistogram(by map[int16]float64, count, sum float64) *histogram.FloatHistogram {
	h := &histogram.FloatHistogram{Schema: 5, ZeroThreshold: zeroWidth, Count: count, Sum: sum}
	next := int32(0)
	for i, b := range slices.Sorted(keysOf(by)) {
		at := int32(b) + shiftToSeconds
		if i == 0 || at != next {
			h.PositiveSpans = append(h.PositiveSpans, histogram.Span{Offset: at - next})
		}
		h.PositiveSpans[len(h.PositiveSpans)-1].Length++
		h.PositiveBuckets = append(h.PositiveBuckets, by[b])
		next = at + 1
	}
	return h
}

func keysOf(m map[int16]float64) func(func(int16) bool) {
	return func(yield func(int16) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// partOf is what of a histogram a name asks for.
func partOf(name string) string {
	for _, p := range []string{"_bucket", "_sum", "_count"} {
		if strings.HasSuffix(name, p) {
			return p
		}
	}
	return ""
}

// infoEvery is how often target_info has a sample, in milliseconds: often enough for every lookback.
const infoEvery = 60_000

// readTargetInfo makes target_info of the resources: 1 as long as one was seen.
func readTargetInfo(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	all, err := q.e.index.resources(ctx)
	if err != nil {
		return nil, err
	}
	g := lay(window{v.w.from, max(v.w.to, v.w.from)}, infoEvery)
	if v.bare() {
		g.n = 0
	}
	ts, ones := make([]int64, g.n+1), make([]float64, g.n+1)
	for i := range ts {
		ts[i], ones[i] = g.from+int64(i)*g.step, 1
	}
	b := labels.NewScratchBuilder(16)
	var out []*series
	for _, r := range all {
		if v.w.to < r.first-seenLag || v.w.from > r.last+seenLag {
			continue
		}
		ls, ok := q.e.index.tr.targetInfo(&b, r)
		if !ok {
			continue
		}
		builder := labels.NewBuilder(ls)
		builder.Set(model.MetricNameLabel, v.name)
		if ls = builder.Labels(); !matches(ls, v.matchers) {
			continue
		}
		s := &series{labels: ls}
		if !v.bare() {
			from := max(0, g.index(max(r.first-seenLag, g.from)))
			to := min(len(ts), g.index(min(r.last+seenLag, v.w.to))+1)
			if from < to {
				s.points = points{t: ts[from:to:to], v: ones[from:to:to]}
			}
			if err := q.take(0, 100); err != nil {
				return nil, err
			}
		}
		out = append(out, s)
	}
	return out, nil
}
