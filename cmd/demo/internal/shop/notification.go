package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/queue"
)

// notifyBatch is how many orders notification takes from the queue at once.
const notifyBatch = 8

var thanks = template.Must(template.New("thanks").Parse(
	"Thank you for order {{.ID}}: {{.Items}} products, {{.TotalCents}} cents, placed {{.PlacedAt}}.\n"))

type notification struct {
	*mesh.Instance
	sent metric.Int64Counter
}

func (s *Shop) notification(_ context.Context, inst *mesh.Instance) error {
	sent, err := inst.Meter.Int64Counter("shop.notifications.sent", metric.WithUnit("{message}"),
		metric.WithDescription("Letters to customers"))
	if err != nil {
		return fmt.Errorf("create notification metrics: %w", err)
	}
	n := &notification{inst, sent}
	group, err := s.orders.Subscribe("notification", inst.Providers, notifyBatch, n.notify)
	if err != nil {
		return err
	}
	inst.OnDrain(group.Stop)
	return nil
}

func (n *notification) notify(ctx context.Context, batch []queue.Message) error {
	for _, msg := range batch {
		if err := n.write(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

func (n *notification) write(ctx context.Context, msg queue.Message) error {
	ctx, span := n.Tracer.Start(ctx, "write letter")
	defer span.End()
	var o order
	if err := json.Unmarshal(msg.Body, &o); err != nil {
		return fmt.Errorf("understand message %s: %w", msg.ID, err)
	}
	var letter strings.Builder
	if err := thanks.Execute(&letter, o); err != nil {
		return fmt.Errorf("write letter for order %s: %w", o.ID, err)
	}
	span.SetAttributes(attribute.Int("shop.letter.bytes", letter.Len()))
	n.sent.Add(ctx, 1, metric.WithAttributes(attribute.String("shop.letter.kind", "thanks")))
	n.Log.InfoContext(ctx, "customer notified", "order", o.ID, "bytes", letter.Len())
	return nil
}
