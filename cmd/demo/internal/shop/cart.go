package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/metric"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

// maxCartItems bounds what one request may put into a cart.
const maxCartItems = 100

const (
	selectCart = `SELECT items.product_id, items.quantity, products.name, products.price_cents FROM items JOIN products ON products.id = items.product_id WHERE items.cart_id = ? ORDER BY items.product_id`

	// The two statements of the N+1 fault.
	selectItems       = `SELECT product_id, quantity FROM items WHERE cart_id = ? ORDER BY product_id`
	selectItemProduct = `SELECT name, price_cents FROM products WHERE id = ?`

	insertItems = `INSERT INTO items (cart_id, product_id, quantity) SELECT ?, json_extract(value, '$.product_id'), json_extract(value, '$.quantity') FROM json_each(?) WHERE true ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity`

	deleteItems = `DELETE FROM items WHERE cart_id = ? RETURNING quantity`
)

type cartItem struct {
	ProductID  int    `json:"product_id"`
	Quantity   int    `json:"quantity"`
	Name       string `json:"name,omitempty"`
	PriceCents int64  `json:"price_cents,omitempty"`
}

type cartContent struct {
	ID         string     `json:"id"`
	Items      []cartItem `json:"items"`
	TotalCents int64      `json:"total_cents"`
}

type cart struct {
	*mesh.Instance
	db     *sql.DB
	faults *fault.Board
	held   metric.Int64UpDownCounter
}

func (s *Shop) cart(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "cart")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	held, err := inst.Meter.Int64UpDownCounter("shop.cart.items", metric.WithUnit("{item}"),
		metric.WithDescription("Items lying in carts"))
	if err != nil {
		return fmt.Errorf("create cart metrics: %w", err)
	}
	c := &cart{inst, db, s.faults, held}
	inst.Handle("GET /carts/{id}", c.get)
	inst.Handle("POST /carts/{id}/items", c.add)
	inst.Handle("DELETE /carts/{id}", c.empty)
	return nil
}

func (c *cart) get(r *http.Request) (any, error) {
	ctx, id := r.Context(), r.PathValue("id")
	load := c.loadJoined
	if c.faults.On(fault.NPlusOne) {
		load = c.loadOneByOne
	}
	items, err := load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load cart %s: %w", id, err)
	}
	content := cartContent{ID: id, Items: items}
	for _, item := range items {
		content.TotalCents += int64(item.Quantity) * item.PriceCents
	}
	return content, nil
}

func (c *cart) loadJoined(ctx context.Context, id string) ([]cartItem, error) {
	rows, err := c.db.QueryContext(ctx, selectCart, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := []cartItem{}
	for rows.Next() {
		var item cartItem
		if err := rows.Scan(&item.ProductID, &item.Quantity, &item.Name, &item.PriceCents); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

func (c *cart) loadOneByOne(ctx context.Context, id string) ([]cartItem, error) {
	items, err := c.loadBare(ctx, id)
	if err != nil {
		return nil, err
	}
	for n := range items {
		row := c.db.QueryRowContext(ctx, selectItemProduct, items[n].ProductID)
		if err := row.Scan(&items[n].Name, &items[n].PriceCents); err != nil {
			return nil, fmt.Errorf("product %d: %w", items[n].ProductID, err)
		}
	}
	return items, nil
}

func (c *cart) loadBare(ctx context.Context, id string) ([]cartItem, error) {
	rows, err := c.db.QueryContext(ctx, selectItems, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := []cartItem{}
	for rows.Next() {
		var item cartItem
		if err := rows.Scan(&item.ProductID, &item.Quantity); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

func (c *cart) add(r *http.Request) (any, error) {
	ctx, id := r.Context(), r.PathValue("id")
	var wish struct {
		Items []cartItem `json:"items"`
	}
	if err := mesh.Decode(r, &wish); err != nil {
		return nil, err
	}
	if len(wish.Items) == 0 || len(wish.Items) > maxCartItems {
		return nil, mesh.Fail(http.StatusBadRequest, "%d items; from 1 to %d can be added at once", len(wish.Items), maxCartItems)
	}
	encoded, err := json.Marshal(wish.Items)
	if err != nil {
		return nil, fmt.Errorf("encode items for cart %s: %w", id, err)
	}
	if _, err := c.db.ExecContext(ctx, insertItems, id, string(encoded)); err != nil {
		return nil, fmt.Errorf("add %d items to cart %s: %w", len(wish.Items), id, err)
	}
	added := int64(0)
	for _, item := range wish.Items {
		added += int64(item.Quantity)
	}
	c.held.Add(ctx, added)
	return map[string]int64{"added": added}, nil
}

func (c *cart) empty(r *http.Request) (any, error) {
	removed, err := c.remove(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, fmt.Errorf("empty cart %s: %w", r.PathValue("id"), err)
	}
	c.held.Add(r.Context(), -removed)
	return map[string]int64{"removed": removed}, nil
}

// remove returns the number of items that lay in the cart.
func (c *cart) remove(ctx context.Context, id string) (int64, error) {
	rows, err := c.db.QueryContext(ctx, deleteItems, id)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	removed := int64(0)
	for rows.Next() {
		var quantity int64
		if err := rows.Scan(&quantity); err != nil {
			return 0, err
		}
		removed += quantity
	}
	return removed, rows.Err()
}
