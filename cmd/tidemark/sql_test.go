package main_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestSQLFormats(t *testing.T) {
	p := share(t)
	const query = "SELECT number AS n, concat('a', toString(number)) AS s FROM numbers(2)"
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"TSV unless told otherwise", []string{"sql", query}, "0\ta0\n1\ta1\n"},
		{"TSV", []string{"sql", "--format", "TSV", query}, "0\ta0\n1\ta1\n"},
		{"TSVWithNames", []string{"sql", "--format", "TSVWithNames", query}, "n\ts\n0\ta0\n1\ta1\n"},
		{"CSV", []string{"sql", "--format", "CSV", query}, "0,\"a0\"\n1,\"a1\"\n"},
		{"data directory by flag", []string{"sql", "--data-dir", p.dir, "SELECT currentDatabase()"}, "tidemark\n"},
		{"no rows", []string{"sql", query + " WHERE 0"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, said, err := p.tidemark(t, c.args...)
			if err != nil || out != c.want || said != "" {
				t.Errorf("%q, %q, %v; want %q", out, said, err, c.want)
			}
		})
	}
	t.Run("JSON", func(t *testing.T) {
		out, said, err := p.tidemark(t, "sql", "--format", "JSON", query)
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		var answer struct {
			Meta []struct{ Name, Type string }
			Data []map[string]any
			Rows int
		}
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if answer.Rows != 2 || len(answer.Meta) != 2 || answer.Data[1]["s"] != "a1" {
			t.Errorf("%+v", answer)
		}
	})
	t.Run("CSV is read back", func(t *testing.T) {
		out, _, err := p.tidemark(t, "sql", "--format", "CSV", `SELECT 'a "quoted", text\nover lines'`)
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(records) != 1 || records[0][0] != "a \"quoted\", text\nover lines" {
			t.Errorf("%q, %v", records, err)
		}
	})
}

// What changes anything is refused, also when a setting tries to allow it first.
func TestSQLOnlyReads(t *testing.T) {
	p := share(t)
	before := p.count(t, "SELECT count() FROM schema_migrations FINAL")
	for _, query := range []string{
		"INSERT INTO schema_migrations (number, name) VALUES (99, 'b')",
		"INSERT INTO schema_migrations (number, name) SELECT 99, 'b'",
		"DROP TABLE schema_migrations",
		"ALTER TABLE schema_migrations DELETE WHERE 1",
		"TRUNCATE TABLE schema_migrations",
		"CREATE TABLE t (a Int8) ENGINE = Memory",
		"SYSTEM SHUTDOWN",
		"SELECT 1 SETTINGS readonly = 0",
		"SET readonly = 0",
		"SELECT * FROM nowhere",
		"",
	} {
		out, said, err := p.tidemark(t, "sql", query)
		if err == nil || out != "" {
			t.Errorf("%q: not refused: %q", query, out)
		}
		if strings.TrimSpace(said) == "" || strings.Count(strings.TrimSpace(said), "\n") > 0 {
			t.Errorf("%q: stderr has %q, want one line", query, said)
		}
	}
	if after := p.count(t, "SELECT count() FROM schema_migrations FINAL"); after != before {
		t.Errorf("schema_migrations has %d rows, had %d", after, before)
	}
}

func TestSQLWithoutProduct(t *testing.T) {
	for _, args := range [][]string{{"sql", "SELECT 1"}, {"clickhouse-dsn"}} {
		cmd := command(t, args...)
		cmd.Env = append(cmd.Env, "TIDEMARK_DATA_DIR="+t.TempDir())
		said, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(said), "no Tidemark is running") || strings.Count(string(said), "\n") != 1 {
			t.Errorf("tidemark %q: %v, said %q", args, err, said)
		}
	}
}

// Anyone's ClickHouse client can use the running store by what `tidemark clickhouse-dsn` prints.
func TestClickHouseDSN(t *testing.T) {
	p := share(t)
	out, said, err := p.tidemark(t, "clickhouse-dsn")
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	dsn := strings.TrimSuffix(out, "\n")
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "tcp" || u.Query().Get("username") == "" || u.Query().Get("password") == "" {
		t.Fatalf("%q is not tcp://HOST:PORT?username=…&password=…: %v", dsn, err)
	}
	options, err := clickhouse.ParseDSN(strings.Replace(dsn, "tcp://", "clickhouse://", 1))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := context.Background()
	var tables uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = 'tidemark'").Scan(&tables); err != nil || tables < 10 {
		t.Errorf("%d tables: %v", tables, err)
	}
	options.Auth.Password = "guess"
	stranger, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Ping(ctx); err == nil {
		t.Error("the store lets anyone in")
	}
}
