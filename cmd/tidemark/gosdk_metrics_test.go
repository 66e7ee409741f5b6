package main_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// pointView is one point of a metric in the form of the store: metric_samples beside its metric_series.
type pointView struct {
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Temporality string            `json:"temporality"`
	Monotonic   bool              `json:"monotonic"`
	Unit        string            `json:"unit"`
	Description string            `json:"description"`
	Scope       string            `json:"scope"`
	Attributes  map[string]string `json:"attributes"`
	TSMS        int64             `json:"ts_ms"`
	StartMS     int64             `json:"start_ms"`
	Value       float64           `json:"value"`
	Shape       *shapeView        `json:"-"`
}

// shapeView is metric_distributions: what a histogram has besides its sum.
type shapeView struct {
	Count          float64   `json:"count"`
	Sum            float64   `json:"sum"`
	Min            float64   `json:"min"`
	Max            float64   `json:"max"`
	Bounds         []float64 `json:"bounds"`
	Counts         []float64 `json:"counts"`
	Scale          float64   `json:"scale"`
	ZeroCount      float64   `json:"zero_count"`
	PositiveOffset float64   `json:"positive_offset"`
	NegativeOffset float64   `json:"negative_offset"`
	NegativeCounts []float64 `json:"negative_counts"`
}

// exemplarView is a row of metric_exemplars.
type exemplarView struct {
	Name       string            `json:"name"`
	Labels     map[string]string `json:"labels"` // of its series
	TSMS       int64             `json:"ts_ms"`
	Value      float64           `json:"value"`
	TraceID    string            `json:"trace_id"`
	SpanID     string            `json:"span_id"`
	Attributes map[string]string `json:"attributes"`
}

// capture remembers what passes through an exporter; the SDK uses its memory again afterwards.
type capture struct {
	sdkmetric.Exporter
	points    []pointView
	exemplars []exemplarView
}

func (c *capture) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			points, exemplars := pointsOf(m)
			for _, v := range points {
				v.Name, v.Unit, v.Description, v.Scope = m.Name, m.Unit, m.Description, sm.Scope.Name+"@"+sm.Scope.Version
				c.points = append(c.points, v)
			}
			for _, e := range exemplars {
				e.Name = m.Name
				c.exemplars = append(c.exemplars, e)
			}
		}
	}
	return c.Exporter.Export(ctx, rm)
}

func goMetrics(t *testing.T, p *product, exporter sdkmetric.Exporter, res *resource.Resource) {
	sent := &capture{Exporter: &throughMetrics{exporter, through{t, p, fmt.Sprintf(countPoints, serviceOf(res))}}}
	exponential := sdkmetric.NewView(sdkmetric.Instrument{Name: "queue.*"}, sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})
	narrow := sdkmetric.NewView(sdkmetric.Instrument{Name: "http.server.request.duration"}, sdkmetric.Stream{
		AttributeFilter: attribute.NewAllowKeysFilter("http.route")})
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithView(exponential, narrow),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(sent, sdkmetric.WithInterval(time.Hour))))
	record := instruments(t, provider.Meter("github.com/shop/cart", metric.WithInstrumentationVersion("0.7.1")))
	for round := range 2 {
		record(round)
		flush(t, provider.ForceFlush)
	}
	service := serviceOf(res)
	points, exemplars := stored(t, p, service)
	if diff := gocmp.Diff(sortedPoints(sent.points), points); diff != "" {
		t.Errorf("stored points (-sent +stored):\n%s", diff)
	}
	if diff := gocmp.Diff(sortedExemplars(sent.exemplars), exemplars); diff != "" {
		t.Errorf("stored exemplars (-sent +stored):\n%s", diff)
	}
	if len(sent.exemplars) == 0 {
		t.Error("the SDK sent no exemplars: nothing was tested about them")
	}
	metricsShow(t, p, service, sent.points)
}

