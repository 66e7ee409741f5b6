package shop

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

const (
	restockTo    = 200 // pieces of a product after restocking
	restockBelow = 40
	restockEvery = time.Minute
	// keepReservations is after how many seconds a reservation is taken for
	// final: its order was charged or given back long before.
	keepReservations = 900
)

const (
	selectStock = `SELECT quantity FROM stock WHERE product_id = ?`

	// One statement takes all products of an order; those short of stock are left out.
	takeStock = `UPDATE stock SET quantity = stock.quantity - wish.quantity FROM (SELECT json_extract(value, '$.product_id') AS product_id, json_extract(value, '$.quantity') AS quantity FROM json_each(?)) AS wish WHERE stock.product_id = wish.product_id AND stock.quantity >= wish.quantity`

	insertReservations = `INSERT INTO reservations (order_id, product_id, quantity, reserved_at) SELECT ?, json_extract(value, '$.product_id'), json_extract(value, '$.quantity'), unixepoch() FROM json_each(?)`

	releaseStock = `UPDATE stock SET quantity = stock.quantity + back.quantity FROM (SELECT product_id, quantity FROM reservations WHERE order_id = ?) AS back WHERE stock.product_id = back.product_id`

	deleteReservations = `DELETE FROM reservations WHERE order_id = ?`

	restockStatement = `UPDATE stock SET quantity = ? WHERE quantity < ?`

	expireReservations = `DELETE FROM reservations WHERE reserved_at < unixepoch() - ?`

	countScarce = `SELECT count(*) FROM stock WHERE quantity < ?`
)

type reservation struct {
	OrderID string     `json:"order_id"`
	Items   []cartItem `json:"items"`
}

type inventory struct {
	*mesh.Instance
	db       *sql.DB
	reserved metric.Int64Counter
	scarce   metric.Int64Gauge
}

func (s *Shop) inventory(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "inventory")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	inv := &inventory{Instance: inst, db: db}
	if err := inv.instruments(); err != nil {
		return fmt.Errorf("create inventory metrics: %w", err)
	}
	inst.Handle("GET /stock/{id}", inv.get)
	inst.Handle("POST /reservations", inv.reserve)
	inst.Handle("DELETE /reservations/{order}", inv.release)
	inv.restockUntilDrained(cmp.Or(s.options.Restock, restockEvery))
	return nil
}

func (v *inventory) instruments() (err error) {
	if v.reserved, err = v.Meter.Int64Counter("shop.inventory.reservations", metric.WithUnit("{reservation}"),
		metric.WithDescription("Attempts to reserve the products of an order")); err != nil {
		return err
	}
	v.scarce, err = v.Meter.Int64Gauge("shop.inventory.scarce", metric.WithUnit("{product}"),
		metric.WithDescription("Products with few pieces left at the last stocktaking"))
	return err
}

func (v *inventory) get(r *http.Request) (any, error) {
	id, err := mesh.PathInt(r, "id")
	if err != nil {
		return nil, err
	}
	var quantity int
	err = v.db.QueryRowContext(r.Context(), selectStock, id).Scan(&quantity)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mesh.Fail(http.StatusNotFound, "product %d is not kept in stock", id)
	}
	if err != nil {
		return nil, fmt.Errorf("look up stock of product %d: %w", id, err)
	}
	return map[string]int{"quantity": quantity}, nil
}

func (v *inventory) reserve(r *http.Request) (any, error) {
	ctx := r.Context()
	var wish reservation
	if err := mesh.Decode(r, &wish); err != nil {
		return nil, err
	}
	err := v.take(ctx, wish)
	outcome := "reserved"
	if err != nil {
		outcome = "refused"
	}
	v.reserved.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	return wish, err
}

func (v *inventory) take(ctx context.Context, wish reservation) error {
	encoded, err := json.Marshal(wish.Items)
	if err != nil {
		return fmt.Errorf("encode items of order %s: %w", wish.OrderID, err)
	}
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin reservation of order %s: %w", wish.OrderID, err)
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.ExecContext(ctx, takeStock, string(encoded))
	if err != nil {
		return fmt.Errorf("take stock for order %s: %w", wish.OrderID, err)
	}
	taken, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("count stock taken for order %s: %w", wish.OrderID, err)
	}
	if short := len(wish.Items) - int(taken); short > 0 {
		return mesh.Fail(http.StatusConflict, "%d of %d products are out of stock", short, len(wish.Items))
	}
	if _, err := tx.ExecContext(ctx, insertReservations, wish.OrderID, string(encoded)); err != nil {
		return fmt.Errorf("note reservation of order %s: %w", wish.OrderID, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit reservation of order %s: %w", wish.OrderID, err)
	}
	return nil
}

func (v *inventory) release(r *http.Request) (any, error) {
	ctx, order := r.Context(), r.PathValue("order")
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin release of order %s: %w", order, err)
	}
	defer tx.Rollback() // after a commit it does nothing
	for _, statement := range []string{releaseStock, deleteReservations} {
		if _, err := tx.ExecContext(ctx, statement, order); err != nil {
			return nil, fmt.Errorf("release stock of order %s: %w", order, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit release of order %s: %w", order, err)
	}
	v.Log.InfoContext(ctx, "reservation released", "order", order)
	return map[string]string{"released": order}, nil
}

// restockUntilDrained runs the stock-taking job beside the server.
func (v *inventory) restockUntilDrained(every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				v.restock(ctx)
			}
		}
	}()
	v.OnDrain(func(context.Context) error { cancel(); <-done; return nil })
}

func (v *inventory) restock(ctx context.Context) {
	ctx, span := v.Tracer.Start(ctx, "restock", trace.WithNewRoot())
	defer span.End()
	var scarce int64
	err := v.db.QueryRowContext(ctx, countScarce, restockBelow).Scan(&scarce)
	if err == nil {
		v.scarce.Record(ctx, scarce)
		_, err = v.db.ExecContext(ctx, restockStatement, restockTo, restockBelow)
	}
	if err == nil {
		_, err = v.db.ExecContext(ctx, expireReservations, keepReservations)
	}
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "restocking failed")
		v.Log.ErrorContext(ctx, "restocking failed", "error", err.Error())
		return
	}
	span.SetAttributes(attribute.Int64("shop.inventory.restocked", scarce))
	v.Log.InfoContext(ctx, "stock taken", "restocked_products", scarce)
}
