package ingest

import (
	"encoding/binary"
	"fmt"
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

// typicalRequest is 500 spans of ten attributes from twenty services.
func typicalRequest() []byte {
	td := ptrace.NewTraces()
	for service := range 20 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", service))
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("otelhttp")
		for i := range 25 {
			s := ss.Spans().AppendEmpty()
			var id [16]byte
			binary.LittleEndian.PutUint64(id[:], uint64(service*100+i)+1)
			s.SetTraceID(id)
			s.SetSpanID(pcommon.SpanID(id[:8]))
			s.SetName(fmt.Sprintf("GET /api/%d", i))
			s.SetKind(ptrace.SpanKindServer)
			s.SetStartTimestamp(pcommon.Timestamp(now))
			s.SetEndTimestamp(pcommon.Timestamp(now + 1e6))
			s.Attributes().PutInt("http.response.status_code", 200)
			for a := range 9 {
				s.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", a), fmt.Sprintf("value-%d", (i*a)%50))
			}
		}
	}
	b, _ := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	return b
}

// typicalLogs is 500 records of six attributes from twenty services.
func typicalLogs() []byte {
	ld := plog.NewLogs()
	for service := range 20 {
		rl := ld.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", service))
		sl := rl.ScopeLogs().AppendEmpty()
		sl.Scope().SetName("slog")
		for i := range 25 {
			l := sl.LogRecords().AppendEmpty()
			l.SetTimestamp(pcommon.Timestamp(now))
			l.SetObservedTimestamp(pcommon.Timestamp(now))
			l.SetSeverityNumber(plog.SeverityNumberInfo)
			l.SetSeverityText("INFO")
			l.Body().SetStr(fmt.Sprintf("order %d was taken in, and will be packed by hand within the hour", service*100+i))
			l.Attributes().PutInt("http.response.status_code", 200)
			for a := range 5 {
				l.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", a), fmt.Sprintf("value-%d", (i*a)%50))
			}
		}
	}
	b, _ := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	return b
}

// typicalMetrics is 500 points of a counter and a gauge with four attributes from twenty services.
func typicalMetrics() []byte {
	md := pmetric.NewMetrics()
	for service := range 20 {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", service))
		sm := rm.ScopeMetrics().AppendEmpty()
		requests, memory := sm.Metrics().AppendEmpty(), sm.Metrics().AppendEmpty()
		requests.SetName("http.server.requests")
		sum := requests.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		memory.SetName("process.memory.usage")
		gauge := memory.SetEmptyGauge()
		for i := range 25 {
			var p pmetric.NumberDataPoint
			if i%5 == 0 {
				p = gauge.DataPoints().AppendEmpty()
				p.SetDoubleValue(float64(i) * 1e6)
			} else {
				p = sum.DataPoints().AppendEmpty()
				p.SetIntValue(int64(i))
			}
			p.SetTimestamp(pcommon.Timestamp(now))
			p.SetStartTimestamp(pcommon.Timestamp(now))
			for a := range 4 {
				p.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", a), fmt.Sprintf("value-%d-%d", a, i))
			}
		}
	}
	b, _ := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	return b
}

// budgets is what decoding a request of 500 items may cost: allocations, and time as a part of what pdata takes to
// merely unmarshal it, without making rows of it. Wall time would say more of the machine than of the code.
var budgets = []struct {
	signal    Signal
	body      func() []byte
	unmarshal func([]byte) error
	allocs    float64
	ofPdata   float64
}{
	{Traces, typicalRequest, func(b []byte) error { return ptraceotlp.NewExportRequest().UnmarshalProto(b) }, 5, 0.8},
	{Logs, typicalLogs, func(b []byte) error { return plogotlp.NewExportRequest().UnmarshalProto(b) }, 5, 0.8},
	{Metrics, typicalMetrics, func(b []byte) error { return pmetricotlp.NewExportRequest().UnmarshalProto(b) }, 5, 0.5},
}

