package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

const (
	reviewsPerProduct = 4
	seededOrders      = 2000
)

const (
	createReviewsIndex = `CREATE INDEX IF NOT EXISTS reviews_product ON reviews (product_id)`
	dropReviewsIndex   = `DROP INDEX IF EXISTS reviews_product`
)

// seed makes every database anew: what a former run left is dropped.
func (s *Shop) seed(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(s.options.Seed, 2))
	for _, database := range []struct {
		name   string
		schema []string
		fill   func(context.Context, *sql.Tx) error
	}{
		{"catalog", []string{
			`DROP TABLE IF EXISTS reviews`, `DROP TABLE IF EXISTS products`,
			`CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price_cents INTEGER NOT NULL)`,
			`CREATE INDEX products_category ON products (category, id)`,
			`CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL, stars INTEGER NOT NULL, body TEXT NOT NULL)`,
			createReviewsIndex,
		}, func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(s.seedProducts(ctx, tx), s.seedReviews(ctx, tx, rng))
		}},
		{"cart", []string{
			`DROP TABLE IF EXISTS items`, `DROP TABLE IF EXISTS products`,
			`CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price_cents INTEGER NOT NULL)`,
			`CREATE TABLE items (cart_id TEXT NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (cart_id, product_id)) WITHOUT ROWID`,
		}, s.seedProducts},
		{"inventory", []string{
			`DROP TABLE IF EXISTS stock`, `DROP TABLE IF EXISTS reservations`,
			`CREATE TABLE stock (product_id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0))`,
			`CREATE TABLE reservations (order_id TEXT NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL, reserved_at INTEGER NOT NULL, PRIMARY KEY (order_id, product_id)) WITHOUT ROWID`,
		}, func(ctx context.Context, tx *sql.Tx) error { return s.seedStock(ctx, tx, rng) }},
		{"payment", []string{
			`DROP TABLE IF EXISTS payments`,
			`CREATE TABLE payments (order_id TEXT PRIMARY KEY, amount_cents INTEGER NOT NULL, authorization TEXT NOT NULL, paid_at TEXT NOT NULL) WITHOUT ROWID`,
		}, nil},
		{"orders", []string{
			`DROP TABLE IF EXISTS orders`,
			`CREATE TABLE orders (id TEXT PRIMARY KEY, cart_id TEXT NOT NULL, items INTEGER NOT NULL, total_cents INTEGER NOT NULL, placed_at TEXT NOT NULL) WITHOUT ROWID`,
			`CREATE INDEX orders_cart ON orders (cart_id, placed_at)`,
		}, func(ctx context.Context, tx *sql.Tx) error { return seedOrders(ctx, tx, rng) }},
		{"shipping", []string{
			`DROP TABLE IF EXISTS shipments`,
			`CREATE TABLE shipments (order_id TEXT PRIMARY KEY, carrier TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL) WITHOUT ROWID`,
		}, nil},
	} {
		if err := makeDatabase(ctx, s.options.Dir, database.name, database.schema, database.fill); err != nil {
			return fmt.Errorf("database %s: %w", database.name, err)
		}
	}
	return nil
}

func makeDatabase(ctx context.Context, dir, name string, schema []string, fill func(context.Context, *sql.Tx) error) error {
	db, err := sqlite.Plain(dir, name)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	for _, statement := range schema {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("run %q: %w", statement, err)
		}
	}
	if fill != nil {
		if err := fill(ctx, tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// insertEach runs one prepared statement n times.
func insertEach(ctx context.Context, tx *sql.Tx, statement string, n int, row func(i int) []any) error {
	prepared, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("prepare %q: %w", statement, err)
	}
	defer prepared.Close()
	for i := range n {
		if _, err := prepared.ExecContext(ctx, row(i)...); err != nil {
			return fmt.Errorf("run %q: %w", statement, err)
		}
	}
	return nil
}

func (s *Shop) seedProducts(ctx context.Context, tx *sql.Tx) error {
	return insertEach(ctx, tx, `INSERT INTO products (id, name, category, price_cents) VALUES (?, ?, ?, ?)`, len(s.goods),
		func(i int) []any {
			p := s.goods[i]
			return []any{p.ID, p.Name, p.Category, p.PriceCents}
		})
}

func (s *Shop) seedReviews(ctx context.Context, tx *sql.Tx, rng *rand.Rand) error {
	opinions := []string{"never again", "not for me", "does what it should", "very pleased", "bought a second one"}
	return insertEach(ctx, tx, `INSERT INTO reviews (product_id, stars, body) VALUES (?, ?, ?)`, len(s.goods)*reviewsPerProduct,
		func(int) []any {
			stars := 1 + rng.IntN(5)
			return []any{1 + rng.IntN(len(s.goods)), stars, opinions[stars-1]}
		})
}

func (s *Shop) seedStock(ctx context.Context, tx *sql.Tx, rng *rand.Rand) error {
	return insertEach(ctx, tx, `INSERT INTO stock (product_id, quantity) VALUES (?, ?)`, len(s.goods),
		func(i int) []any { return []any{i + 1, restockTo/2 + rng.IntN(restockTo/2)} })
}

func seedOrders(ctx context.Context, tx *sql.Tx, rng *rand.Rand) error {
	return insertEach(ctx, tx, `INSERT INTO orders (id, cart_id, items, total_cents, placed_at) VALUES (?, ?, ?, ?, ?)`, seededOrders,
		func(i int) []any {
			return []any{fmt.Sprintf("past-%d", i), fmt.Sprintf("user-%d", rng.IntN(500)), 1 + rng.IntN(9), 900 + rng.IntN(90_000), "2026-01-01T00:00:00Z"}
		})
}
