package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/queue"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

const (
	insertOrder = `INSERT INTO orders (id, cart_id, items, total_cents, placed_at) VALUES (?, ?, ?, ?, ?)`
	selectOrder = `SELECT id, cart_id, items, total_cents, placed_at FROM orders WHERE id = ?`
)

type order struct {
	ID         string `json:"id"`
	CartID     string `json:"cart_id"`
	Items      int    `json:"items"`
	TotalCents int64  `json:"total_cents"`
	PlacedAt   string `json:"placed_at"`
}

type checkout struct {
	*mesh.Instance
	db       *sql.DB
	placed   metric.Int64Counter
	revenue  metric.Float64Counter
	value    metric.Float64Histogram
	producer *queue.Producer
}

func (s *Shop) checkout(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "orders")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	producer, err := s.orders.Producer(inst.Providers)
	if err != nil {
		return err
	}
	c := &checkout{Instance: inst, db: db, producer: producer}
	if err := c.instruments(); err != nil {
		return fmt.Errorf("create checkout metrics: %w", err)
	}
	inst.Handle("POST /orders", c.place)
	inst.Handle("GET /orders/{id}", c.get)
	return nil
}

func (c *checkout) instruments() (err error) {
	if c.placed, err = c.Meter.Int64Counter("shop.orders.placed", metric.WithUnit("{order}"),
		metric.WithDescription("Orders placed")); err != nil {
		return err
	}
	if c.revenue, err = c.Meter.Float64Counter("shop.revenue", metric.WithUnit("{EUR}"),
		metric.WithDescription("Value of the orders placed")); err != nil {
		return err
	}
	c.value, err = c.Meter.Float64Histogram("shop.order.value", metric.WithUnit("{EUR}"),
		metric.WithDescription("Value of one order"),
		metric.WithExplicitBucketBoundaries(10, 25, 50, 100, 250, 500, 1000, 2500, 5000))
	return err
}

func (c *checkout) place(r *http.Request) (any, error) {
	ctx := r.Context()
	var wish struct {
		CartID string `json:"cart_id"`
		Tier   string `json:"tier"`
	}
	if err := mesh.Decode(r, &wish); err != nil {
		return nil, err
	}
	var content cartContent
	if err := c.Do(ctx, mesh.Call{Service: "cart", Route: "/carts/{id}", Path: []any{wish.CartID}}, &content); err != nil {
		return nil, fmt.Errorf("load cart %s: %w", wish.CartID, err)
	}
	if len(content.Items) == 0 {
		return nil, mesh.Fail(http.StatusConflict, "cart %s is empty", wish.CartID)
	}
	o := order{
		ID: uuid.NewString(), CartID: wish.CartID, Items: len(content.Items), TotalCents: content.TotalCents,
		PlacedAt: time.Now().UTC().Format(time.RFC3339),
	}
	trace.SpanFromContext(ctx).SetAttributes(
		attribute.String("shop.order.id", o.ID),
		attribute.Int("shop.order.items", o.Items),
		attribute.Float64("shop.order.value", float64(o.TotalCents)/100))
	if err := c.fulfil(ctx, o, content.Items); err != nil {
		return nil, err
	}
	c.measure(ctx, o, wish.Tier)
	return o, nil
}

// fulfil reserves, charges, notes and announces the order; a charge that fails
// gives the reserved products back.
func (c *checkout) fulfil(ctx context.Context, o order, items []cartItem) error {
	if err := c.Do(ctx, mesh.Call{
		Service: "inventory", Method: http.MethodPost, Route: "/reservations", Body: reservation{o.ID, items},
	}, nil); err != nil {
		return fmt.Errorf("reserve order %s: %w", o.ID, err)
	}
	if err := c.Do(ctx, mesh.Call{
		Service: "payment", Method: http.MethodPost, Route: "/charges", Body: charge{o.ID, o.TotalCents, "EUR"},
	}, nil); err != nil {
		return fmt.Errorf("charge order %s: %w", o.ID, errors.Join(err, c.release(ctx, o)))
	}
	if _, err := c.db.ExecContext(ctx, insertOrder, o.ID, o.CartID, o.Items, o.TotalCents, o.PlacedAt); err != nil {
		return fmt.Errorf("note order %s: %w", o.ID, err)
	}
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode order %s: %w", o.ID, err)
	}
	if err := c.producer.Send(ctx, body); err != nil {
		return fmt.Errorf("announce order %s: %w", o.ID, err)
	}
	if err := c.Do(ctx, mesh.Call{Service: "cart", Method: http.MethodDelete, Route: "/carts/{id}", Path: []any{o.CartID}}, nil); err != nil {
		// The order stands; the customer only sees a full cart again.
		c.Log.WarnContext(ctx, "cart not emptied", "cart", o.CartID, "error", err.Error())
	}
	return nil
}

func (c *checkout) release(ctx context.Context, o order) error {
	return c.Do(ctx, mesh.Call{
		Service: "inventory", Method: http.MethodDelete, Route: "/reservations/{order}", Path: []any{o.ID},
	}, nil)
}

func (c *checkout) measure(ctx context.Context, o order, tier string) {
	by := metric.WithAttributes(attribute.String("shop.customer.tier", tier))
	euros := float64(o.TotalCents) / 100
	c.placed.Add(ctx, 1, by)
	c.revenue.Add(ctx, euros, by)
	c.value.Record(ctx, euros, by)
	c.Log.InfoContext(ctx, "order placed", "order", o.ID, "items", o.Items, "value_eur", euros, "tier", tier)
}

func (c *checkout) get(r *http.Request) (any, error) {
	var o order
	err := c.db.QueryRowContext(r.Context(), selectOrder, r.PathValue("id")).Scan(&o.ID, &o.CartID, &o.Items, &o.TotalCents, &o.PlacedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mesh.Fail(http.StatusNotFound, "there is no order %s", r.PathValue("id"))
	}
	if err != nil {
		return nil, fmt.Errorf("load order %s: %w", r.PathValue("id"), err)
	}
	return o, nil
}