// metricsShow compares the list of metrics with what was sent, and draws one.
func metricsShow(t *testing.T, p *product, service string, sent []pointView) {
	t.Helper()
	var list struct {
		Metrics []struct{ Name, Type, Unit, Description, Temporality string }
	}
	p.get(t, "/api/v1/metrics?from=now-15m&to=now&service="+service, &list)
	shown := map[string]string{}
	for _, m := range list.Metrics {
		shown[m.Name] = strings.Join([]string{m.Type, m.Unit, m.Description, m.Temporality}, "|")
	}
	want := map[string]string{}
	for _, v := range sent {
		want[v.Name] = strings.Join([]string{v.Type, v.Unit, v.Description, v.Temporality}, "|")
	}
	if diff := gocmp.Diff(want, shown); diff != "" {
		t.Errorf("GET /metrics (-sent +answered):\n%s", diff)
	}
	var chart struct {
		Series []struct {
			Labels map[string]string
			Values []*float64
		}
	}
	p.get(t, "/api/v1/metrics/chart?name=cart.temperature&agg=max&by=room&from=now-15m&to=now&filter=service:"+service, &chart)
	highest := map[string]float64{}
	for _, s := range chart.Series {
		for _, v := range s.Values {
			if v != nil {
				highest[s.Labels["room"]] = max(highest[s.Labels["room"]], *v)
			}
		}
	}
	if !maps.Equal(highest, map[string]float64{"cellar": 12.5, "attic": 31}) {
		t.Errorf("GET /metrics/chart: highest by room %v, want cellar 12.5 and attic 31", highest)
	}
}

// instruments makes one of each kind and returns what records a round of values.
func instruments(t *testing.T, m metric.Meter) func(round int) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	orders, err := m.Int64Counter("cart.orders", metric.WithUnit("{order}"), metric.WithDescription("orders placed"))
	fail(err)
	open, err := m.Float64UpDownCounter("cart.open")
	fail(err)
	temperature, err := m.Float64Gauge("cart.temperature", metric.WithUnit("Cel"))
	fail(err)
	depth, err := m.Int64Gauge("cart.depth")
	fail(err)
	duration, err := m.Float64Histogram("http.server.request.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.01, 0.1, 1))
	fail(err)
	size, err := m.Int64Histogram("cart.size", metric.WithUnit("By"))
	fail(err)
	wait, err := m.Float64Histogram("queue.wait", metric.WithUnit("s"))
	fail(err)
	_, err = m.Int64ObservableCounter("process.cpu.ticks", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(1 << 53)
		return nil
	}))
	fail(err)
	_, err = m.Float64ObservableUpDownCounter("process.memory", metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
		o.Observe(-0.1)
		return nil
	}))
	fail(err)
	_, err = m.Float64ObservableGauge("process.load", metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
		o.Observe(1.0/3, metric.WithAttributes(attribute.Int("core", 1), attribute.Bool("hot", true)))
		return nil
	}))
	fail(err)
	tracer := sdktrace.NewTracerProvider().Tracer("exemplars") // sampled spans, never exported
	return func(round int) {
		ctx, span := tracer.Start(t.Context(), "measured")
		defer span.End()
		eu, us := metric.WithAttributes(attribute.String("region", "eu")), metric.WithAttributes(attribute.String("region", "us"))
		orders.Add(ctx, 3, eu)
		orders.Add(t.Context(), int64(10*(round+1)), us)
		open.Add(t.Context(), -1.5)
		temperature.Record(t.Context(), 12.5, metric.WithAttributes(attribute.String("room", "cellar")))
		temperature.Record(t.Context(), 30+float64(round), metric.WithAttributes(attribute.String("room", "attic")))
		depth.Record(t.Context(), -7)
		route := metric.WithAttributes(attribute.String("http.route", "/cart"), attribute.String("user.id", "u-17"))
		for _, v := range []float64{0, 0.005, 0.05, 0.05, 5} {
			duration.Record(ctx, v, route)
			size.Record(t.Context(), int64(v*1000))
			wait.Record(ctx, v, eu)
			wait.Record(t.Context(), -v, us)
		}
	}
}

