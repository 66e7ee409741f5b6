package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
)

// Several processes may watch one store; one of them opens incidents and tells of them. Which one is agreed upon in
// table settings: the holder's name and until when. ClickHouse has no compare-and-set, so a claim is written and read
// again after a while in which every other claim that was begun before it must have been written: the newest row
// counts for all alike. A claimant that was slower than that gives up its claim. All times are the store's own.
const (
	leaseKey    = "lease/detection"
	leaseLength = 45 * time.Second
	leaseRenew  = 30 * time.Second // left of it, under which it is prolonged
	leaseSettle = 2 * time.Second  // between a claim and reading it again
)

// lease is the right to open incidents.
type lease struct {
	conn   driver.Conn
	holder string
	length time.Duration
	renew  time.Duration
	settle time.Duration
	until  time.Time // by this process's clock; zero: not held
}

// held is what is stored of a lease.
type held struct {
	Holder string `json:"holder"`
	Until  int64  `json:"until"` // Unix milliseconds by the store's clock
}

func newLease(conn driver.Conn, holder string) *lease {
	return &lease{conn: conn, holder: holder, length: leaseLength, renew: leaseRenew, settle: leaseSettle}
}

// read is who holds the lease, and the store's time. A holder whose lease is over is none.
func (l *lease) read(ctx context.Context) (h held, now int64, err error) {
	var value string
	if err := l.conn.QueryRow(ctx, `SELECT argMax(value, updated_at), toUnixTimestamp64Milli(now64(3)) FROM settings WHERE key = ?`, leaseKey).Scan(&value, &now); err != nil {
		return h, 0, fmt.Errorf("read who runs detection: %w", err)
	}
	if json.Unmarshal([]byte(value), &h) != nil || h.Until <= now {
		return held{}, now, nil
	}
	return h, now, nil
}

func (l *lease) write(ctx context.Context, until int64) error {
	b, err := json.Marshal(held{l.holder, until})
	if err != nil {
		return fmt.Errorf("claim detection: %w", err)
	}
	return store.SetSetting(ctx, l.conn, leaseKey, string(b))
}

// hold takes or prolongs the lease, and says whether this process has it. While the store does not answer, a lease
// that is not over still holds.
func (l *lease) hold(ctx context.Context) (bool, error) {
	began := time.Now()
	h, now, err := l.read(ctx)
	if err != nil {
		return began.Before(l.until), err
	}
	if h.Holder != "" && h.Holder != l.holder {
		l.until = time.Time{}
		return false, nil
	}
	if h.Holder == l.holder && h.Until-now > l.renew.Milliseconds() {
		l.until = began.Add(time.Duration(h.Until-now) * time.Millisecond)
		return true, nil
	}
	if err := l.write(ctx, now+l.length.Milliseconds()); err != nil {
		return began.Before(l.until), err
	}
	if h.Holder == l.holder {
		l.until = began.Add(l.length)
		return true, nil
	}
	if time.Since(began) > l.settle/2 {
		return false, nil // too slow to be sure; what the store says at the next look counts
	}
	select {
	case <-time.After(l.settle):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if h, _, err = l.read(ctx); err != nil || h.Holder != l.holder {
		return false, err
	}
	l.until = began.Add(l.length)
	return true, nil
}

// release ends the lease, so that another process need not wait for its end.
func (l *lease) release(ctx context.Context) error {
	if l.until.IsZero() {
		return nil
	}
	l.until = time.Time{}
	h, _, err := l.read(ctx)
	if err != nil || h.Holder != l.holder {
		return err
	}
	return l.write(ctx, 0)
}
