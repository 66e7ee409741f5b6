package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestMigrateTwiceAtOnceAndAgain(t *testing.T) {
	dsn := storetest.Empty(t)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			conn, err := store.Open(dsn, store.Options{MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if err := store.Migrate(context.Background(), conn, "", fmt.Sprint("process-", i)); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		}()
	}
	wg.Wait()
	conn, err := store.Open(dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := store.Migrate(t.Context(), conn, "", "later"); err != nil {
		t.Fatal(err)
	}
	var applied, twice, leases uint64
	if err := conn.QueryRow(t.Context(), "SELECT uniqExact(number), toUInt64(count() - uniqExact(number)), (SELECT count() FROM schema_lease) FROM schema_migrations").Scan(&applied, &twice, &leases); err != nil {
		t.Fatal(err)
	}
	if applied < 5 || twice != 0 || leases != 0 {
		t.Errorf("%d migrations applied, %d of them twice, %d leases left", applied, twice, leases)
	}
}

func TestMigrateResumesAndRefuses(t *testing.T) {
	conn, _ := storetest.DB(t)
	// As a crash leaves it: the tables of the last file are there but for one, and nothing is recorded.
	for _, sql := range []string{"DROP TABLE settings", "DELETE FROM schema_migrations WHERE number >= 4"} {
		if err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Migrate(t.Context(), conn, "", "again"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Setting(t.Context(), conn, "x"); err != nil {
		t.Errorf("after resuming: %v", err)
	}
	insert := func(number int, checksum string) {
		t.Helper()
		if err := conn.Exec(t.Context(), "INSERT INTO schema_migrations (number, name, checksum) VALUES (?, 'x', ?)", number, checksum); err != nil {
			t.Fatal(err)
		}
	}
	insert(1, "different")
	if err := store.Migrate(t.Context(), conn, "", "again"); err == nil || !strings.Contains(err.Error(), "from another text") {
		t.Errorf("a changed file: %v", err)
	}
	insert(900, "future")
	if err := store.Migrate(t.Context(), conn, "", "again"); err == nil || !strings.Contains(err.Error(), "newer Tidemark") {
		t.Errorf("a newer schema: %v", err)
	}
}

func TestRetention(t *testing.T) {
	conn, _ := storetest.DB(t)
	days, err := store.SetRetention(t.Context(), conn, "", map[string]int{"traces": 3, "rollup_1h": 800})
	if err != nil {
		t.Fatal(err)
	}
	read, err := store.Retention(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"traces": 3, "rollup_1h": 800, "logs": 15} {
		if days[name] != want || read[name] != want {
			t.Errorf("%s: set %d, read %d, want %d", name, days[name], read[name], want)
		}
	}
	for table, want := range map[string]string{"spans": "toIntervalDay(3)", "trace_index": "toIntervalDay(3)", "red_1h": "toIntervalDay(800)", "logs": "toIntervalDay(15)"} {
		var ddl string
		if err := conn.QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = ?", table).Scan(&ddl); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(ddl, want) {
			t.Errorf("%s is not kept %s: %s", table, want, ddl)
		}
	}
	// As a crash in the middle of a change leaves it: the next start makes it good.
	if err := conn.Exec(t.Context(), "ALTER TABLE logs MODIFY TTL toDateTime(ts) + INTERVAL 99 DAY SETTINGS materialize_ttl_after_modify = 0"); err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context(), conn, "", "next start"); err != nil {
		t.Fatal(err)
	}
	var ddl string
	if err := conn.QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'logs'").Scan(&ddl); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(ddl, "toIntervalDay(15)") {
		t.Errorf("logs are not kept as set after the next start: %s", ddl)
	}
	for name, days := range map[string]int{"traces": 0, "rollup_10s": 1000, "gossip": 5} {
		if _, err := store.SetRetention(t.Context(), conn, "", map[string]int{name: days}); err == nil {
			t.Errorf("%s was set to %d days", name, days)
		}
	}
}

func TestUsage(t *testing.T) {
	conn, _ := storetest.DB(t)
	if err := conn.Exec(t.Context(), "INSERT INTO logs (ts, service, body) SELECT now64(9) - number, 's', 'hello' FROM numbers(100)"); err != nil {
		t.Fatal(err)
	}
	usage, err := store.Usage(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		if u.Table == "logs" {
			if u.Rows != 100 || u.Bytes == 0 || u.Signal != "logs" || time.Since(u.Oldest).Round(time.Second).Abs() > 5*time.Minute {
				t.Errorf("usage of logs: %+v", u)
			}
			return
		}
	}
	t.Errorf("logs are not in %+v", usage)
}

// A pool's idle connections die with the engine; who asks next gets a new one and no error.
func TestPoolOutlivesTheEngine(t *testing.T) {
	conn, _ := storetest.DB(t)
	e := storetest.Engine(t)
	var wg sync.WaitGroup
	for range 4 { // fills the pool
		wg.Go(func() {
			if err := conn.Exec(t.Context(), "SELECT sleep(0.1)"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	before := e.Restarts()
	if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for e.Restarts() == before {
		time.Sleep(time.Millisecond)
	}
	dsn, err := store.WithDatabase(e.DSN(), "default")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := store.WaitReady(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		var tables uint64
		if err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase()").Scan(&tables); err != nil || tables < 10 {
			t.Errorf("%d tables, %v", tables, err)
		}
	}
}

func TestWaitReadySaysWhatIsWrong(t *testing.T) {
	good := storetest.Engine(t).DSN()
	for name, test := range map[string]struct{ dsn, want string }{
		"password": {strings.Replace(good, "password=", "password=wrong", 1), "it refuses the user name or password: correct --clickhouse-dsn"},
		"nobody":   {"tcp://127.0.0.1:9?username=u&password=sesame", "ClickHouse at 127.0.0.1:9 does not answer"},
		"database": {strings.Replace(good, "database=tidemark", "database=a-b", 1), `the database name "a-b" is not usable`},
		"address":  {"127.0.0.1:9000", "the ClickHouse address is not understood: use tcp://HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := store.WaitReady(ctx, test.dsn)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%v, want … %s …", err, test.want)
			}
		})
	}
}
