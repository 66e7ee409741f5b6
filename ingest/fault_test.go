package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

var errFault, errDead = errors.New("injected"), errors.New("this process is dead")

// faults fails one write step of an ingest a number of times, before it happens or after, and can make the ingest
// dead to the world.
type faults struct {
	step     string // of the spool: create, append, fsync, fsync directory, delete; of ClickHouse: insert TABLE
	happened bool   // the step happens, and failure is reported
	left     atomic.Int64
	hold     atomic.Bool // no insert gets through
	dead     atomic.Bool
}

func (f *faults) spool(step string) (before, after error) {
	switch {
	case f.dead.Load():
		return errDead, nil
	case step != f.step || f.left.Add(-1) < 0:
		return nil, nil
	case f.happened:
		return nil, errFault
	}
	return errFault, nil
}

func (f *faults) insert(table, _ string) (before, after error) {
	if f.hold.Load() {
		return errFault, nil
	}
	return f.spool("insert " + table)
}

func (f *faults) start(t *testing.T, o Options) *Ingest {
	f.dead.Store(false)
	o.spoolFault, o.insertFault = f.spool, f.insert
	return start(t, o)
}

// crash leaves an ingest as a killed process would: from here on it touches neither disk nor ClickHouse, and its lock
// is free.
func (f *faults) crash(t *testing.T, in *Ingest) {
	f.dead.Store(true)
	in.closed.Store(true)
	in.cancel()
	in.jobs.Wait()
	in.stored.mu.Lock()
	in.stored.closed = true
	for _, timer := range in.stored.files {
		timer.Stop()
	}
	in.stored.mu.Unlock()
	if err := in.spool.Close(); err != nil {
		t.Error(err)
	}
	for _, l := range in.lanes { // requests that wait there end with the process
		l.mu.Lock()
		if l.timer != nil {
			l.timer.Stop()
		}
		l.mu.Unlock()
	}
}

// databases lends migrated databases to tests that run side by side: to make one takes longer than most of these tests.
type databases struct {
	t    *testing.T // whose end drops them
	mu   sync.Mutex
	free []database // guarded by mu
}

type database struct {
	conn driver.Conn
	dsn  string
}

func newDatabases(t *testing.T) *databases { return &databases{t: t} }

// take lends a database until the test ends.
func (d *databases) take(t *testing.T) (driver.Conn, string) {
	t.Helper()
	d.mu.Lock()
	if len(d.free) == 0 {
		conn, dsn := storetest.DB(d.t)
		d.free = append(d.free, database{conn, dsn})
	}
	last := len(d.free) - 1
	db := d.free[last]
	d.free = d.free[:last]
	d.mu.Unlock()
	t.Cleanup(func() {
		if empty(t, db.conn) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.free = append(d.free, db)
		}
	})
	return db.conn, db.dsn
}

// empty removes the rows of all tables but those of migrations.
func empty(t *testing.T, conn driver.Conn) bool {
	ctx := context.Background()
	rows, err := conn.Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND total_rows > 0 AND name NOT LIKE '%migration%'")
	if err != nil {
		t.Error(err)
		return false
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := errors.Join(rows.Scan(&name), conn.Exec(ctx, "TRUNCATE TABLE "+name)); err != nil {
			t.Error(err)
			return false
		}
	}
	return rows.Err() == nil
}

// When a process dies in the matrix: not at all, with everything acknowledged, or before anything was committed.
const (
	noCrash = iota
	lateCrash
	earlyCrash
)

// TestFaultMatrix fails every write step, once or until it heals, before or after it happened, with and without a crash
// of the process, and repeats what was not acknowledged as clients do: everything is acknowledged in the end, and
// stored exactly once. What is inserted again goes under its token, from memory or replayed from the spool.
func TestFaultMatrix(t *testing.T) {
	dbs := newDatabases(t)
	spoolSteps := []string{"create", "append", "fsync", "fsync directory", "delete"}
	inserts := []string{"insert resources", "insert spans", "insert trace_index", "insert red_10s", "insert attribute_values"}
	for _, step := range append(spoolSteps, inserts...) {
		for _, happened := range []bool{false, true} {
			for _, times := range []int64{1, 1 << 40} {
				for crash, when := range []string{"no", "late", "early"} {
					if testing.Short() && (times > 1) != (crash == earlyCrash) {
						continue
					}
					t.Run(fmt.Sprintf("%s/happened=%v/once=%v/crash=%s", step, happened, times == 1, when), func(t *testing.T) {
						t.Parallel()
						faultCase(t, dbs, &faults{step: step, happened: happened}, times, crash)
					})
				}
			}
		}
	}
}

