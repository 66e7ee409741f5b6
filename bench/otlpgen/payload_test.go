package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

var testShape = shape{services: 20, routes: 20, attrs: 10}

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 7)) }

// Two sendings of one payload are well formed, differ in every id, keep parents, and lie where they were asked to.
func TestTracesAreUniqueAndCurrent(t *testing.T) {
	p, err := traces(random(), testShape, 500, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(time.Now().UnixNano())
	seen := map[pcommon.SpanID]bool{}
	for sending := range uint64(2) {
		r := ptraceotlp.NewExportRequest()
		if err := r.UnmarshalProto(p.patch(nil, sending, now)); err != nil {
			t.Fatal(err)
		}
		if n := r.Traces().SpanCount(); n != p.items {
			t.Fatalf("%d spans, want %d", n, p.items)
		}
		eachSpan(r.Traces(), func(s ptrace.Span) {
			if seen[s.SpanID()] {
				t.Fatalf("span %s was sent before", s.SpanID())
			}
			seen[s.SpanID()] = true
			if at := uint64(s.StartTimestamp()); at < now || at > now+2e9 {
				t.Fatalf("start %d is not current", at)
			}
			if s.EndTimestamp() < s.StartTimestamp() {
				t.Fatal("a span ends before it begins")
			}
		})
		eachSpan(r.Traces(), func(s ptrace.Span) {
			if parent := s.ParentSpanID(); !parent.IsEmpty() && !seen[parent] {
				t.Fatalf("parent %s of %s is not in the request", parent, s.SpanID())
			}
		})
	}
}

func eachSpan(td ptrace.Traces, f func(ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				f(s)
			}
		}
	}
}

func TestLogsAreRealistic(t *testing.T) {
	p, err := logs(random(), testShape, 500, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := plogotlp.NewExportRequest()
	if err := r.UnmarshalProto(p.patch(nil, 3, uint64(time.Now().UnixNano()))); err != nil {
		t.Fatal(err)
	}
	if n := r.Logs().LogRecordCount(); n != 500 || p.items != 500 {
		t.Fatalf("%d records, said %d, want 500", n, p.items)
	}
	if size := len(p.body) / p.items; size < 280 || size > 450 {
		t.Errorf("%d bytes a record, want 300 to 400", size)
	}
	within := 0
	for _, rl := range r.Logs().ResourceLogs().All() {
		for _, l := range rl.ScopeLogs().At(0).LogRecords().All() {
			if l.Attributes().Len() < 8 {
				t.Fatalf("%d attributes, want 8 or more", l.Attributes().Len())
			}
			if !l.TraceID().IsEmpty() {
				within++
			}
			var _ plog.LogRecord = l
		}
	}
	if within < 200 || within > 300 {
		t.Errorf("%d of 500 records are within a trace, want half", within)
	}
}

// The series of an instance are distinct and the same at each sending, those of two instances differ, and counters
// never fall.
func TestMetricsKeepTheirSeries(t *testing.T) {
	r := random()
	first, err := metrics(r, testShape, 500, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := metrics(r, testShape, 500, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(time.Now().UnixNano())
	before, after, elsewhere := points(t, first.patch(nil, 1, now)), points(t, first.patch(nil, 2, now+10e9)), points(t, other.patch(nil, 3, now))
	if len(before) != first.items {
		t.Errorf("%d distinct series, want %d", len(before), first.items)
	}
	for key, v := range before {
		w, ok := after[key]
		if !ok {
			t.Fatalf("series %s is gone", key)
		}
		if _, shared := elsewhere[key]; shared {
			t.Fatalf("series %s belongs to two instances", key)
		}
		if w.counter && w.value < v.value {
			t.Errorf("series %s fell from %g to %g", key, v.value, w.value)
		}
	}
}

type value struct {
	value   float64
	counter bool
}

func points(t *testing.T, body []byte) map[string]value {
	t.Helper()
	r := pmetricotlp.NewExportRequest()
	if err := r.UnmarshalProto(body); err != nil {
		t.Fatal(err)
	}
	out := map[string]value{}
	rm := r.Metrics().ResourceMetrics().At(0)
	instance, _ := rm.Resource().Attributes().Get("service.instance.id")
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		key := func(a pcommon.Map) string {
			text := instance.AsString() + " " + m.Name()
			for k, v := range a.All() {
				text += " " + k + "=" + v.AsString()
			}
			return text
		}
		number := func(ps pmetric.NumberDataPointSlice, counter bool) {
			for _, p := range ps.All() {
				v := p.DoubleValue()
				if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
					v = float64(p.IntValue())
				}
				out[key(p.Attributes())] = value{v, counter}
			}
		}
		switch m.Type() {
		case pmetric.MetricTypeGauge:
			number(m.Gauge().DataPoints(), false)
		case pmetric.MetricTypeSum:
			number(m.Sum().DataPoints(), true)
		case pmetric.MetricTypeHistogram:
			for _, p := range m.Histogram().DataPoints().All() {
				if p.BucketCounts().Len() != p.ExplicitBounds().Len()+1 {
					t.Fatal("a histogram's counts do not fit its bounds")
				}
				out[key(p.Attributes())] = value{float64(p.Count()), true}
			}
		}
	}
	return out
}
