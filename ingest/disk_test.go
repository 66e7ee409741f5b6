package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// fillDisk is a disk that can be full.
type fillDisk struct {
	dir   string
	fault func(step string) (before, after error)
	fill  func()
	free  func()
}

// injectedDisk says ENOSPC when it is to be full.
func injectedDisk(t *testing.T) fillDisk {
	var full atomic.Bool
	return fillDisk{
		dir:  t.TempDir(),
		fill: func() { full.Store(true) }, free: func() { full.Store(false) },
		fault: func(step string) (before, after error) {
			if full.Load() && step != "delete" {
				return syscall.ENOSPC, nil
			}
			return nil, nil
		},
	}
}

// smallDisk is a tmpfs of 8 MiB, where the test may mount one.
func smallDisk(t *testing.T) fillDisk {
	dir := t.TempDir()
	if err := mountTmpfs(dir, "8m"); err != nil {
		t.Skipf("no small disk to fill here (%v): needs root on Linux; the same is tested with injected errors", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	return fillDisk{dir: filepath.Join(dir, "spool"), fill: func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}, free: func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}}
}

// With a full disk, requests are acknowledged after their commit as long as ClickHouse takes them, and refused retryably
// when it does not; what was acknowledged can be read all the time, and everything recovers by itself.
func TestDiskFull(t *testing.T) {
	for name, disk := range map[string]func(*testing.T) fillDisk{"injected": injectedDisk, "tmpfs": smallDisk} {
		t.Run(name, func(t *testing.T) {
			d := disk(t)
			conn, dsn := storetest.DB(t)
			p, via := newProxy(t, dsn)
			o := testOptions(t, via)
			o.SpoolDir, o.spoolFault, o.SpoolReserve = d.dir, d.fault, 0
			in := start(t, o)
			var bodies, unknown [][]byte // sent, and those of them whose outcome nobody could tell
			once := func(body []byte) error {
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				defer cancel()
				_, err := in.Submit(ctx, Traces, body)
				return err
			}
			var refused []byte // to be sent again
			send := func() error {
				body := refused
				if refused = nil; body == nil {
					body = spansOf(1000*uint64(len(bodies)), 10)
					bodies = append(bodies, body)
				}
				err := once(body)
				switch {
				case errors.Is(err, context.DeadlineExceeded):
					unknown = append(unknown, body)
				case err != nil:
					refused = body
				}
				return err
			}
			must := func(when string) {
				t.Helper()
				waitFor(t, "a request is acknowledged, "+when, func() bool {
					err := send()
					var overload *OverloadError
					if errors.As(err, &overload) {
						t.Fatalf("%s: %v", when, err)
					}
					return err == nil
				})
			}
			must("all well")
			d.fill()
			must("disk full")
			must("disk full")
			if err := in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.cut()
			refusedRetryably(t, send)
			if n := count(t, conn, "SELECT count() FROM spans"); n < 30 {
				t.Errorf("%d spans readable, want at least 30", n)
			}
			d.free()
			waitFor(t, "requests are taken again, into the spool", func() bool { return send() == nil })
			d.fill()
			refusedRetryably(t, send)
			p.up.Store(true)
			waitFor(t, "requests are taken again, after their commit", func() bool { return send() == nil })
			d.free()
			must("all well again")
			for _, body := range unknown { // their clients send them until they are acknowledged
				waitFor(t, "a request that was given up is acknowledged", func() bool { return once(body) == nil })
			}
			exactlyOnce(t, conn, 10*uint64(len(bodies)))
		})
	}
}

// refusedRetryably sends until a request is refused: those first on their way to ClickHouse may still get through.
func refusedRetryably(t *testing.T, send func() error) {
	t.Helper()
	for range 20 {
		err := send()
		if err == nil || errors.Is(err, context.DeadlineExceeded) { // stored or not, when ClickHouse went: nobody knows yet
			continue
		}
		var overload *OverloadError
		if !errors.As(err, &overload) || overload.RetryAfter == 0 {
			t.Fatalf("got %v, want an OverloadError with a time to retry", err)
		}
		return
	}
	t.Fatal("never refused")
}

// A spool that fills its whole disk while ClickHouse is away.
func TestSpoolFillsTheDisk(t *testing.T) {
	d := smallDisk(t)
	conn, dsn := storetest.DB(t)
	p, via := newProxy(t, dsn)
	o := testOptions(t, via)
	o.SpoolDir, o.SpoolReserve, o.FlushInterval = d.dir, 1<<20, 5*time.Millisecond
	in := start(t, o)
	p.cut()
	var acked uint64
	for refused := false; !refused; {
		_, err := in.Submit(t.Context(), Traces, spansOf(10_000*acked, 1000))
		if err == nil {
			acked++
			continue
		}
		var overload *OverloadError
		if !errors.As(err, &overload) {
			t.Fatal(err)
		}
		refused = overload.Reason == "spool_full"
	}
	if most := int64(7<<20 + len(spansOf(0, 1000))); in.Stats().Spool.Bytes > most || acked < 10 { // the last one may not fit
		t.Errorf("%d requests, %d bytes: the reserve was not kept", acked, in.Stats().Spool.Bytes)
	}
	p.up.Store(true)
	waitFor(t, "requests are taken again", func() bool {
		_, err := in.Submit(t.Context(), Traces, spansOf(10_000*acked, 1000))
		if err == nil {
			acked++
		}
		return err == nil
	})
	exactlyOnce(t, conn, 1000*acked)
}
