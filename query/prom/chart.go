package prom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/tidemarkhq/tidemark/query"
)

// ChartQuestion is some expressions that are drawn together.
type ChartQuestion struct {
	Exprs   []string
	Window  query.Window
	Step    time.Duration // 0: as wide as a chart needs
	Instant bool          // the values at the window's end only
	Limit   int           // series of an expression (200)
	From    time.Time     // answer from here on only, as part of the window; zero: from its beginning
}

// ChartAnswer is what expressions are worth over time, in columns: value i is that at from + i·step.
type ChartAnswer struct {
	Range   query.Range   `json:"range"`
	Results []ChartResult `json:"results"`
}

// ChartResult is what one expression is worth. An expression that cannot be evaluated says why, the others stand.
type ChartResult struct {
	Series   []ChartSeries `json:"series"`
	More     int           `json:"more"` // series that are not in the answer: the smallest ones
	Error    string        `json:"error"`
	Warnings []string      `json:"warnings"`
}

// ChartSeries is one series.
type ChartSeries struct {
	Labels map[string]string `json:"labels"`
	Values []*float64        `json:"values"`
}

// What one question may ask for.
const (
	mostExprs     = 26
	mostExprBytes = 16 << 10
	chartPoints   = 240
	chartSeries   = 200
	mostPoints    = 11_000 // as Prometheus
)

// chartSteps are the widths of points, those of a few hours being whole minutes.
var chartSteps = []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// ChartStep is the width of a point of a chart over a window.
func ChartStep(w query.Window) time.Duration {
	for _, step := range chartSteps {
		if w.To.Sub(w.From) <= chartPoints*step {
			return step
		}
	}
	return chartSteps[len(chartSteps)-1]
}

// exportInterval is how often most senders tell their metrics: OpenTelemetry's SDKs every minute, scrapers more often.
const exportInterval = time.Minute

// expand replaces what depends on a chart's range and step, as Grafana writes it. A rate's window holds two points of
// the slowest usual sender.
func expand(expr string, w query.Window, step time.Duration) string {
	if !strings.Contains(expr, "$__") && !strings.Contains(expr, "${__") {
		return expr
	}
	span := w.To.Sub(w.From)
	rate := max(step+exportInterval, 5*exportInterval/2)
	for name, d := range map[string]time.Duration{"rate_interval": rate, "interval": step, "range": span} {
		text := strconv.FormatInt(max(1, int64(d/time.Second)), 10)
		for _, spelling := range []string{"$__" + name, "${__" + name + "}"} {
			if name != "rate_interval" {
				expr = strings.ReplaceAll(expr, spelling+"_ms", strconv.FormatInt(d.Milliseconds(), 10))
			}
			if name == "range" {
				expr = strings.ReplaceAll(expr, spelling+"_s", text)
			}
			expr = strings.ReplaceAll(expr, spelling, text+"s")
		}
	}
	return expr
}

// Chart evaluates expressions at the same moments.
func (e *Engine) Chart(ctx context.Context, q ChartQuestion) (*ChartAnswer, error) {
	if len(q.Exprs) == 0 || len(q.Exprs) > mostExprs {
		return nil, &query.InputError{Field: "expr", Reason: fmt.Sprintf("wants 1 to %d expressions", mostExprs)}
	}
	if q.Step == 0 {
		q.Step = ChartStep(q.Window)
	}
	if q.Limit == 0 {
		q.Limit = chartSeries
	}
	now := time.Now()
	first, last := q.Window.From.Truncate(q.Step), q.Window.To.Truncate(q.Step)
	if q.From.After(q.Window.From) {
		first = q.From.Truncate(q.Step)
	}
	if q.Instant {
		first, last = q.Window.To, q.Window.To
	}
	points := int(last.Sub(first)/q.Step) + 1
	if points > mostPoints {
		return nil, &query.InputError{Field: "step", Reason: fmt.Sprintf("asks for %d points: at most %d", points, mostPoints)}
	}
	ans := &ChartAnswer{Results: make([]ChartResult, len(q.Exprs)), Range: query.Range{FromMS: first.UnixMilli(), ToMS: last.Add(q.Step).UnixMilli(), StepMS: q.Step.Milliseconds(),
		Resolution: "raw", NowMS: now.UnixMilli(), CompleteToMS: min(last.Add(q.Step).UnixMilli(), now.Add(-exportInterval).UnixMilli())}}
	for i, expr := range q.Exprs {
		r, err := e.chart(ctx, expr, q, first, last, points)
		if err != nil {
			return nil, err
		}
		ans.Results[i] = r
	}
	return ans, nil
}

