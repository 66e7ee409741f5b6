package ingest

import (
	"fmt"
	"math"
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

// generator makes varied requests: every field and every type of value, with oddities.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 99))} }

func (g generator) text() string {
	return []string{"", "a", "GET /x", "zürich ☃", "with \"quotes\" \\ and <html> & \n", fmt.Sprintf("value-%d", g.IntN(30)),
		fmt.Sprintf("%0200d", g.IntN(9)), "\x00\x01"}[g.IntN(8)]
}

func (g generator) value(v pcommon.Value, depth int) {
	switch n := g.IntN(9); {
	case n == 0:
		v.SetBool(g.IntN(2) == 0)
	case n == 1:
		v.SetInt(g.Int64() - g.Int64())
	case n == 2:
		v.SetDouble([]float64{0, 1.5, -2e300, math.Inf(1), math.NaN(), 1e-7, 1234567}[g.IntN(7)])
	case n == 3:
		v.SetEmptyBytes().FromRaw([]byte(g.text()))
	case n == 4 && depth > 0:
		s := v.SetEmptySlice()
		for range g.IntN(4) {
			g.value(s.AppendEmpty(), depth-1)
		}
	case n == 5 && depth > 0:
		m := v.SetEmptyMap()
		for i := range g.IntN(4) {
			g.value(m.PutEmpty(fmt.Sprintf("k%d", i)), depth-1)
		}
	case n == 6:
	default:
		v.SetStr(g.text())
	}
}

func (g generator) attributes(m pcommon.Map) {
	for i := range g.IntN(8) {
		g.value(m.PutEmpty(fmt.Sprintf("key.%d", i+g.IntN(3)*10)), 3)
	}
}

func (g generator) resource(r pcommon.Resource) {
	if g.IntN(4) > 0 {
		r.Attributes().PutStr("service.name", fmt.Sprintf("service-%d", g.IntN(5)))
	}
	g.attributes(r.Attributes())
}

func (g generator) scope(s pcommon.InstrumentationScope) {
	if g.IntN(3) > 0 {
		s.SetName(g.text())
		s.SetVersion([]string{"", "1.0"}[g.IntN(2)])
	}
}

func (g generator) time() pcommon.Timestamp {
	switch g.IntN(20) {
	case 0:
		return 0
	case 1:
		return pcommon.Timestamp(now + int64(time.Hour))
	case 2:
		return pcommon.Timestamp(now - int64(400*time.Hour))
	}
	return pcommon.Timestamp(now - g.Int64N(int64(48*time.Hour)))
}

func (g generator) traceID() (id pcommon.TraceID) {
	if g.IntN(15) > 0 {
		for i := range id {
			id[i] = byte(g.IntN(256))
		}
	}
	return id
}

func (g generator) spanID() (id pcommon.SpanID) {
	if g.IntN(15) > 0 {
		for i := range id {
			id[i] = byte(g.IntN(256))
		}
	}
	return id
}

func (g generator) traces() []byte {
	td := ptrace.NewTraces()
	for range g.IntN(4) {
		rs := td.ResourceSpans().AppendEmpty()
		g.resource(rs.Resource())
		for range g.IntN(3) {
			ss := rs.ScopeSpans().AppendEmpty()
			g.scope(ss.Scope())
			for range g.IntN(8) {
				g.span(ss.Spans().AppendEmpty())
			}
		}
	}
	b, _ := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	return b
}

func (g generator) span(s ptrace.Span) {
	s.SetTraceID(g.traceID())
	s.SetSpanID(g.spanID())
	s.SetParentSpanID(g.spanID())
	s.TraceState().FromRaw(g.text())
	s.SetFlags(g.Uint32())
	s.SetName(g.text())
	s.SetKind(ptrace.SpanKind(g.IntN(8)))
	s.SetStartTimestamp(g.time())
	s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(g.IntN(1e9)))
	if g.IntN(10) == 0 {
		s.SetEndTimestamp(g.time())
	}
	g.attributes(s.Attributes())
	for range g.IntN(3) {
		e := s.Events().AppendEmpty()
		e.SetName(g.text())
		e.SetTimestamp(g.time())
		g.attributes(e.Attributes())
	}
	for range g.IntN(3) {
		l := s.Links().AppendEmpty()
		l.SetTraceID(g.traceID())
		l.SetSpanID(g.spanID())
		g.attributes(l.Attributes())
	}
	s.SetDroppedAttributesCount(uint32(g.IntN(3)))
	s.SetDroppedEventsCount(uint32(g.IntN(3)))
	s.SetDroppedLinksCount(uint32(g.IntN(3)))
	s.Status().SetCode(ptrace.StatusCode(g.IntN(4)))
	s.Status().SetMessage(g.text())
}

func (g generator) logs() []byte {
	ld := plog.NewLogs()
	for range g.IntN(4) {
		rl := ld.ResourceLogs().AppendEmpty()
		g.resource(rl.Resource())
		for range g.IntN(3) {
			sl := rl.ScopeLogs().AppendEmpty()
			g.scope(sl.Scope())
			for range g.IntN(8) {
				l := sl.LogRecords().AppendEmpty()
				l.SetTimestamp(g.time())
				l.SetObservedTimestamp(g.time())
				l.SetSeverityNumber(plog.SeverityNumber(g.IntN(30)))
				l.SetSeverityText(g.text())
				g.value(l.Body(), 4)
				l.SetEventName(g.text())
				l.SetTraceID(g.traceID())
				l.SetSpanID(g.spanID())
				l.SetFlags(plog.LogRecordFlags(g.IntN(2)))
				g.attributes(l.Attributes())
				l.SetDroppedAttributesCount(uint32(g.IntN(3)))
			}
		}
	}
	b, _ := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	return b
}

