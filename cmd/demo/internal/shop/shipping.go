package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/queue"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

const (
	insertShipment = `INSERT INTO shipments (order_id, carrier, status, created_at) VALUES (?, ?, 'packing', ?)`
	selectShipment = `SELECT carrier, status FROM shipments WHERE order_id = ?`
)

var carriers = []string{"tortoise", "hare", "pigeon"}

type shipment struct {
	Carrier string `json:"carrier"`
	Status  string `json:"status"`
}

type shipping struct {
	*mesh.Instance
	db *sql.DB
}

func (s *Shop) shipping(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "shipping")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	h := &shipping{inst, db}
	inst.Handle("GET /shipments/{order}", h.get)
	group, err := s.orders.Subscribe("shipping", inst.Providers, 1, h.ship)
	if err != nil {
		return err
	}
	inst.OnDrain(group.Stop)
	return nil
}

func (h *shipping) ship(ctx context.Context, batch []queue.Message) error {
	for _, msg := range batch {
		var o order
		if err := json.Unmarshal(msg.Body, &o); err != nil {
			return fmt.Errorf("understand message %s: %w", msg.ID, err)
		}
		carrier := carriers[int(o.TotalCents)%len(carriers)]
		if _, err := h.db.ExecContext(ctx, insertShipment, o.ID, carrier, time.Now().UTC().Format(time.RFC3339)); err != nil {
			return fmt.Errorf("note shipment of order %s: %w", o.ID, err)
		}
		h.Log.InfoContext(ctx, "shipment created", "order", o.ID, "carrier", carrier)
	}
	return nil
}

func (h *shipping) get(r *http.Request) (any, error) {
	var found shipment
	err := h.db.QueryRowContext(r.Context(), selectShipment, r.PathValue("order")).Scan(&found.Carrier, &found.Status)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mesh.Fail(http.StatusNotFound, "order %s is not being shipped", r.PathValue("order"))
	}
	if err != nil {
		return nil, fmt.Errorf("load shipment of order %s: %w", r.PathValue("order"), err)
	}
	return found, nil
}
