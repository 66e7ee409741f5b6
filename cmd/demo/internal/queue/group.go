package queue

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// Handler works on a batch of at least one message within the consumer span.
type Handler func(ctx context.Context, batch []Message) error

// Group is one consumer of a topic: it receives every message once.
type Group struct {
	topic    *Topic
	name     string
	messages chan Message // sent to under topic.mu, closed by Stop under the same
	maxBatch int
	handle   Handler
	done     chan struct{}

	p        *telemetry.Providers
	consumed metric.Int64Counter
	duration metric.Float64Histogram
	labels   []attribute.KeyValue
}

// Subscribe starts a consumer group that hands up to maxBatch messages at once
// to handle, one batch after the other.
func (t *Topic) Subscribe(name string, p *telemetry.Providers, maxBatch int, handle Handler) (*Group, error) {
	g := &Group{
		topic: t, name: name, messages: make(chan Message, t.capacity), maxBatch: maxBatch,
		handle: handle, done: make(chan struct{}), p: p,
		labels: []attribute.KeyValue{
			attribute.String("messaging.system", System),
			semconv.MessagingDestinationName(t.name),
			semconv.MessagingConsumerGroupName(name),
			semconv.MessagingOperationName("process"),
		},
	}
	if err := g.instruments(); err != nil {
		return nil, fmt.Errorf("create consumer metrics of topic %s: %w", t.name, err)
	}
	t.mu.Lock()
	t.groups = append(t.groups, g)
	t.mu.Unlock()
	go g.run()
	return g, nil
}

func (g *Group) instruments() (err error) {
	if g.consumed, err = g.p.Meter.Int64Counter("messaging.client.consumed.messages",
		metric.WithUnit("{message}"), metric.WithDescription("Messages delivered to the consumer")); err != nil {
		return err
	}
	if g.duration, err = g.p.Meter.Float64Histogram("messaging.process.duration",
		metric.WithUnit("s"), metric.WithDescription("Time to process a batch of messages"),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)); err != nil {
		return err
	}
	_, err = g.p.Meter.Int64ObservableGauge("shop.queue.depth",
		metric.WithUnit("{message}"), metric.WithDescription("Messages waiting for the consumer group"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(len(g.messages)), metric.WithAttributes(g.labels[1:3]...))
			return nil
		}))
	return err
}

func (g *Group) run() {
	defer close(g.done)
	for first := range g.messages {
		g.process(g.fill(first))
	}
}

// fill takes what already waits, up to the batch size.
func (g *Group) fill(first Message) []Message {
	batch := []Message{first}
	for len(batch) < g.maxBatch {
		select {
		case msg, open := <-g.messages:
			if !open {
				return batch
			}
			batch = append(batch, msg)
		default:
			return batch
		}
	}
	return batch
}

func (g *Group) process(batch []Message) {
	start := time.Now()
	links := make([]trace.Link, 0, len(batch))
	for _, msg := range batch {
		ctx := telemetry.Propagators.Extract(context.Background(), msg.carrier)
		links = append(links, trace.Link{
			SpanContext: trace.SpanContextFromContext(ctx),
			Attributes:  []attribute.KeyValue{semconv.MessagingMessageID(msg.ID)},
		})
	}
	ctx, span := g.p.Tracer.Start(context.Background(), "process "+g.topic.name,
		trace.WithNewRoot(), trace.WithLinks(links...),
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(g.labels...),
		trace.WithAttributes(
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingBatchMessageCount(len(batch)),
			attribute.Float64("shop.queue.wait", start.Sub(batch[0].Sent).Seconds())))
	defer span.End()

	labels := g.labels
	if err := g.handle(ctx, batch); err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
		g.p.Log.ErrorContext(ctx, "message processing failed", "group", g.name, "messages", len(batch), "error", err.Error())
		labels = append(labels[:len(labels):len(labels)], semconv.ErrorTypeOther)
	}
	g.consumed.Add(ctx, int64(len(batch)), metric.WithAttributes(labels...))
	g.duration.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(labels...))
}

// Stop unsubscribes, works off what waits, and returns when that is done or ctx ends.
func (g *Group) Stop(ctx context.Context) error {
	g.topic.mu.Lock()
	for n, other := range g.topic.groups {
		if other == g {
			g.topic.groups = append(g.topic.groups[:n:n], g.topic.groups[n+1:]...)
			close(g.messages)
			break
		}
	}
	g.topic.mu.Unlock()
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop consumer %s with %d messages waiting: %w", g.name, len(g.messages), ctx.Err())
	}
}
