package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

const insertPayment = `INSERT INTO payments (order_id, amount_cents, authorization, paid_at) VALUES (?, ?, ?, ?)`

type charge struct {
	OrderID     string `json:"order_id"`
	AmountCents int64  `json:"amount_cents"`
	Currency    string `json:"currency"`
}

type payment struct {
	*mesh.Instance
	db      *sql.DB
	charges metric.Int64Counter
}

func (s *Shop) payment(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "payment")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	charges, err := inst.Meter.Int64Counter("shop.payment.charges", metric.WithUnit("{charge}"),
		metric.WithDescription("Attempts to charge a card, by outcome"))
	if err != nil {
		return fmt.Errorf("create payment metrics: %w", err)
	}
	p := &payment{inst, db, charges}
	inst.Handle("POST /charges", p.charge)
	return nil
}

func (p *payment) charge(r *http.Request) (any, error) {
	ctx := r.Context()
	var c charge
	if err := mesh.Decode(r, &c); err != nil {
		return nil, err
	}
	var granted struct {
		Authorization string `json:"authorization"`
	}
	err := p.Do(ctx, mesh.Call{
		Service: "card-network", Method: http.MethodPost, Route: "/v1/authorizations", Body: c,
	}, &granted)
	p.charges.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome(err))))
	if err != nil {
		return nil, fmt.Errorf("authorize %d cents for order %s: %w", c.AmountCents, c.OrderID, err)
	}
	if _, err := p.db.ExecContext(ctx, insertPayment, c.OrderID, c.AmountCents, granted.Authorization, time.Now().UTC().Format(time.RFC3339)); err != nil {
		return nil, fmt.Errorf("note payment of order %s: %w", c.OrderID, err)
	}
	p.Log.InfoContext(ctx, "card charged", "order", c.OrderID, "amount_cents", c.AmountCents, "currency", c.Currency)
	return granted, nil
}

func outcome(err error) string {
	var refused *mesh.Error
	switch {
	case err == nil:
		return "charged"
	case errors.As(err, &refused) && refused.Status == http.StatusPaymentRequired:
		return "declined"
	}
	return "failed"
}
