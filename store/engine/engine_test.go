package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tidemarkhq/tidemark/store/engine"
)

// TestMain lets this test binary be the engine child, and a parent that dies.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.Subcommand {
		os.Exit(engine.Main(os.Args[2:]))
	}
	if dir := os.Getenv("ENGINE_TEST_PARENT"); dir != "" {
		e, err := engine.Start(context.Background(), engine.Options{Dir: dir, Library: library()})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("pid", e.PID())
		select {}
	}
	os.Exit(m.Run())
}

func library() string {
	lib, err := engine.Library("")
	if err == nil {
		return lib
	}
	return filepath.Join("..", "..", "bin", "lib", "libchdb.so")
}

func start(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	lib, err := filepath.Abs(library())
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Start(t.Context(), engine.Options{Dir: dir, Library: lib})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// query runs one statement, retrying while the engine is away, and returns its single value.
func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	o, err := clickhouse.ParseDSN(strings.Replace(dsn, "database=tidemark", "database=default", 1))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var value string
		if strings.HasPrefix(sql, "SELECT") {
			last = conn.QueryRow(t.Context(), sql).Scan(&value)
		} else {
			last = conn.Exec(t.Context(), sql)
		}
		if last == nil {
			return value
		}
	}
	t.Fatalf("%s: %v", sql, last)
	return ""
}

func TestCrashKeepsCommittedRowsAndAddress(t *testing.T) {
	e := start(t, t.TempDir())
	dsn, pid := e.DSN(), e.PID()
	query(t, dsn, "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
	query(t, dsn, "INSERT INTO kept SELECT number FROM numbers(1000)")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := query(t, dsn, "SELECT toString(count()) FROM kept"); got != "1000" {
		t.Errorf("after a crash %s rows of 1000 are there", got)
	}
	if e.Restarts() != 1 || e.PID() == pid {
		t.Errorf("restarts = %d, pid %d before and %d after", e.Restarts(), pid, e.PID())
	}
}

// Kills in the middle of inserts: what was acknowledged is there, and nothing is there twice.
func TestKillsUnderLoadLoseNothingAcknowledged(t *testing.T) {
	e := start(t, t.TempDir())
	query(t, e.DSN(), "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000")
	acknowledged := uint64(0)
	for kill := range 3 {
		pid := e.PID()
		timer := time.AfterFunc(time.Duration(100+150*kill)*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		for e.Restarts() <= kill {
			// query repeats an insert whose answer was lost: the token keeps it from being stored twice.
			query(t, e.DSN(), fmt.Sprintf("INSERT INTO kept SETTINGS insert_deduplication_token = '%d' VALUES (%d)", acknowledged, acknowledged))
			acknowledged++
		}
		timer.Stop()
	}
	got := query(t, e.DSN(), "SELECT concat(toString(count()), ' rows, ', toString(uniqExact(n)), ' distinct, up to ', toString(max(n))) FROM kept")
	if want := fmt.Sprintf("%d rows, %d distinct, up to %d", acknowledged, acknowledged, acknowledged-1); got != want {
		t.Errorf("after 3 kills: %s; want %s", got, want)
	}
	t.Logf("%d inserts acknowledged over 3 kills", acknowledged)
}

func TestRestartKeepsDataAndPassword(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir)
	query(t, e.DSN(), "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
	query(t, e.DSN(), "INSERT INTO kept VALUES (7)")
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if got := query(t, again.DSN(), "SELECT toString(sum(n)) FROM kept"); got != "7" {
		t.Errorf("after a restart the table holds %s, want 7", got)
	}
}

// Connections of others, idle or silent, hold up a stop no longer than the grace.
func TestStopDoesNotWaitForClients(t *testing.T) {
	e := start(t, t.TempDir())
	o, err := clickhouse.ParseDSN(strings.Replace(e.DSN(), "database=tidemark", "database=default", 1))
	if err != nil {
		t.Fatal(err)
	}
	idle, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := idle.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", o.Addr[0])
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
}

// At the library's own default it writes a dozen lines for each statement.
func TestLogHoldsWarningsOnly(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir)
	query(t, e.DSN(), "CREATE TABLE quiet (n UInt64) ENGINE = MergeTree ORDER BY n")
	for range 10 {
		query(t, e.DSN(), "INSERT INTO quiet VALUES (1)")
	}
	b, err := os.ReadFile(filepath.Join(dir, "engine.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{"<Trace>", "<Debug>", "<Information>", "Temporarily pause"} {
		if n := strings.Count(string(b), level); n > 0 {
			t.Errorf("%d lines with %s", n, level)
		}
	}
}

func TestMemoryLimitAndAccess(t *testing.T) {
	e := start(t, t.TempDir())
	query(t, e.DSN(), "SYSTEM FLUSH LOGS") // makes the tables of system logs that are on
	for sql, want := range map[string]string{
		"SELECT currentUser()": "tidemark",
		"SELECT value FROM system.server_settings WHERE name = 'mark_cache_size'":                       "268435456",
		"SELECT value FROM system.server_settings WHERE name = 'background_common_pool_size'":           "4",
		"SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'":                "1",
		"SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage_to_ram_ratio'":  "0.5",
		"SELECT toString(count()) FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'": "0",
	} {
		if got := query(t, e.DSN(), sql); got != want {
			t.Errorf("%s = %q, want %q", sql, got, want)
		}
	}
	for _, dsn := range []string{
		strings.Replace(e.DSN(), "password=", "password=x", 1),
		strings.Replace(e.DSN(), "username=tidemark", "username=default", 1),
	} {
		o, err := clickhouse.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := clickhouse.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(t.Context()); err == nil {
			t.Errorf("%s was let in", o.Auth.Username)
		}
		conn.Close()
	}
}

// One failing connection must not end the engine for all: wrong passwords, strangers' bytes, clients that leave in
// the middle of an answer.
func TestFailingConnectionsLeaveTheEngineAlone(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir)
	pid := e.PID()
	for _, dsn := range []string{strings.Replace(e.DSN(), "password=", "password=x", 1), strings.Replace(e.DSN(), "database=tidemark", "database=nowhere", 1)} {
		o, err := clickhouse.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := clickhouse.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Errorf("%s was served", dsn)
		}
		conn.Close()
	}
	o, err := clickhouse.ParseDSN(strings.Replace(e.DSN(), "database=tidemark", "database=default", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, bytes := range []string{"", "GET / HTTP/1.0\r\n\r\n", "\x00\xff\xff\xff\xff\xff\xff"} {
		c, err := net.Dial("tcp", o.Addr[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, bytes)
		c.Close()
	}
	for range 5 {
		conn, err := clickhouse.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		rows, err := conn.Query(ctx, "SELECT number, repeat('x', 1000) FROM system.numbers")
		if err == nil {
			rows.Next() // an endless answer has begun
		}
		cancel()
		conn.Close()
	}
	time.Sleep(time.Second) // an abort takes the engine a moment
	if got := query(t, e.DSN(), "SELECT 'fine'"); got != "fine" || e.PID() != pid || e.Restarts() != 0 {
		t.Errorf("answers %q, pid %d, was %d, %d restarts", got, e.PID(), pid, e.Restarts())
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "engine.log")); strings.Contains(string(b), "<Fatal>") {
		t.Errorf("the engine broke: %s", b)
	}
}

func TestChildEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "ENGINE_TEST_PARENT="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, err := fmt.Sscanf(line, "pid %d", &pid); err != nil {
		t.Fatalf("the parent said %q", line)
	}
	parent.Process.Kill()
	parent.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		if time.Now().After(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the engine outlives its killed parent")
		}
	}
}
