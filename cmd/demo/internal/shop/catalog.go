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

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

// searchLimit is the number of hits on a page.
const searchLimit = 20

// slowSearch is what catalog complains about in its log.
const slowSearch = 100 * time.Millisecond

const (
	selectProduct = `SELECT id, name, category, price_cents FROM products WHERE id = ?`

	selectReviews = `SELECT stars, body FROM reviews WHERE product_id = ? ORDER BY id DESC LIMIT 5`

	selectCategory = `SELECT id, name, category, price_cents FROM products WHERE category = ? ORDER BY id LIMIT ?`

	// The rating of each hit is looked up through the index on
	// reviews(product_id); without it each lookup scans the table.
	searchProducts = `SELECT id, name, category, price_cents, (SELECT avg(stars) FROM reviews WHERE product_id = products.id) AS rating FROM products WHERE name LIKE '%' || ? || '%' ORDER BY rating DESC, id LIMIT ?`
)

type catalogProduct struct {
	ID         int      `json:"id"`
	Name       string   `json:"name"`
	Category   string   `json:"category"`
	PriceCents int64    `json:"price_cents"`
	Rating     *float64 `json:"rating,omitempty"`
	Reviews    []review `json:"reviews,omitempty"`
}

type review struct {
	Stars int    `json:"stars"`
	Body  string `json:"body"`
}

type catalog struct {
	*mesh.Instance
	db   *sql.DB
	hits metric.Int64Histogram
}

func (s *Shop) catalog(ctx context.Context, inst *mesh.Instance) error {
	db, err := sqlite.Open(ctx, inst.Providers, s.options.Dir, "catalog")
	if err != nil {
		return err
	}
	inst.OnStop(func(context.Context) error { return db.Close() })
	hits, err := inst.Meter.Int64Histogram("shop.catalog.search.hits", metric.WithUnit("{product}"),
		metric.WithDescription("Products found by a search"), metric.WithExplicitBucketBoundaries(0, 1, 2, 5, 10, 20))
	if err != nil {
		return fmt.Errorf("create search metrics: %w", err)
	}
	c := &catalog{inst, db, hits}
	inst.Handle("GET /products", c.list)
	inst.Handle("GET /products/{id}", c.get)
	return nil
}

func (c *catalog) get(r *http.Request) (any, error) {
	id, err := mesh.PathInt(r, "id")
	if err != nil {
		return nil, err
	}
	var p catalogProduct
	err = c.db.QueryRowContext(r.Context(), selectProduct, id).Scan(&p.ID, &p.Name, &p.Category, &p.PriceCents)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mesh.Fail(http.StatusNotFound, "there is no product %d", id)
	}
	if err != nil {
		return nil, fmt.Errorf("load product %d: %w", id, err)
	}
	rows, err := c.db.QueryContext(r.Context(), selectReviews, id)
	if err != nil {
		return nil, fmt.Errorf("load reviews of product %d: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var rv review
		if err := rows.Scan(&rv.Stars, &rv.Body); err != nil {
			return nil, fmt.Errorf("read review of product %d: %w", id, err)
		}
		p.Reviews = append(p.Reviews, rv)
	}
	return p, rows.Err()
}

func (c *catalog) list(r *http.Request) (any, error) {
	q, category := r.URL.Query().Get("q"), r.URL.Query().Get("category")
	if q != "" {
		return c.search(r.Context(), q)
	}
	rows, err := c.db.QueryContext(r.Context(), selectCategory, category, searchLimit)
	if err != nil {
		return nil, fmt.Errorf("list category %q: %w", category, err)
	}
	defer rows.Close()
	found := []catalogProduct{}
	for rows.Next() {
		var p catalogProduct
		if err := rows.Scan(&p.ID, &p.Name, &p.Category, &p.PriceCents); err != nil {
			return nil, fmt.Errorf("read product of category %q: %w", category, err)
		}
		found = append(found, p)
	}
	return found, rows.Err()
}

func (c *catalog) search(ctx context.Context, q string) ([]catalogProduct, error) {
	start := time.Now()
	rows, err := c.db.QueryContext(ctx, searchProducts, q, searchLimit)
	if err != nil {
		return nil, fmt.Errorf("search for %q: %w", q, err)
	}
	defer rows.Close()
	found := []catalogProduct{}
	for rows.Next() {
		var p catalogProduct
		if err := rows.Scan(&p.ID, &p.Name, &p.Category, &p.PriceCents, &p.Rating); err != nil {
			return nil, fmt.Errorf("read hit for %q: %w", q, err)
		}
		found = append(found, p)
	}
	if took := time.Since(start); took > slowSearch {
		c.Log.WarnContext(ctx, "slow search", "query", q, "hits", len(found), "duration_ms", took.Milliseconds())
	}
	c.hits.Record(ctx, int64(len(found)), metric.WithAttributes(attribute.Bool("shop.search.empty", len(found) == 0)))
	return found, rows.Err()
}

// setReviewsIndex drops the index that searches need, or makes it again.
func (s *Shop) setReviewsIndex(ctx context.Context, faults *fault.Board) error {
	db, err := sqlite.Plain(s.options.Dir, "catalog")
	if err != nil {
		return err
	}
	defer db.Close()
	statement := createReviewsIndex
	if faults.On(fault.SlowQuery) {
		statement = dropReviewsIndex
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("run %q: %w", statement, err)
	}
	return nil
}