func pointsOf(m metricdata.Metrics) ([]pointView, []exemplarView) {
	switch d := m.Data.(type) {
	case metricdata.Gauge[int64]:
		return numbers(d.DataPoints, pointView{Type: "gauge"})
	case metricdata.Gauge[float64]:
		return numbers(d.DataPoints, pointView{Type: "gauge"})
	case metricdata.Sum[int64]:
		return numbers(d.DataPoints, pointView{Type: "sum", Temporality: temporalityOf(d.Temporality), Monotonic: d.IsMonotonic})
	case metricdata.Sum[float64]:
		return numbers(d.DataPoints, pointView{Type: "sum", Temporality: temporalityOf(d.Temporality), Monotonic: d.IsMonotonic})
	case metricdata.Histogram[int64]:
		return histograms(d)
	case metricdata.Histogram[float64]:
		return histograms(d)
	case metricdata.ExponentialHistogram[float64]:
		return exponentials(d)
	}
	panic(fmt.Sprintf("%s has points of %T", m.Name, m.Data))
}

func temporalityOf(t metricdata.Temporality) string {
	return map[metricdata.Temporality]string{metricdata.CumulativeTemporality: "cumulative", metricdata.DeltaTemporality: "delta"}[t]
}

// millis is a time in the resolution in which metrics are stored; 0 stands for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func numbers[N int64 | float64](points []metricdata.DataPoint[N], base pointView) (out []pointView, exemplars []exemplarView) {
	for _, d := range points {
		v := base
		v.Attributes, v.TSMS, v.StartMS, v.Value = labels(d.Attributes), millis(d.Time), millis(d.StartTime), float64(d.Value)
		out = append(out, v)
		exemplars = append(exemplars, exemplarsOf(d.Attributes, d.Exemplars)...)
	}
	return out, exemplars
}

func histograms[N int64 | float64](h metricdata.Histogram[N]) (out []pointView, exemplars []exemplarView) {
	for _, d := range h.DataPoints {
		out = append(out, pointView{Type: "histogram", Temporality: temporalityOf(h.Temporality), Attributes: labels(d.Attributes),
			TSMS: millis(d.Time), StartMS: millis(d.StartTime), Value: float64(d.Sum),
			Shape: &shapeView{Count: float64(d.Count), Sum: float64(d.Sum), Min: extremum(d.Min), Max: extremum(d.Max),
				Bounds: append([]float64{}, d.Bounds...), Counts: floats(d.BucketCounts), NegativeCounts: []float64{}}})
		exemplars = append(exemplars, exemplarsOf(d.Attributes, d.Exemplars)...)
	}
	return out, exemplars
}

func exponentials[N int64 | float64](h metricdata.ExponentialHistogram[N]) (out []pointView, exemplars []exemplarView) {
	for _, d := range h.DataPoints {
		out = append(out, pointView{Type: "exponential_histogram", Temporality: temporalityOf(h.Temporality), Attributes: labels(d.Attributes),
			TSMS: millis(d.Time), StartMS: millis(d.StartTime), Value: float64(d.Sum),
			Shape: &shapeView{Count: float64(d.Count), Sum: float64(d.Sum), Min: extremum(d.Min), Max: extremum(d.Max), Bounds: []float64{},
				Counts: floats(d.PositiveBucket.Counts), Scale: float64(d.Scale), ZeroCount: float64(d.ZeroCount),
				PositiveOffset: float64(d.PositiveBucket.Offset), NegativeOffset: float64(d.NegativeBucket.Offset),
				NegativeCounts: floats(d.NegativeBucket.Counts)}})
		exemplars = append(exemplars, exemplarsOf(d.Attributes, d.Exemplars)...)
	}
	return out, exemplars
}

// extremum is a minimum or maximum, 0 where there is none: JSON cannot say NaN, and the decoder's tests tell the two apart.
func extremum[N int64 | float64](e metricdata.Extrema[N]) float64 {
	v, defined := e.Value()
	if !defined {
		return 0
	}
	return float64(v)
}

func floats(counts []uint64) []float64 {
	out := []float64{}
	for _, c := range counts {
		out = append(out, float64(c))
	}
	return out
}

