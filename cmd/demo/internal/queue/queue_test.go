package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recording returns telemetry that keeps its spans.
func recording(t *testing.T) (*telemetry.Providers, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	metrics := sdkmetric.NewMeterProvider()
	return &telemetry.Providers{
		Tracer: traces.Tracer(""), Meter: metrics.Meter(""), Log: slog.New(slog.DiscardHandler), Traces: traces, Metrics: metrics,
	}, spans
}

func mustProduce(t *testing.T, topic *Topic, p *telemetry.Providers) *Producer {
	t.Helper()
	producer, err := topic.Producer(p)
	if err != nil {
		t.Fatal(err)
	}
	return producer
}

func TestEveryGroupGetsEveryMessageInOrder(t *testing.T) {
	p, spans := recording(t)
	topic := NewTopic("orders", 100)
	producer := mustProduce(t, topic, p)
	var mu sync.Mutex
	got := map[string]string{}
	var groups []*Group
	for _, name := range []string{"one", "two"} {
		group, err := topic.Subscribe(name, p, 4, func(_ context.Context, batch []Message) error {
			mu.Lock()
			defer mu.Unlock()
			for _, msg := range batch {
				got[name] += string(msg.Body)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, group)
	}
	want := ""
	for n := range 30 {
		if err := producer.Send(t.Context(), fmt.Appendf(nil, "%d,", n)); err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("%d,", n)
	}
	for _, group := range groups { // Stop works off what waits
		if err := group.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got["one"] != want || got["two"] != want {
		t.Errorf("groups got %q", got)
	}
	if err := producer.Send(t.Context(), nil); err != nil {
		t.Errorf("send with nobody subscribed: %v", err)
	}

	linked := map[string]int{}
	for _, span := range spans.Ended() {
		if span.SpanKind() == trace.SpanKindConsumer {
			if span.Parent().IsValid() || len(span.Links()) == 0 || len(span.Links()) > 4 {
				t.Errorf("consumer span with parent %v and %d links", span.Parent().IsValid(), len(span.Links()))
			}
			for _, link := range span.Links() {
				linked[link.SpanContext.SpanID().String()]++
			}
		}
	}
	for producer, times := range linked {
		if times != 2 {
			t.Errorf("producer span %s is linked %d times, want once by each group", producer, times)
		}
	}
	if len(linked) != 30 {
		t.Errorf("%d producer spans are linked, want all 30", len(linked))
	}
}

func TestAFullGroupFailsTheSender(t *testing.T) {
	p, spans := recording(t)
	topic := NewTopic("orders", 2)
	producer := mustProduce(t, topic, p)
	started, release := make(chan bool, 10), make(chan bool)
	group, err := topic.Subscribe("slow", p, 1, func(context.Context, []Message) error {
		started <- true
		<-release
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func() error { return producer.Send(t.Context(), []byte("x")) }
	if err := send(); err != nil {
		t.Fatal(err)
	}
	<-started // one in work, two fit behind it
	for range 2 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(); err == nil || !strings.Contains(err.Error(), "group slow already holds 2") {
		t.Errorf("sending to a full group: %v", err)
	}
	ended := spans.Ended()
	if last := ended[len(ended)-1]; last.Status().Code.String() != "Error" {
		t.Errorf("the producer span that failed has status %v", last.Status())
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := group.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopping a busy group within 10 ms: %v", err)
	}
	close(release)
	if err := group.Stop(t.Context()); err != nil {
		t.Errorf("stopping it with time: %v", err)
	}
}

func TestAFailingHandlerMarksItsSpanAndGoesOn(t *testing.T) {
	p, spans := recording(t)
	topic := NewTopic("orders", 10)
	producer := mustProduce(t, topic, p)
	group, err := topic.Subscribe("picky", p, 1, func(_ context.Context, batch []Message) error {
		if string(batch[0].Body) == "bad" {
			return errors.New("cannot digest")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"bad", "good"} {
		if err := producer.Send(t.Context(), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := group.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var statuses []string
	for _, span := range spans.Ended() {
		if span.SpanKind() == trace.SpanKindConsumer {
			statuses = append(statuses, span.Status().Code.String())
		}
	}
	if strings.Join(statuses, ",") != "Error,Unset" {
		t.Errorf("consumer spans have status %v", statuses)
	}
}
