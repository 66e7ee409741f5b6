// Package otlpsink is an OTLP/gRPC endpoint in memory for tests: it accepts
// everything, keeps it, and answers questions about it. Its main type is Sink.
package otlpsink

import (
	"context"
	"encoding/hex"
	"net"
	"sync"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Span is a received span with its resource's attributes.
type Span struct {
	*traces.Span
	Resource Attributes
	Attrs    Attributes
}

// Trace returns the trace id in hexadecimal.
func (s Span) Trace() string { return hex.EncodeToString(s.TraceId) }

// Log is a received log record with its resource's attributes.
type Log struct {
	*logs.LogRecord
	Resource Attributes
}

// Metric is a received metric with its resource's attributes.
type Metric struct {
	*metrics.Metric
	Resource Attributes
}

// Attributes are string forms of attribute values, by key.
type Attributes map[string]string

// Sink keeps what it received.
type Sink struct {
	Address string

	mu      sync.Mutex // guards what follows
	spans   []Span
	logs    []Log
	metrics []Metric
}

// Start listens on a free loopback port until the test ends.
func Start(t testing.TB) *Sink {
	t.Helper()
	return StartAt(t, "127.0.0.1:0")
}

// StartAt listens on an address until the test ends.
func StartAt(t testing.TB, address string) *Sink {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	sink := &Sink{Address: listener.Addr().String()}
	server := grpc.NewServer()
	coltraces.RegisterTraceServiceServer(server, traceReceiver{sink: sink})
	collogs.RegisterLogsServiceServer(server, logReceiver{sink: sink})
	colmetrics.RegisterMetricsServiceServer(server, metricReceiver{sink: sink})
	go server.Serve(listener) // returns when stopped
	t.Cleanup(server.Stop)
	return sink
}

type traceReceiver struct {
	coltraces.UnimplementedTraceServiceServer
	sink *Sink
}

func (r traceReceiver) Export(_ context.Context, req *coltraces.ExportTraceServiceRequest) (*coltraces.ExportTraceServiceResponse, error) {
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		resource := plain(rs.Resource.Attributes)
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				r.sink.spans = append(r.sink.spans, Span{span, resource, plain(span.Attributes)})
			}
		}
	}
	return &coltraces.ExportTraceServiceResponse{}, nil
}

type logReceiver struct {
	collogs.UnimplementedLogsServiceServer
	sink *Sink
}

func (r logReceiver) Export(_ context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	for _, rl := range req.ResourceLogs {
		resource := plain(rl.Resource.Attributes)
		for _, sl := range rl.ScopeLogs {
			for _, record := range sl.LogRecords {
				r.sink.logs = append(r.sink.logs, Log{record, resource})
			}
		}
	}
	return &collogs.ExportLogsServiceResponse{}, nil
}

type metricReceiver struct {
	colmetrics.UnimplementedMetricsServiceServer
	sink *Sink
}

func (r metricReceiver) Export(_ context.Context, req *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	for _, rm := range req.ResourceMetrics {
		resource := plain(rm.Resource.Attributes)
		for _, sm := range rm.ScopeMetrics {
			for _, metric := range sm.Metrics {
				r.sink.metrics = append(r.sink.metrics, Metric{metric, resource})
			}
		}
	}
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

// Spans returns all spans received so far.
func (s *Sink) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Span(nil), s.spans...)
}

// Logs returns all log records received so far.
func (s *Sink) Logs() []Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Log(nil), s.logs...)
}

// Metrics returns all metrics received so far, once for each export.
func (s *Sink) Metrics() []Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Metric(nil), s.metrics...)
}

func plain(attributes []*common.KeyValue) Attributes {
	out := Attributes{}
	for _, kv := range attributes {
		if text, ok := kv.Value.GetValue().(*common.AnyValue_StringValue); ok {
			out[kv.Key] = text.StringValue
		} else {
			out[kv.Key] = kv.Value.String()
		}
	}
	return out
}
