package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestSelectFormats(t *testing.T) {
	_, dsn := storetest.DB(t)
	const sql = "SELECT 1 AS n, 'a\tb\"' AS s, [1,2] AS l, CAST(NULL, 'Nullable(UInt8)') AS z, toDateTime64('2026-01-02 03:04:05.6', 3, 'UTC') AS t, nan AS f, map('k', 'v') AS m;"
	for format, want := range map[string]string{
		"TSV":          "1\ta\\tb\"\t[1,2]\t\\N\t2026-01-02 03:04:05.600\tnan\t{'k':'v'}\n",
		"TSVWithNames": "n\ts\tl\tz\tt\tf\tm\n1\ta\\tb\"\t[1,2]\t\\N\t2026-01-02 03:04:05.600\tnan\t{'k':'v'}\n",
		"CSV":          "1,\"a\tb\"\"\",\"[1,2]\",\\N,\"2026-01-02 03:04:05.600\",nan,\"{'k':'v'}\"\n",
		"JSONEachRow":  `{"n":1,"s":"a\tb\"","l":[1,2],"z":null,"t":"2026-01-02 03:04:05.600","f":null,"m":{"k":"v"}}` + "\n",
		"Values":       "(1,'a\\tb\"',[1,2],NULL,'2026-01-02 03:04:05.600',nan,{'k':'v'})",
	} {
		var b bytes.Buffer
		if err := store.Select(t.Context(), dsn, sql, format, &b); err != nil {
			t.Errorf("%s: %v", format, err)
		} else if b.String() != want {
			t.Errorf("%s:\n got %q\nwant %q", format, b.String(), want)
		}
	}
	var b bytes.Buffer
	if err := store.Select(t.Context(), dsn, "SELECT number FROM numbers(3)", "JSON", &b); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Meta []struct{ Name, Type string }
		Data []map[string]any
		Rows int
	}
	if err := json.Unmarshal(b.Bytes(), &answer); err != nil || answer.Rows != 3 || len(answer.Data) != 3 || answer.Meta[0].Type != "UInt64" {
		t.Errorf("JSON: %v in %s", err, b.String())
	}
	for sql, want := range map[string]string{
		"SELECT 1 AS one FORMAT Markdown":       "| one |\n|-:|\n| 1 |\n",
		"SHOW TABLES LIKE 'spans'":              "spans\n",
		"SELECT 1 SETTINGS max_threads = 1":     "1\n",
		"SELECT count() FROM spans":             "0\n",
		"SELECT currentDatabase() LIKE 'test%'": "1\n",
	} {
		var b bytes.Buffer
		if err := store.Select(t.Context(), dsn, sql, "TSV", &b); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v; want %q", sql, b.String(), err, want)
		}
	}
}

func TestSelectRefusesChanges(t *testing.T) {
	conn, dsn := storetest.DB(t)
	for sql, want := range map[string]string{
		"INSERT INTO settings (key, value) VALUES ('a', 'b')": "(READONLY)",
		"INSERT INTO settings (key, value) SELECT 'a', 'b'":   "(READONLY)",
		"DROP TABLE spans":                        "(READONLY)",
		"TRUNCATE TABLE spans":                    "(READONLY)",
		"ALTER TABLE settings DELETE WHERE 1":     "(READONLY)",
		"CREATE TABLE t (a Int8) ENGINE = Memory": "(READONLY)",
		"SYSTEM FLUSH LOGS":                       "(READONLY)",
		"SELECT 1 SETTINGS readonly = 0":          "(READONLY)",
		"SET readonly = 0":                        "(READONLY)",
		"":                                        "(SYNTAX_ERROR)",
		"SELECT 1 FORMAT Smoke":                   "(UNKNOWN_FORMAT)",
	} {
		var b bytes.Buffer
		err := store.Select(t.Context(), dsn, sql, "TSV", &b)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || b.Len() > 0 {
			t.Errorf("%s: %v, rows %q; want one line with %s", sql, err, b.String(), want)
		}
	}
	var rows, tables uint64
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count() FROM settings), count() FROM system.tables WHERE database = currentDatabase() AND name IN ('spans', 't')").Scan(&rows, &tables); err != nil {
		t.Fatal(err)
	}
	if rows != 0 || tables != 1 {
		t.Errorf("%d rows, %d tables: something was changed", rows, tables)
	}
}

// Rows already made or sent do not hide that the statement failed.
func TestSelectFailsAfterRows(t *testing.T) {
	_, dsn := storetest.DB(t)
	for _, rows := range []int{10, 100000} {
		sql := fmt.Sprintf("SELECT repeat('x', 100), throwIf(number = %d, 'enough') FROM numbers(200000) SETTINGS max_block_size = 10", rows)
		var b bytes.Buffer
		err := store.Select(t.Context(), dsn, sql, "TSV", &b)
		if err == nil || !strings.HasPrefix(err.Error(), "the statement failed: Code: 395.") || strings.Contains(err.Error(), "\n") {
			t.Errorf("failing at row %d: %d bytes of rows, error %.300v", rows, b.Len(), err)
		}
	}
}