// decoding decodes a request over and over, into a batch that is emptied now and then.
func decoding(t testing.TB, signal Signal, body []byte) func() {
	d, b := testDecoder(), newBatch()
	return func() {
		if b.rows > 100_000 {
			b.reset()
		}
		d.begin(now)
		if err := b.decode(d, signal, body); err != nil {
			t.Fatal(err)
		}
	}
}

// Decoding allocates nothing for an item: the columns have grown, the strings are known.
func TestDecodingDoesNotAllocate(t *testing.T) {
	for _, c := range budgets {
		d, b, body := testDecoder(), newBatch(), c.body()
		decode := func() {
			b.reset()
			d.begin(now)
			if err := b.decode(d, c.signal, body); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		if d.tally.accepted != 500 {
			t.Fatalf("%s: %d accepted, %d rejected", c.signal, d.tally.accepted, d.tally.rejected)
		}
		if n := testing.AllocsPerRun(50, decode); n > c.allocs {
			t.Errorf("%s: %.0f allocations for 500 items, budget %.0f", c.signal, n, c.allocs)
		}
	}
}

func TestEncodingHardlyAllocates(t *testing.T) {
	d, b, body := testDecoder(), newBatch(), typicalRequest()
	d.begin(now)
	if err := b.decode(d, Traces, body); err != nil {
		t.Fatal(err)
	}
	w := writer{red: newRollup()}
	encode := func() { w.block.spanBlock(b.spans, w.sort.sortSpans(b.spans)[0].perm) }
	encode()
	if n := testing.AllocsPerRun(50, encode); n > 60 {
		t.Errorf("%.0f allocations for encoding 500 spans", n)
	}
}

// Rows are made of a request in less time than pdata takes to unmarshal it. The quickest of many short rounds of each,
// in turn, is compared, so that other work on the machine does not decide.
func TestDecodingIsFasterThanUnmarshalling(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector slows the two differently")
	}
	for _, c := range budgets {
		body := c.body()
		ours := decoding(t, c.signal, body)
		quickest := func(f func(), before time.Duration) time.Duration {
			begun := time.Now()
			for range 4 {
				f()
			}
			return min(before, time.Since(begun))
		}
		for range 250 { // the columns grow to their size
			ours()
		}
		a, b := time.Hour, time.Hour
		for range 200 {
			a = quickest(ours, a)
			b = quickest(func() {
				if err := c.unmarshal(body); err != nil {
					t.Fatal(err)
				}
			}, b)
		}
		t.Logf("%s: %.0f ns an item, pdata %.0f ns: %.2f of it", c.signal, float64(a)/2000, float64(b)/2000, float64(a)/float64(b))
		if float64(a) > c.ofPdata*float64(b) {
			t.Errorf("%s: decoding took %s, pdata %s: %.2f of it, budget %.2f", c.signal, a, b, float64(a)/float64(b), c.ofPdata)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range budgets {
		b.Run(c.signal.String(), func(b *testing.B) {
			body := c.body()
			decode := decoding(b, c.signal, body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				decode()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/item")
		})
		b.Run(c.signal.String()+"/pdata", func(b *testing.B) {
			body := c.body()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.unmarshal(body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/item")
		})
	}
}

func BenchmarkEncodeSpans(b *testing.B) {
	d, batch, body := testDecoder(), newBatch(), typicalRequest()
	for batch.rows < 50_000 {
		d.begin(now)
		if err := batch.decode(d, Traces, body); err != nil {
			b.Fatal(err)
		}
	}
	w := writer{red: newRollup()}
	ops := newOperations(newCaps(DefaultLimits()))
	b.ReportAllocs()
	for b.Loop() {
		for _, day := range w.sort.sortSpans(batch.spans) {
			w.block.spanBlock(batch.spans, day.perm)
			w.traces.aggregate(batch.spans, day.perm)
			w.red.aggregate(batch.spans, day.perm, ops)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.rows), "ns/span")
}