func faultCase(t *testing.T, dbs *databases, f *faults, times int64, crash int) {
	conn, dsn := dbs.take(t)
	o := testOptions(t, dsn)
	o.SpoolAfter = 50 * time.Millisecond
	if f.step == "delete" {
		o.keep = 10 * time.Millisecond
	}
	f.left.Store(times)
	// A request that is in no file, since the disk fails, and whose commit a crash keeps from being answered, would be
	// stored again: the limit that docs/reliability.md names. So nothing is committed before an early crash.
	f.hold.Store(crash == earlyCrash && !strings.HasPrefix(f.step, "insert"))
	in := f.start(t, o)
	c := &faultClient{t: t}
	c.in.Store(in)
	var clients sync.WaitGroup
	for i := range uint64(3) {
		clients.Go(func() { c.send(spansOf(100*i, 10)) })
	}
	heal := time.AfterFunc(300*time.Millisecond, func() { f.left.Store(0); f.hold.Store(false) })
	defer heal.Stop()
	switch crash {
	case lateCrash:
		clients.Wait()
	case earlyCrash:
		time.Sleep(80 * time.Millisecond)
	}
	if crash != noCrash {
		f.crash(t, in)
		in = f.start(t, o)
		c.in.Store(in)
	}
	clients.Wait()
	exactlyOnce(t, conn, 30)
	waitFor(t, "everything replayed", func() bool { return in.replay.depth() == 0 })
	if f.step == "delete" {
		waitFor(t, "every file removed", func() bool { return in.spool.Files() == 0 })
	}
	exactlyOnce(t, conn, 30)
}

// faultClient sends a request until it is acknowledged, giving up on an answer after a while, as SDKs do.
type faultClient struct {
	t  *testing.T
	in atomic.Pointer[Ingest]
}

func (c *faultClient) send(body []byte) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		_, err := c.in.Load().Submit(ctx, Traces, body)
		cancel()
		if err == nil {
			return
		}
	}
	c.t.Error("never acknowledged")
}

// Two failures at once, with the process alive: the disk takes no records while ClickHouse is away, or while it stores
// and says that it did not. Whoever was refused sends again, and nothing is there twice.
func TestDiskAndStoreFailTogether(t *testing.T) {
	dbs := newDatabases(t)
	for _, step := range []string{"create", "append", "fsync"} {
		for _, happened := range []bool{false, true} {
			for _, insert := range []string{"", "spans", "red_10s"} { // "": ClickHouse is away altogether
				t.Run(fmt.Sprintf("%s/happened=%v/%s", step, happened, insert), func(t *testing.T) {
					t.Parallel()
					conn, dsn := dbs.take(t)
					o := testOptions(t, dsn)
					o.SpoolAfter = 50 * time.Millisecond
					var broken atomic.Bool
					broken.Store(true)
					fail := func(yes, happened bool) (before, after error) {
						if !yes || !broken.Load() {
							return nil, nil
						}
						if happened {
							return nil, errFault
						}
						return errFault, nil
					}
					o.spoolFault = func(at string) (error, error) { return fail(at == step, happened) }
					o.insertFault = func(table, _ string) (error, error) {
						if insert == "" && broken.Load() {
							return &dialError{errFault}, nil
						}
						return fail(table == insert, true)
					}
					c := &faultClient{t: t}
					c.in.Store(start(t, o))
					heal := time.AfterFunc(700*time.Millisecond, func() { broken.Store(false) })
					defer heal.Stop()
					var clients sync.WaitGroup
					for i := range uint64(3) {
						clients.Go(func() { c.send(spansOf(100*i, 10)) })
					}
					clients.Wait()
					exactlyOnce(t, conn, 30)
					waitFor(t, "everything replayed", func() bool { return c.in.Load().replay.depth() == 0 })
					exactlyOnce(t, conn, 30)
				})
			}
		}
	}
}
