package sqlite

import "testing"

func TestSummarize(t *testing.T) {
	f := func(query, operation, collection string) {
		t.Helper()
		if op, table := summarize(query); op != operation || table != collection {
			t.Errorf("summarize(%q) = %q, %q, want %q, %q", query, op, table, operation, collection)
		}
	}
	f("SELECT id FROM products WHERE id = ?", "SELECT", "products")
	f("select name,\n (SELECT avg(stars) FROM reviews) AS r\n from products", "SELECT", "products")
	f("INSERT INTO items (cart_id) SELECT value FROM json_each(?)", "INSERT", "items")
	f("UPDATE stock SET quantity = 1 FROM (SELECT 2 FROM json_each(?)) r", "UPDATE", "stock")
	f("DELETE FROM items WHERE cart_id = ?", "DELETE", "items")
	f("PRAGMA optimize", "PRAGMA", "")
	f("", "", "")
}