func (e *Engine) chart(ctx context.Context, expr string, q ChartQuestion, first, last time.Time, points int) (ChartResult, error) {
	r := ChartResult{Series: []ChartSeries{}, Warnings: []string{}}
	if len(expr) > mostExprBytes {
		r.Error = fmt.Sprintf("the expression is longer than %d bytes", mostExprBytes)
		return r, nil
	}
	expr = expand(expr, q.Window, q.Step)
	var a *Answer
	var err error
	if q.Instant {
		a, err = e.Instant(ctx, expr, last)
	} else {
		a, err = e.Range(ctx, expr, first, last, q.Step)
	}
	if err != nil {
		if text, ok := asked(err); ok {
			r.Error = text
			return r, nil
		}
		return r, err
	}
	warnings, infos := a.Annotations.AsStrings(expr, 5, 5)
	r.Warnings = append(append(r.Warnings, warnings...), infos...)
	c := columnar{start: first.UnixMilli(), step: q.Step.Milliseconds(), points: points}
	if err := c.value(a); err != nil {
		r.Error = err.Error()
		return r, nil
	}
	r.Series, r.More = c.largest(q.Limit)
	return r, nil
}

// asked reports whether an expression itself is at fault, and what is to be said of it.
func asked(err error) (string, bool) {
	var input *query.InputError
	var samples promql.ErrTooManySamples
	var series ErrTooManySeries
	switch {
	case errors.As(err, &input):
		return input.Reason, true
	case errors.As(err, &samples), errors.As(err, &series):
		return err.Error(), true
	}
	var storage promql.ErrStorage
	var cancelled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	if errors.As(err, &storage) || errors.As(err, &cancelled) || errors.As(err, &timeout) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, query.ErrBusy) {
		return "", false
	}
	return err.Error(), true // of the evaluation: many-to-many matching, a bad regular expression
}

// columnar lays values out in columns.
type columnar struct {
	start, step int64
	points      int
	series      []ChartSeries
}

func (c *columnar) value(a *Answer) error {
	switch v := a.Value.(type) {
	case promql.Matrix:
		for _, s := range v {
			if len(s.Floats) > 0 {
				values := c.add(s.Metric, "")
				for _, p := range s.Floats {
					c.set(values, p.T, p.F)
				}
			}
			c.histograms(s.Metric, s.Histograms)
		}
	case promql.Vector:
		for _, s := range v {
			if s.H != nil {
				c.histograms(s.Metric, []promql.HPoint{{T: s.T, H: s.H}})
				continue
			}
			c.set(c.add(s.Metric, ""), s.T, s.F)
		}
	case promql.Scalar:
		c.set(c.add(labels.EmptyLabels(), ""), v.T, v.V)
	default:
		return fmt.Errorf("a %s cannot be drawn: want an expression that is a number at each moment", a.Value.Type())
	}
	return nil
}

func (c *columnar) add(metric labels.Labels, le string) []*float64 {
	s := ChartSeries{Labels: metric.Map(), Values: make([]*float64, c.points)}
	if le != "" {
		s.Labels[model.BucketLabel] = le
	}
	c.series = append(c.series, s)
	return s.Values
}

func (c *columnar) set(values []*float64, at int64, v float64) {
	i := (at - c.start) / c.step
	if i >= 0 && i < int64(len(values)) && !math.IsNaN(v) && !math.IsInf(v, 0) {
		values[i] = &v
	}
}

// histograms draws native histograms as their buckets, counted from below as le does.
func (c *columnar) histograms(metric labels.Labels, all []promql.HPoint) {
	if len(all) == 0 {
		return
	}
	var bounds []float64
	for _, p := range all {
		eachBucket(p.H, func(upper, _ float64) { bounds = append(bounds, upper) })
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	columns := make([][]*float64, len(bounds))
	for i, b := range bounds {
		columns[i] = c.add(metric, strconv.FormatFloat(b, 'g', 6, 64))
	}
	for _, p := range all {
		next, sum := 0, 0.0
		eachBucket(p.H, func(upper, count float64) {
			for ; next < len(bounds) && bounds[next] < upper; next++ {
				c.set(columns[next], p.T, sum)
			}
			sum += count
		})
		for ; next < len(bounds); next++ {
			c.set(columns[next], p.T, sum)
		}
	}
}

func eachBucket(h *histogram.FloatHistogram, f func(upper, count float64)) {
	for it := h.AllBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			f(b.Upper, b.Count)
		}
	}
}

// largest are the series with the greatest sums, in the order they came in.
func (c *columnar) largest(limit int) ([]ChartSeries, int) {
	if len(c.series) <= limit {
		return filledSeries(c.series), 0
	}
	sums := make([]float64, len(c.series))
	for i, s := range c.series {
		for _, v := range s.Values {
			if v != nil {
				sums[i] += math.Abs(*v)
			}
		}
	}
	order := make([]int, len(sums))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case sums[a] > sums[b]:
			return -1
		case sums[a] < sums[b]:
			return 1
		}
		return 0
	})
	kept := order[:limit]
	slices.Sort(kept)
	out := make([]ChartSeries, limit)
	for i, at := range kept {
		out[i] = c.series[at]
	}
	return out, len(c.series) - limit
}

func filledSeries(s []ChartSeries) []ChartSeries {
	if s == nil {
		return []ChartSeries{}
	}
	return s
}
