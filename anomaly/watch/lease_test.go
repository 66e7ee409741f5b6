package watch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

func shortLease(conn driver.Conn, holder string) *lease {
	l := newLease(conn, holder)
	l.length, l.renew, l.settle = 6*time.Second, 5*time.Second, 600*time.Millisecond
	return l
}

func mustHold(t *testing.T, l *lease, want bool, why string) {
	t.Helper()
	got, err := l.hold(t.Context())
	for began := time.Now(); want && !got && err == nil && time.Since(began) < 3*time.Second; { // a claim that took long is looked at again
		got, err = l.hold(t.Context())
	}
	if err != nil || got != want {
		t.Fatalf("%s: %s holds the lease: %v, %v, want %v", why, l.holder, got, err, want)
	}
}

func TestOneHoldsTheLease(t *testing.T) {
	t.Parallel()
	conn, _ := storetest.DB(t)
	a, b := shortLease(conn, "a"), shortLease(conn, "b")
	mustHold(t, a, true, "nobody has it")
	mustHold(t, b, false, "a has it")
	for began := time.Now(); time.Since(began) < 7*time.Second; time.Sleep(800 * time.Millisecond) {
		mustHold(t, a, true, "it is prolonged")
		mustHold(t, b, false, "a prolongs it")
	}
	if err := a.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustHold(t, b, true, "a has given it back")
	mustHold(t, a, false, "b has it")
	time.Sleep(6100 * time.Millisecond) // b is gone without giving it back
	mustHold(t, a, true, "b's is over")
	mustHold(t, b, false, "b comes back")
	again := shortLease(conn, "a")
	mustHold(t, again, true, "the same process after a restart")
}

func TestClaimsAtOnce(t *testing.T) {
	t.Parallel()
	conn, _ := storetest.DB(t)
	for round := range 2 {
		var holds atomic.Int32
		var claims sync.WaitGroup
		for i := range 4 {
			claims.Go(func() {
				ok, err := shortLease(conn, fmt.Sprintf("%d-%d", round, i)).hold(t.Context())
				if err != nil {
					t.Error(err)
				}
				if ok {
					holds.Add(1)
				}
			})
		}
		claims.Wait()
		if n := holds.Load(); n > 1 {
			t.Errorf("%d hold it at once", n)
		}
		time.Sleep(6100 * time.Millisecond)
	}
}
