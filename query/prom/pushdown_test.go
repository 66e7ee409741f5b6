package prom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// dice makes series and expressions.
type dice struct {
	*rand.Rand
	metrics []string // selectors of which expressions are made
	buckets string   // the metric that quantiles are asked of
}

// writtenMetrics are selectors of what fill writes.
var writtenMetrics = []string{"requests_total", "temperature", "latency_seconds_bucket", `requests_total{job="a"}`, `temperature{zone=~"0|1"}`, `requests_total{instance!="3"}`, "nothing"}

// day is the noon before which and after which the samples of these tests lie, so that two partitions have them.
var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).UnixMilli()

// fill writes series of counters, gauges and buckets: irregular, with gaps, markers, resets, NaN, Inf, and twice the same.
func (d dice) fill(t *testing.T, w *written) {
	t.Helper()
	counters := d.set("requests_total", 24)
	gauges := d.set("temperature", 16)
	var buckets []labels.Labels
	for _, le := range []string{"0.1", "0.5", "1", "+Inf"} {
		for _, job := range []string{"a", "b"} {
			buckets = append(buckets, labels.FromStrings("__name__", "latency_seconds_bucket", "le", le, "job", job))
		}
	}
	var apps [3]storage.AppenderV2 // parts that overlap
	for i := range apps {
		apps[i] = w.AppenderV2(context.Background())
	}
	add := func(ls labels.Labels, at int64, v float64) {
		for n := range 1 + d.IntN(20)/19 {
			if _, err := apps[(int(at)+n)%3].Append(0, ls, 0, at, v, nil, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, ls := range append(append(counters, gauges...), buckets...) {
		counts, total := ls.Get("__name__") != "temperature", d.Float64()*100
		every := []int64{5_000, 15_000, 15_000, 30_000, 60_000}[d.IntN(5)]
		for at := midnight - 3_600_000 + d.Int64N(every); at < midnight+3_600_000; at += every + d.Int64N(50) {
			switch n := d.IntN(120); {
			case n == 0:
				at += d.Int64N(15 * 60_000)
				continue
			case n == 1:
				add(ls, at, math.Float64frombits(value.StaleNaN))
				continue
			case n == 2 && counts:
				total = 0
			case n == 3 && !counts:
				add(ls, at, []float64{math.NaN(), math.Inf(1), 0, math.Copysign(0, -1), 1e300}[d.IntN(5)])
				continue
			}
			if counts {
				total += d.Float64() * 10
			} else {
				total = d.NormFloat64() * 40
			}
			add(ls, at, total)
		}
	}
	for _, a := range apps {
		if err := a.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func (d dice) set(name string, n int) []labels.Labels {
	var out []labels.Labels
	for i := range n {
		out = append(out, labels.FromStrings("__name__", name, "job", string("ab"[i%2]), "instance", fmt.Sprint(i/2), "zone", fmt.Sprint(i%3)))
	}
	return out
}

func (d dice) pick(of ...string) string { return of[d.IntN(len(of))] }

// part is something that may be pushed down.
func (d dice) part() string {
	selector := d.pick(d.metrics...)
	offset := d.pick("", "", "", " offset 7m", " offset -3m")
	inner := selector + offset
	if d.IntN(5) > 0 {
		span := "[" + d.pick("30s", "1m", "2m30s", "5m", "17m", "1h") + "]" + offset
		switch d.IntN(8) {
		case 0:
			inner = "quantile_over_time(0.9, " + selector + span + ")"
		case 1:
			inner = "predict_linear(" + selector + span + ", 600)"
		default:
			inner = d.pick("rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets", "avg_over_time", "sum_over_time", "min_over_time",
				"max_over_time", "count_over_time", "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time", "rate", "rate") + "(" + selector + span + ")"
		}
	}
	switch by := d.pick(" by (job)", " by (job, zone)", " without (instance)", " by (le)", "", " by (__name__)"); d.IntN(4) {
	case 0:
		return inner
	case 1:
		return d.pick("topk", "bottomk") + by + "(" + d.pick("1", "3", "7") + ", " + inner + ")"
	default:
		op := d.pick("sum", "sum", "avg", "min", "max", "count", "group")
		if d.IntN(2) == 0 {
			return op + "(" + inner + ")" + by
		}
		return op + by + " ((" + inner + "))"
	}
}

func (d dice) expression() string {
	switch d.IntN(9) {
	case 0:
		return d.part() + " / " + d.part()
	case 1:
		return "histogram_quantile(0.9, sum by (le" + d.pick("", ", job") + ") (rate(" + d.buckets + "[" + d.pick("1m", "5m", "10m") + "])))"
	case 2:
		return "sum(" + d.part() + ") > " + d.pick("0", "1", "10")
	case 3:
		return "max_over_time((" + d.part() + ")[10m:1m]) or " + d.part()
	case 4:
		return "-" + d.part()
	case 5:
		return "absent(" + d.part() + ") or timestamp(" + d.metrics[1] + ") - " + d.part()
	}
	return d.part()
}

// Whatever is pushed down has the answer that the engine has without, warnings included.
func TestPushedDownEqualsTheEngine(t *testing.T) {
	e, conn := open(t, Options{})
	w := &written{Engine: e, conn: conn}
	d := dice{rand.New(rand.NewPCG(7, 11)), writtenMetrics, "latency_seconds_bucket"}
	d.fill(t, w)
	d.compare(t, e, 400)
}

// compare asks expressions with and without pushing down.
func (d dice) compare(t *testing.T, e *Engine, n int) {
	t.Helper()
	pushedParts := 0
	for i := range n {
		expr := d.expression()
		start := time.UnixMilli(midnight - 3_700_000 + d.Int64N(1_800_000))
		step := []time.Duration{15 * time.Second, time.Minute, 137 * time.Second, 10 * time.Minute}[d.IntN(4)]
		end := start.Add(time.Duration(d.IntN(60)) * step)
		e.pushFrom = math.MaxInt64
		want, wantErr := e.ask(expr, start, end, step)
		e.pushFrom = 0
		if p := e.plan(expr, start, end, step); p != nil {
			pushedParts += len(p.parts)
		}
		got, gotErr := e.ask(expr, start, end, step)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%d: %s: error %v, want %v", i, expr, gotErr, wantErr)
		}
		if wantErr == nil {
			if why := differ(got.Value, want.Value); why != "" {
				t.Fatalf("%d: %s, %v to %v, step %v: %s", i, expr, start, end, step, why)
			}
			if g, w := fmt.Sprint(got.Annotations.AsStrings(expr, 0, 0)), fmt.Sprint(want.Annotations.AsStrings(expr, 0, 0)); g != w {
				t.Fatalf("%d: %s: said %v, want %v", i, expr, g, w)
			}
		}
	}
	if pushedParts < n/2 {
		t.Errorf("only %d parts were pushed down", pushedParts)
	}
}

// ask evaluates over a range, or at one moment if it begins where it ends.
func (e *Engine) ask(expr string, start, end time.Time, step time.Duration) (*Answer, error) {
	if start.Equal(end) {
		return e.Instant(context.Background(), expr, end)
	}
	return e.Range(context.Background(), expr, start, end, step)
}

// differ says what is different.
func differ(got, want parser.Value) string {
	if g, ok := got.(promql.Vector); ok {
		w := want.(promql.Vector)
		if len(g) != len(w) {
			return fmt.Sprintf("%d elements, want %d", len(g), len(w))
		}
		at := map[string]float64{}
		for _, s := range w {
			at[s.Metric.String()] = s.F
		}
		for _, s := range g {
			if v, ok := at[s.Metric.String()]; !ok || !near(s.F, v) {
				return fmt.Sprintf("%s is %v, want %v", s.Metric, s.F, v)
			}
		}
		return ""
	}
	g, w := got.(promql.Matrix), want.(promql.Matrix)
	if len(g) != len(w) {
		return fmt.Sprintf("%d series, want %d", len(g), len(w))
	}
	for i := range g {
		if !labels.Equal(g[i].Metric, w[i].Metric) || len(g[i].Floats) != len(w[i].Floats) {
			return fmt.Sprintf("series %d is %s with %d points, want %s with %d", i, g[i].Metric, len(g[i].Floats), w[i].Metric, len(w[i].Floats))
		}
		for j, p := range g[i].Floats {
			if o := w[i].Floats[j]; p.T != o.T || !near(p.F, o.F) {
				return fmt.Sprintf("%s at %d is %v, want %v at %d", g[i].Metric, p.T, p.F, o.F, o.T)
			}
		}
	}
	return ""
}

// near allows for another order of summation.
func near(a, b float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
		return math.IsNaN(a) && math.IsNaN(b) || a == b
	}
	return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1e-300)
}

func TestWhatIsPushedDown(t *testing.T) {
	e := &Engine{o: Options{Lookback: 5 * time.Minute}, parser: parser.NewParser(parserOptions)}
	for expr, want := range map[string]string{
		`sum by (job) (rate(x[5m]))`:                                `_0                        `,
		`histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))`: `histogram_quantile(0.9, _0                              )`,
		`topk(5, rate(x[5m]))`:                                      `topk(5, _0         )`,
		`topk(5, sum(x))`:                                           `topk(5, _0    )`,
		`sum(x) / sum(y)`:                                           `_0     / _1    `,
		`avg_over_time(x[1h])`:                                      `_0                  `,
		`sum(rate(x[5m])) by (job)`:                                 `_0                       `,
		`timestamp(x)`:                                              ``,
		`absent(x)`:                                                 ``,
		`sum(x @ end())`:                                            ``,
		`max_over_time(sum(x)[5m:])`:                                ``,
		`rate({job="a"}[5m])`:                                       ``,
		`sum(rate(x[5m]) > 3)`:                                      `sum(_0          > 3)`,
		`stddev(x)`:                                                 ``, // too short a name to be replaced; the engine has it
		`quantile(0.9, metric) + vector(1)`:                         `quantile(0.9, _0    ) + vector(1)`,
	} {
		got := ""
		if p := e.plan(expr, time.UnixMilli(0), time.UnixMilli(60_000), time.Second); p != nil {
			got = p.text
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// Native histograms show when they are read: the engine then has the whole question.
func TestWhatCannotBePushedDown(t *testing.T) {
	e, conn := open(t, Options{})
	w := &written{Engine: e, conn: conn}
	a := w.AppenderV2(context.Background())
	ls := labels.FromStrings("__name__", "shaped", "job", "a")
	for i := range int64(50) {
		if _, err := a.Append(0, ls, 0, midnight+i*15_000, 0, histogramOf(uint64(i)), nil, storage.AppendV2Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	e.pushFrom = 0
	at := time.UnixMilli(midnight + 600_000)
	if _, err := e.pushDown(context.Background(), "sum(rate(shaped[5m]))", at, at, 0); !errors.Is(err, errNotPushed) {
		t.Errorf("pushed down: %v", err)
	}
	ans, err := e.Instant(context.Background(), "histogram_count(sum(increase(shaped[5m])))", at)
	if err != nil || !strings.Contains(fmt.Sprint(ans.Value), "=>") {
		t.Errorf("%v %v", ans, err)
	}
}

// The HTTP API pushes down as charts and rules do: what a question may load is not what it may look at.
func TestQuestionsOverHTTPArePushedDown(t *testing.T) {
	e, conn := open(t, Options{MaxSamples: 40})
	a := (&written{Engine: e, conn: conn}).AppenderV2(context.Background())
	for _, job := range []string{"a", "b"} {
		for i := range int64(50) {
			if _, err := a.Append(0, labels.FromStrings("__name__", "looked_at_total", "job", job), 0, midnight+i*15_000, float64(30*i), nil, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	e.pushFrom = 0
	question := url.Values{"query": {"sum(rate(looked_at_total[5m]))"}, "start": {fmt.Sprint(midnight/1000 + 600)}, "end": {fmt.Sprint(midnight/1000 + 660)}, "step": {"60"}}
	for range 2 {
		if code, body := get(t, e, "/api/v1/query_range", question); code != 200 || !strings.Contains(body, `"values":[[`) {
			t.Errorf("%d %s", code, body)
		}
	}
	many := url.Values{"query": {"sum by (job) (rate(looked_at_total[5m]))"}, "start": {fmt.Sprint(midnight / 1000)}, "end": {fmt.Sprint(midnight/1000 + 600)}, "step": {"15"}}
	if code, body := get(t, e, "/api/v1/query_range", many); code != 422 || !strings.Contains(body, "too many samples") { // two groups of 41 steps
		t.Errorf("%d %s", code, body)
	}
	question.Set("stats", "all") // which only the engine can tell
	if code, body := get(t, e, "/api/v1/query_range", question); code != 422 || !strings.Contains(body, "too many samples") {
		t.Errorf("%d %s", code, body)
	}
}

func histogramOf(n uint64) *histogram.Histogram {
	return &histogram.Histogram{Schema: 0, Count: n, Sum: float64(n), PositiveSpans: []histogram.Span{{Offset: 0, Length: 1}}, PositiveBuckets: []int64{int64(n)}}
}
