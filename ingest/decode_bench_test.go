package ingest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
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

// Decoding allocates nothing for a span: the columns have grown, the strings are known.
func TestDecodingDoesNotAllocate(t *testing.T) {
	d, b, body := testDecoder(), newBatch(), typicalRequest()
	decode := func() {
		b.reset()
		d.begin(now)
		if err := b.decode(d, Traces, body); err != nil {
			t.Fatal(err)
		}
	}
	decode()
	if n := testing.AllocsPerRun(50, decode); n > 5 {
		t.Errorf("%.0f allocations for 500 spans", n)
	}
	w := writer{red: newRollup()}
	encode := func() { w.block.spanBlock(b.spans, w.sort.sortSpans(b.spans)[0].perm) }
	encode()
	if n := testing.AllocsPerRun(50, encode); n > 60 {
		t.Errorf("%.0f allocations for encoding 500 spans", n)
	}
}

func BenchmarkDecodeSpans(b *testing.B) {
	d, batch, body := testDecoder(), newBatch(), typicalRequest()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if batch.rows > 100_000 {
			batch.reset()
		}
		d.begin(now)
		if err := batch.decode(d, Traces, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/span")
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