func (g generator) metrics() []byte {
	md := pmetric.NewMetrics()
	for range g.IntN(4) {
		rm := md.ResourceMetrics().AppendEmpty()
		g.resource(rm.Resource())
		for range g.IntN(3) {
			sm := rm.ScopeMetrics().AppendEmpty()
			g.scope(sm.Scope())
			for range g.IntN(8) {
				g.metric(sm.Metrics().AppendEmpty())
			}
		}
	}
	b, _ := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	return b
}

func (g generator) number(p pmetric.NumberDataPoint) {
	p.SetTimestamp(g.time())
	p.SetStartTimestamp(g.time())
	if g.IntN(2) == 0 {
		p.SetIntValue(g.Int64())
	} else {
		p.SetDoubleValue(g.NormFloat64())
	}
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(g.IntN(5) == 0))
	g.attributes(p.Attributes())
	g.exemplars(p.Exemplars())
}

func (g generator) exemplars(es pmetric.ExemplarSlice) {
	for range g.IntN(3) {
		e := es.AppendEmpty()
		e.SetTimestamp(g.time())
		e.SetTraceID(g.traceID())
		e.SetSpanID(g.spanID())
		e.SetDoubleValue(g.Float64())
		g.attributes(e.FilteredAttributes())
	}
}

func (g generator) metric(m pmetric.Metric) {
	m.SetName([]string{"", "http.server.duration", "jvm.memory", "x"}[g.IntN(4)])
	m.SetUnit(g.text())
	m.SetDescription(g.text())
	temporality := pmetric.AggregationTemporality(g.IntN(3))
	switch g.IntN(6) {
	case 0:
		for range g.IntN(3) {
			g.number(m.SetEmptyGauge().DataPoints().AppendEmpty())
		}
	case 1:
		s := m.SetEmptySum()
		s.SetAggregationTemporality(temporality)
		s.SetIsMonotonic(g.IntN(2) == 0)
		for range g.IntN(3) {
			g.number(s.DataPoints().AppendEmpty())
		}
	case 2:
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		for range g.IntN(3) {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetStartTimestamp(g.time())
			p.SetCount(g.Uint64())
			p.SetSum(g.Float64())
			if g.IntN(2) == 0 {
				p.SetMin(g.Float64())
				p.SetMax(g.Float64())
			}
			if n := g.IntN(5); n > 0 {
				for i := range n {
					p.ExplicitBounds().Append(float64(i))
					p.BucketCounts().Append(g.Uint64N(100))
				}
				p.BucketCounts().Append(3)
			}
			g.attributes(p.Attributes())
			g.exemplars(p.Exemplars())
		}
	case 3:
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		for range g.IntN(3) {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetCount(g.Uint64N(1000))
			p.SetSum(g.Float64())
			p.SetScale(int32(g.IntN(25) - 10))
			p.SetZeroCount(g.Uint64N(5))
			p.SetZeroThreshold(g.Float64())
			p.Positive().SetOffset(int32(g.IntN(2000) - 1000))
			p.Negative().SetOffset(int32(g.IntN(2000) - 1000))
			for range g.IntN(9) {
				p.Positive().BucketCounts().Append(g.Uint64N(1e6))
				p.Negative().BucketCounts().Append(g.Uint64N(10))
			}
			if g.IntN(2) == 0 {
				p.SetMin(-1)
				p.SetMax(7)
			}
			g.attributes(p.Attributes())
			g.exemplars(p.Exemplars())
		}
	case 4:
		for range g.IntN(3) {
			p := m.SetEmptySummary().DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetCount(4)
			p.SetSum(g.Float64())
			for i := range g.IntN(4) {
				q := p.QuantileValues().AppendEmpty()
				q.SetQuantile(float64(i) / 4)
				q.SetValue(g.Float64())
			}
			g.attributes(p.Attributes())
		}
	}
}

func TestDecodersAgreeWithPdata(t *testing.T) {
	for seed := range uint64(1500) {
		g := newGenerator(seed)
		for signal, body := range map[Signal][]byte{Traces: g.traces(), Logs: g.logs(), Metrics: g.metrics()} {
			if !check(t, signal, body) {
				t.Fatalf("seed %d: pdata does not understand its own %s", seed, signal)
			}
		}
	}
}

func fuzzDecoder(f *testing.F, signal Signal, make func(generator) []byte) {
	for seed := range uint64(20) {
		f.Add(make(newGenerator(seed)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := testDecoder()
		d.begin(now)
		b := newBatch()
		if err := b.decode(d, signal, body); err != nil && b.spans.rows()+b.logs.rows()+b.metrics.rows() != 0 {
			t.Fatal("rows of a malformed request remain")
		}
	})
}

func FuzzTraces(f *testing.F)  { fuzzDecoder(f, Traces, generator.traces) }
func FuzzLogs(f *testing.F)    { fuzzDecoder(f, Logs, generator.logs) }
func FuzzMetrics(f *testing.F) { fuzzDecoder(f, Metrics, generator.metrics) }

// TestDamagedRequests flips bytes: whatever pdata still understands must lead to the same rows here, and nothing may
// panic or leave rows behind.
func TestDamagedRequests(t *testing.T) {
	understood := 0
	for seed := range uint64(4000) {
		g := newGenerator(seed)
		for signal, body := range map[Signal][]byte{Traces: g.traces(), Logs: g.logs(), Metrics: g.metrics()} {
			if len(body) == 0 {
				continue
			}
			for range 1 + g.IntN(3) {
				body[g.IntN(len(body))] = byte(g.IntN(256))
			}
			if check(t, signal, body) {
				understood++
			}
		}
	}
	if understood < 1000 {
		t.Fatalf("only %d of the damaged requests were understood: the test shows nothing", understood)
	}
}