func exemplarsOf[N int64 | float64](series attribute.Set, exemplars []metricdata.Exemplar[N]) (out []exemplarView) {
	for _, e := range exemplars {
		out = append(out, exemplarView{Labels: labels(series), TSMS: millis(e.Time), Value: float64(e.Value), TraceID: hex.EncodeToString(e.TraceID),
			SpanID: hex.EncodeToString(e.SpanID), Attributes: labels(attribute.NewSet(e.FilteredAttributes...))})
	}
	return out
}

// stored reads a service's points and exemplars, each with what its series says.
func stored(t *testing.T, p *product, service string) ([]pointView, []exemplarView) {
	t.Helper()
	type series struct {
		pointView
		Fingerprint string `json:"fingerprint"`
	}
	known := map[string]pointView{}
	of := fmt.Sprintf("AS m WHERE m.series IN (SELECT fingerprint FROM metric_series WHERE service = '%s')", service)
	for _, s := range rows[series](t, p, fmt.Sprintf(`SELECT toString(fingerprint) AS fingerprint, name, max(type) AS type,
		max(temporality) AS temporality, CAST(max(s.monotonic) AS Bool) AS monotonic, max(unit) AS unit, max(description) AS description, max(scope) AS scope,
		anyLast(attributes) AS attributes FROM metric_series AS s WHERE service = '%s' GROUP BY name, s.fingerprint`, service)) {
		known[s.Fingerprint] = s.pointView
	}
	type place struct {
		Series  string  `json:"series"`
		TSMS    int64   `json:"ts_ms"`
		StartMS int64   `json:"start_ms"`
		Value   float64 `json:"value"`
	}
	at := func(s string, ts int64) string { return fmt.Sprint(s, "@", ts) }
	type shape struct {
		place
		shapeView
	}
	shapes := map[string]*shapeView{}
	for _, d := range rows[shape](t, p, `SELECT toString(series) AS series, toFloat64(toUnixTimestamp64Milli(ts)) AS ts_ms, toFloat64(count) AS count, sum,
		if(isNaN(min), 0, min) AS min, if(isNaN(max), 0, max) AS max, bounds, arrayMap(x -> toFloat64(x), counts) AS counts, scale,
		toFloat64(zero_count) AS zero_count, positive_offset, negative_offset, arrayMap(x -> toFloat64(x), negative_counts) AS negative_counts
		FROM metric_distributions `+of) {
		shapes[at(d.Series, d.TSMS)] = &d.shapeView
	}
	var points []pointView
	for _, m := range rows[place](t, p, `SELECT toString(series) AS series, toFloat64(toUnixTimestamp64Milli(ts)) AS ts_ms,
		toFloat64(toUnixTimestamp64Milli(start_ts)) AS start_ms, value FROM metric_samples `+of) {
		v := known[m.Series]
		v.TSMS, v.StartMS, v.Value, v.Shape = m.TSMS, m.StartMS, m.Value, shapes[at(m.Series, m.TSMS)]
		points = append(points, v)
	}
	type exemplar struct {
		exemplarView
		Series string `json:"series"`
	}
	var exemplars []exemplarView
	for _, e := range rows[exemplar](t, p, `SELECT toString(series) AS series, name, toFloat64(toUnixTimestamp64Milli(ts)) AS ts_ms, value,
		lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, attributes FROM metric_exemplars `+of) {
		e.Labels = known[e.Series].Attributes
		exemplars = append(exemplars, e.exemplarView)
	}
	return sortedPoints(points), sortedExemplars(exemplars)
}

// sortedPoints brings points into an order of their own.
func sortedPoints(points []pointView) []pointView {
	key := func(v pointView) string { return fmt.Sprint(v.Name, v.Attributes, v.TSMS) }
	slices.SortFunc(points, func(a, b pointView) int { return cmp.Compare(key(a), key(b)) })
	return points
}

func sortedExemplars(exemplars []exemplarView) []exemplarView {
	key := func(e exemplarView) string { return fmt.Sprint(e.Name, e.Labels, e.TSMS, e.Value, e.SpanID) }
	slices.SortFunc(exemplars, func(a, b exemplarView) int { return cmp.Compare(key(a), key(b)) })
	return exemplars
}
