package ingest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/tidemarkhq/tidemark/ingest/spool"
)

// replayer stores, oldest first, the batches that were left to the spool: by this process while ClickHouse was away,
// or by an earlier one that ended before it was done.
type replayer struct {
	in   *Ingest
	wake chan struct{}

	mu      sync.Mutex
	pending []string // names, oldest first; guarded by mu
}

// poisonAfter is how often ClickHouse may refuse the very content of a batch before its file is quarantined.
const poisonAfter = 3

func newReplayer(in *Ingest, left []string) *replayer {
	r := &replayer{in: in, wake: make(chan struct{}, 1), pending: left}
	cutoff := time.Now().Add(-in.opts.DuplicateWindow).UnixNano()
	for _, name := range left {
		in.spool.Heads(name, cutoff, func(rec spool.Record, n int) {
			in.seen.remember(requestKey{rec.Hash, uint32(n), Signal(rec.Signal)})
		})
	}
	if len(left) > 0 {
		r.wake <- struct{}{}
	}
	return r
}

func (r *replayer) add(name string) {
	r.mu.Lock()
	i, _ := slices.BinarySearch(r.pending, name)
	r.pending = slices.Insert(r.pending, i, name)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *replayer) oldest() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		return ""
	}
	return r.pending[0]
}

func (r *replayer) done(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := slices.BinarySearch(r.pending, name); ok {
		r.pending = slices.Delete(r.pending, i, i+1)
	}
}

func (r *replayer) depth() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending)
}

// run replays until the ingest closes.
func (r *replayer) run() {
	w := newWriter(r.in)
	for {
		select {
		case <-r.in.ctx.Done():
			return
		case <-r.wake:
		}
		for name := r.oldest(); name != "" && r.waitForStore(); name = r.oldest() {
			if !r.file(w, name) {
				return
			}
			r.done(name)
		}
	}
}

// waitForStore returns when ClickHouse answers, false when the ingest closes.
func (r *replayer) waitForStore() bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		ctx, cancel := context.WithTimeout(r.in.ctx, 5*time.Second)
		err := r.in.pool.do(ctx, ch.Query{Body: "SELECT 1 FORMAT Null"})
		cancel()
		if err == nil {
			r.in.away.Store(false)
			return true
		}
		if !r.pause(wait) {
			return false
		}
	}
}

func (r *replayer) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.in.ctx.Done():
		return false
	}
}

// file stores one spool file and removes or quarantines it. It reports false when the ingest closes.
func (r *replayer) file(w *writer, name string) bool {
	b := r.in.batches.get()
	defer r.in.batches.put(b)
	b.name = name
	damage := r.decode(b, name)
	refused := 0
	for wait := 100 * time.Millisecond; b.rows > 0; wait = min(2*wait, 5*time.Second) {
		err := w.write(b, func(blk *block, token string) error { return r.in.pool.insert(r.in.ctx, blk, token) })
		if err == nil {
			break
		}
		for _, s := range b.metrics.newSeries {
			s.lastQueued.Store(0)
		}
		if permanent(err) {
			if refused++; refused >= poisonAfter {
				r.quarantine(name, err)
				return true
			}
		}
		r.in.opts.Logger.Warn("batch not replayed", "batch", name, "rows", b.rows, "error", err)
		if !r.pause(wait) || !r.waitForStore() {
			return false
		}
	}
	r.in.stats.replayed.Add(1)
	if damage != nil {
		r.quarantine(name, damage)
		return true
	}
	if err := r.in.spool.Remove(name); err != nil {
		r.in.stats.spoolFailed(err)
	}
	return true
}

// decode reads a file's requests as they were read at first: limits are judged by the time of receipt.
func (r *replayer) decode(b *batch, name string) error {
	d := newDecoder(&r.in.opts.Limits, r.in.resources, r.in.series)
	err := r.in.spool.Read(name, func(rec spool.Record) error {
		d.begin(rec.Received)
		if err := b.decode(d, Signal(rec.Signal), rec.Body); err != nil {
			r.in.stats.count(Signal(rec.Signal), malformedRequest, 1, err.Error())
		}
		return nil
	})
	if err != nil && !errors.Is(err, spool.ErrDamaged) {
		r.in.opts.Logger.Error("spool file not readable", "batch", name, "error", err)
	}
	return err
}

func (r *replayer) quarantine(name string, cause error) {
	r.in.opts.Logger.Error("spool file quarantined", "batch", name, "error", cause)
	r.in.stats.quarantined.Add(1)
	if err := r.in.spool.Quarantine(name); err != nil {
		r.in.stats.spoolFailed(err)
	}
}

// age is how old the oldest pending batch is; names begin with the time at which it was opened.
func (r *replayer) age() time.Duration {
	name := r.oldest()
	if len(name) < 16 {
		return 0
	}
	ns, err := strconv.ParseInt(name[:16], 16, 64)
	if err != nil {
		return 0
	}
	return time.Since(time.Unix(0, ns))
}
