// Package storetest gives tests a fresh, migrated database on a real ClickHouse. All tests of a test binary share one
// embedded engine, which the binary itself runs as its child: a package that uses it has
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/engine"
)

var shared struct {
	sync.Mutex
	engine *engine.Engine
	dir    string
	err    error
}

// Main runs the tests, or the engine where this process is its child, and exits.
func Main(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.Subcommand {
		os.Exit(engine.Main(os.Args[2:]))
	}
	code := m.Run()
	if shared.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_ = shared.engine.Stop(ctx)
		cancel()
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// Engine is the engine that the tests of this binary share.
func Engine(t testing.TB) *engine.Engine {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil && shared.err == nil {
		shared.engine, shared.err = start()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.engine
}

func start() (*engine.Engine, error) {
	lib, err := Library()
	if err != nil {
		return nil, err
	}
	if shared.dir, err = os.MkdirTemp("", "tidemark-store-"); err != nil {
		return nil, err
	}
	return engine.Start(context.Background(), engine.Options{Dir: shared.dir, Library: lib, MemoryRatio: 0.3})
}

// Library finds the engine library: the environment's, else the one that `make build` left in bin/lib.
func Library() (string, error) {
	if lib := os.Getenv(engine.LibraryEnv); lib != "" {
		return lib, nil
	}
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	lib := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "bin", "lib", "libchdb.so")
	if _, err := os.Stat(lib); err != nil {
		return "", fmt.Errorf("tests need the engine library: run `make build` once, or set %s", engine.LibraryEnv)
	}
	return lib, nil
}

// Empty makes a database without tables, dropped when the test ends, and returns its DSN.
func Empty(t testing.TB) string {
	t.Helper()
	dsn, err := store.WithDatabase(Engine(t).DSN(), fmt.Sprintf("test_%08x", rand.Uint32()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := store.WaitReady(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := store.Open(dsn, store.Options{MaxConns: 1})
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name(dsn)); err != nil {
			t.Error(err)
		}
	})
	return dsn
}

func name(dsn string) string {
	_, after, _ := strings.Cut(dsn, "database=")
	db, _, _ := strings.Cut(after, "&")
	return db
}

// DB makes a migrated database, dropped when the test ends.
func DB(t testing.TB) (conn driver.Conn, dsn string) {
	t.Helper()
	dsn = Empty(t)
	conn, err := store.Open(dsn, store.Options{MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := store.Migrate(context.Background(), conn, "", "test"); err != nil {
		t.Fatal(err)
	}
	return conn, dsn
}
