package ingest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// written decodes a remote write request received now.
func written(t testing.TB, d *decoder, body []byte, version2 bool) (*metricColumns, error) {
	t.Helper()
	c := newMetricColumns()
	d.begin(now)
	err := d.remoteWrite(c, body, version2)
	return c, err
}

// series makes one series of version 1.
func series(at int64, v float64, pairs ...string) prompb.TimeSeries {
	ts := prompb.TimeSeries{Samples: []prompb.Sample{{Timestamp: at, Value: v}}}
	for i := 0; i < len(pairs); i += 2 {
		ts.Labels = append(ts.Labels, prompb.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return ts
}

func request1(t testing.TB, all ...prompb.TimeSeries) []byte {
	t.Helper()
	b, err := (&prompb.WriteRequest{Timeseries: all}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRemoteWriteRejectsPointByPoint(t *testing.T) {
	nowMS := now / 1e6
	ok := series(nowMS, 1, "__name__", "x", "a", "1")
	long := fmt.Sprintf("%0300d", 1)
	for _, c := range []struct {
		what, reason string
		bad          prompb.TimeSeries
	}{
		{"no name", rejectNoName, series(nowMS, 1, "a", "1")},
		{"empty name", rejectNoName, series(nowMS, 1, "__name__", "", "a", "1")},
		{"twice the same label", rejectLabels, series(nowMS, 1, "__name__", "x", "a", "1", "a", "2")},
		{"no UTF-8", rejectLabels, series(nowMS, 1, "__name__", "x", "a", "\xff")},
		{"long label", rejectLabels, series(nowMS, 1, "__name__", "x", long, "1")},
		{"nameless label", rejectLabels, series(nowMS, 1, "__name__", "x", "", "1")},
		{"old", rejectTooOld, series(nowMS-400*3600*1000, 1, "__name__", "x")},
		{"before 1970", rejectTooOld, series(-1, 1, "__name__", "x")},
		{"ahead", rejectFuture, series(nowMS+3600*1000, 1, "__name__", "x")},
	} {
		d := testDecoder()
		got, err := written(t, d, request1(t, c.bad, ok), false)
		if err != nil || got.rows() != 1 || d.tally.accepted != 1 || d.tally.rejected != 1 || len(d.tally.reasons) != 1 || d.tally.reasons[0].reason != c.reason {
			t.Errorf("%s: %v, %d rows, %+v", c.what, err, got.rows(), d.tally)
		}
	}
}

func TestRemoteWriteOutOfOrder(t *testing.T) {
	d, nowMS := testDecoder(), now/1e6
	d.caps = newCaps(*d.limits)
	d.limits.OutOfOrder = time.Hour
	for _, c := range []struct {
		at     int64
		v      float64
		reason string
	}{
		{nowMS, 1, ""}, {nowMS, 1, ""}, {nowMS, 2, rejectDuplicate}, {nowMS - 3_600_000, 3, ""}, {nowMS - 3_600_001, 3, rejectOutOfOrder}, {nowMS + 1, 4, ""},
	} {
		got, err := written(t, d, request1(t, series(c.at, c.v, "__name__", "x")), false)
		if err != nil || (got.rows() == 1) != (c.reason == "") || c.reason != "" && d.tally.reasons[0].reason != c.reason {
			t.Errorf("%+v: %v, %d rows, %+v", c, err, got.rows(), d.tally.reasons)
		}
	}
}

// The same labels are one series, however they are encoded, and no series of OTLP.
func TestRemoteWriteSeriesAreOne(t *testing.T) {
	d, nowMS := testDecoder(), now/1e6
	a, err := written(t, d, request1(t, series(nowMS, 1, "__name__", "x", "a", "1", "b", "2", "empty", ""), series(nowMS, 1, "b", "2", "a", "1", "__name__", "x")), false)
	if err != nil || a.rows() != 2 || a.series[0] != a.series[1] || len(a.newSeries) != 1 {
		t.Fatalf("%v: %d rows, series %v, %d new", err, a.rows(), a.series, len(a.newSeries))
	}
	symbols := writev2.NewSymbolTable()
	refs := []uint32{symbols.Symbolize("a"), symbols.Symbolize("1"), symbols.Symbolize("b"), symbols.Symbolize("2"), symbols.Symbolize("__name__"), symbols.Symbolize("x")}
	body, _ := (&writev2.Request{Symbols: symbols.Symbols(), Timeseries: []writev2.TimeSeries{{LabelsRefs: refs, Samples: []writev2.Sample{{Value: 1, Timestamp: nowMS, StartTimestamp: 5}}}}}).Marshal()
	b, err := written(t, d, body, true)
	if err != nil || b.rows() != 1 || b.series[0] != a.series[0] || b.start[0] != 5 {
		t.Fatalf("%v: series %v, want %v, start %v", err, b.series, a.series, b.start)
	}
	want := []keyValue{{"__name__", "x", typeString}, {"a", "1", typeString}, {"b", "2", typeString}}
	if got := a.newSeries[0].attrs(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

// Histograms that contradict themselves are rejected exactly where Prometheus' own check does.
func TestRemoteWriteHistogramsAsPrometheusChecksThem(t *testing.T) {
	g := newGenerator(5)
	nowMS, accepted := now/1e6, 0
	for range 3000 {
		h, fh := g.native()
		p, valid := prompb.FromIntHistogram(nowMS, h), h.Validate() == nil && h.Schema <= mostSchema
		if g.IntN(2) == 0 {
			p, valid = prompb.FromFloatHistogram(nowMS, fh), fh.Validate() == nil && fh.Schema <= mostSchema
		}
		d := testDecoder()
		got, err := written(t, d, request1(t, prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "h"}}, Histograms: []prompb.Histogram{p}}), false)
		if err != nil || (got.rows() == 1) != valid {
			t.Fatalf("%v: accepted %v, want %v: %+v", err, got.rows() == 1, valid, p)
		}
		accepted += got.rows()
	}
	if accepted < 500 || accepted > 2900 {
		t.Errorf("%d of 3000 accepted: the generator makes too few of a kind", accepted)
	}
}

// native makes a native histogram with integers and one with floats, valid mostly.
func (g generator) native() (*histogram.Histogram, *histogram.FloatHistogram) {
	h := &histogram.Histogram{Schema: int32(g.IntN(13) - 4), ZeroThreshold: 0.001, ZeroCount: uint64(g.IntN(3)), Sum: g.NormFloat64()}
	side := func() (spans []histogram.Span, deltas []int64) {
		last, total := int64(0), 0
		for i := range g.IntN(4) {
			s := histogram.Span{Offset: int32(g.IntN(7)), Length: uint32(g.IntN(4))}
			if i == 0 || g.IntN(60) == 0 {
				s.Offset -= 3
			}
			spans, total = append(spans, s), total+int(s.Length)
		}
		if g.IntN(40) == 0 {
			total++
		}
		for range total {
			v := int64(g.IntN(20))
			if g.IntN(200) == 0 {
				v = -v
			}
			deltas = append(deltas, v-last)
			last = v
			h.Count += uint64(v)
		}
		return spans, deltas
	}
	h.PositiveSpans, h.PositiveBuckets = side()
	if g.IntN(4) == 0 {
		h.Schema, h.ZeroCount, h.ZeroThreshold = customBuckets, 0, 0
		for i := range 12 {
			h.CustomValues = append(h.CustomValues, float64(i+g.IntN(40)/39*2))
		}
	} else {
		h.NegativeSpans, h.NegativeBuckets = side()
	}
	h.Count += h.ZeroCount
	switch g.IntN(30) {
	case 0:
		h.Count++
	case 1:
		h.Sum = math.NaN()
	case 2:
		h.Schema = 9
	}
	f := h.ToFloat(nil)
	f.CustomValues = h.CustomValues
	return h, f
}

func TestRemoteWriteMetadata(t *testing.T) {
	d, nowMS := testDecoder(), now/1e6
	body, _ := (&prompb.WriteRequest{Metadata: []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "latency", Help: "how long", Unit: "seconds"},
		{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "hits", Help: "how many"}}}).Marshal()
	if _, err := written(t, d, body, false); err != nil {
		t.Fatal(err)
	}
	c, err := written(t, d, request1(t, series(nowMS, 1, "__name__", "latency_bucket", "le", "1"), series(nowMS, 1, "__name__", "hits"), series(nowMS, 1, "__name__", "level")), false)
	if err != nil {
		t.Fatal(err)
	}
	want := []metricMeta{
		{"sum", "cumulative", "seconds", "how long", "__prometheus__/histogram", true},
		{"sum", "cumulative", "", "how many", "__prometheus__/counter", true},
		{"gauge", "", "", "", "__prometheus__", false},
	}
	for i, s := range c.newSeries {
		if got := *s.described(); got != want[i] {
			t.Errorf("%s: %+v, want %+v", s.name, got, want[i])
		}
	}
	late, _ := (&prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{Type: prompb.MetricMetadata_GAUGE, MetricFamilyName: "level", Help: "how high"}}}).Marshal()
	if _, err := written(t, d, late, false); err != nil {
		t.Fatal(err)
	}
	for n := range 2 { // told after the series was stored: its row is written once more
		c, err = written(t, d, request1(t, series(nowMS+1, 1, "__name__", "level")), false)
		if err != nil || len(c.newSeries) != 1-n || n == 0 && c.newSeries[0].described().description != "how high" {
			t.Errorf("%v: %d rows of series", err, len(c.newSeries))
		}
	}
}

