package main_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// sender is an OTLP/gRPC client without an SDK's queue and retries: each call is one request with its answer.
type sender struct {
	client collectortrace.TraceServiceClient
}

func newSender(t testing.TB, p *product) *sender {
	t.Helper()
	conn, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &sender{client: collectortrace.NewTraceServiceClient(conn)}
}

// request is one trace of n server spans that begin now, with ids never used before.
func request(service string, n int) *collectortrace.ExportTraceServiceRequest {
	traceID := randomBytes(16)
	now := uint64(time.Now().UnixNano())
	spans := make([]*trace.Span, n)
	for i := range spans {
		spans[i] = &trace.Span{
			TraceId: traceID, SpanId: randomBytes(8), Name: "GET /item", Kind: trace.Span_SPAN_KIND_SERVER,
			StartTimeUnixNano: now, EndTimeUnixNano: now + uint64(2*time.Millisecond) + uint64(i),
			Attributes: []*common.KeyValue{stringAttribute("http.route", "/item"), stringAttribute("n", fmt.Sprint(i))},
		}
	}
	return &collectortrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: []*common.KeyValue{stringAttribute("service.name", service)}},
		ScopeSpans: []*trace.ScopeSpans{{Spans: spans}},
	}}}
}

func stringAttribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func traceOf(r *collectortrace.ExportTraceServiceRequest) string {
	return hex.EncodeToString(r.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId)
}

// send delivers a request once. An answer that rejects spans is an error.
func (s *sender) send(ctx context.Context, r *collectortrace.ExportTraceServiceRequest) error {
	answer, err := s.client.Export(ctx, r)
	if err != nil {
		return err
	}
	if partial := answer.GetPartialSuccess(); partial.GetRejectedSpans() > 0 {
		return fmt.Errorf("%d spans rejected: %s", partial.GetRejectedSpans(), partial.GetErrorMessage())
	}
	return nil
}

// mustSend delivers n spans of a service in one request and returns n.
func (s *sender) mustSend(t testing.TB, service string, n int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.send(ctx, request(service, n)); err != nil {
		t.Fatalf("send %d spans of %s: %v", n, service, err)
	}
	return n
}

// retryable reports whether the specification lets a client send the same request again.
func retryable(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return true
	case codes.ResourceExhausted:
		return len(status.Convert(err).Details()) > 0 // RetryInfo
	}
	return false
}

// ledger is what clients remember of their requests: trace id → spans.
type ledger struct {
	mu    sync.Mutex // guards the rest
	acked map[string]int
	again map[string]bool // sent more than once: the client could not know whether the first attempt had been stored
	spans int
	other []error // answers after which the specification forbids to try again
}

func (l *ledger) ack(r *collectortrace.ExportTraceServiceRequest, attempts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if attempts > 1 {
		l.again[traceOf(r)] = true
	}
	n := len(r.ResourceSpans[0].ScopeSpans[0].Spans)
	l.acked[traceOf(r)] = n
	l.spans += n
}

func (l *ledger) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.other = append(l.other, err)
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spans
}

// load keeps clients sending requests of spansEach spans until stop is called. With again, a client sends a request that
// failed retryably once more until it is acknowledged, as SDKs do; without, it forgets it.
func load(t testing.TB, p *product, service string, clients, spansEach int, again bool) (l *ledger, stop func()) {
	t.Helper()
	l = &ledger{acked: map[string]int{}, again: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range clients {
		s := newSender(t, p)
		running.Go(func() {
			for ctx.Err() == nil {
				s.deliver(ctx, request(service, spansEach), l, again)
			}
		})
	}
	return l, sync.OnceFunc(func() { cancel(); running.Wait() })
}

func (s *sender) deliver(ctx context.Context, r *collectortrace.ExportTraceServiceRequest, l *ledger, again bool) {
	for attempts := 1; ; attempts++ {
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		err := s.send(attempt, r)
		cancel()
		switch {
		case err == nil:
			l.ack(r, attempts)
			return
		case !retryable(err):
			l.refuse(err)
			return
		case !again || ctx.Err() != nil:
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func processLives(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
