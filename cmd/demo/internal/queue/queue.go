// Package queue is the shop's message broker: topics in memory with consumer
// groups, instrumented as the OpenTelemetry messaging conventions ask. Its main
// type is Topic. Sending never blocks: each group holds a bounded number of
// messages, and a full group makes Send fail, which the caller sees. Consumer
// spans start traces of their own and link to the producers of their batch.
package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// System is the value of messaging.system.
const System = "memory"

// Message is what consumers receive.
type Message struct {
	ID      string
	Body    []byte
	Sent    time.Time
	carrier propagation.MapCarrier
}

// Topic hands each message to every group that subscribed before it was sent.
type Topic struct {
	name     string
	capacity int // messages a group

	mu     sync.RWMutex // guards groups
	groups []*Group
}

// NewTopic returns a topic whose groups hold up to capacity messages each.
func NewTopic(name string, capacity int) *Topic {
	return &Topic{name: name, capacity: capacity}
}

// Producer sends to one topic on behalf of one service.
type Producer struct {
	topic  *Topic
	tracer trace.Tracer
	sent   metric.Int64Counter
}

// Producer returns a sender that records with the given telemetry.
func (t *Topic) Producer(p *telemetry.Providers) (*Producer, error) {
	sent, err := p.Meter.Int64Counter("messaging.client.sent.messages",
		metric.WithUnit("{message}"), metric.WithDescription("Messages a producer tried to send"))
	if err != nil {
		return nil, fmt.Errorf("create producer metrics of topic %s: %w", t.name, err)
	}
	return &Producer{topic: t, tracer: p.Tracer, sent: sent}, nil
}

// Send gives the message to every group, or fails if one of them is full.
func (p *Producer) Send(ctx context.Context, body []byte) error {
	msg := Message{ID: uuid.NewString(), Body: body, Sent: time.Now(), carrier: propagation.MapCarrier{}}
	ctx, span := p.tracer.Start(ctx, "send "+p.topic.name,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			attribute.String("messaging.system", System),
			semconv.MessagingOperationTypeSend,
			semconv.MessagingOperationName("send"),
			semconv.MessagingDestinationName(p.topic.name),
			semconv.MessagingMessageID(msg.ID),
			semconv.MessagingMessageBodySize(len(body))))
	defer span.End()
	telemetry.Propagators.Inject(ctx, msg.carrier)

	labels := []attribute.KeyValue{
		attribute.String("messaging.system", System),
		semconv.MessagingDestinationName(p.topic.name),
		semconv.MessagingOperationName("send"),
	}
	err := p.topic.deliver(msg)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
		labels = append(labels, semconv.ErrorTypeKey.String("queue_full"))
	}
	p.sent.Add(ctx, 1, metric.WithAttributes(labels...))
	return err
}

func (t *Topic) deliver(msg Message) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, g := range t.groups {
		select {
		case g.messages <- msg:
		default:
			return fmt.Errorf("send to topic %s: group %s already holds %d messages", t.name, g.name, t.capacity)
		}
	}
	return nil
}