// Whatever arrives, decoding neither panics nor loses count, and never stores more than was there.
func FuzzRemoteWrite(f *testing.F) {
	f.Add(request1(f, series(now/1e6, 1, "__name__", "x", "a", "1")), false)
	symbols := writev2.NewSymbolTable()
	refs := []uint32{symbols.Symbolize("__name__"), symbols.Symbolize("x")}
	b, _ := (&writev2.Request{Symbols: symbols.Symbols(), Timeseries: []writev2.TimeSeries{{LabelsRefs: refs, Samples: []writev2.Sample{{Value: 1, Timestamp: now / 1e6}},
		Exemplars: []writev2.Exemplar{{LabelsRefs: refs, Value: 2, Timestamp: now / 1e6}}}}}).Marshal()
	f.Add(b, true)
	f.Fuzz(func(t *testing.T, body []byte, version2 bool) {
		d := testDecoder()
		c, err := written(t, d, body, version2)
		samples, histograms, _ := CountWritten(body, version2)
		if err == nil && (c.rows() != d.tally.accepted || d.tally.accepted > samples+histograms) {
			t.Errorf("%d rows, %d accepted of %d samples and %d histograms", c.rows(), d.tally.accepted, samples, histograms)
		}
		if len(c.distributions.ts) != d.tally.histograms || len(c.exemplars.ts) != d.tally.exemplars {
			t.Errorf("%d shapes of %d, %d exemplars of %d", len(c.distributions.ts), d.tally.histograms, len(c.exemplars.ts), d.tally.exemplars)
		}
	})
}
