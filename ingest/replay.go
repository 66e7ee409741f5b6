package ingest

import (
	"context"
	"errors"
	"io/fs"
	"math"
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
	pending []string         // names, oldest first; guarded by mu
	unsure  map[string]*fate // of those whose clients wait for the replay; guarded by mu
}

func newReplayer(in *Ingest, left []string) *replayer {
	r := &replayer{in: in, wake: make(chan struct{}, 1), pending: left, unsure: map[string]*fate{}}
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
	r.look()
}

// look makes the replayer see whether there is anything to do.
func (r *replayer) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// addUnsure has a fate told when its file, which is still to be added, has been replayed.
func (r *replayer) addUnsure(name string, f *fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsure[name] = f
}

func (r *replayer) oldest() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		return ""
	}
	return r.pending[0]
}

// done tells that a file needs no more replaying; err says what is not stored of it.
func (r *replayer) done(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := slices.BinarySearch(r.pending, name); ok {
		r.pending = slices.Delete(r.pending, i, i+1)
	}
	if f := r.unsure[name]; f != nil {
		delete(r.unsure, name)
		f.playErr = err
		close(f.played)
		f.file.Close()
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
		if r.in.away.Load() && !r.waitForStore() { // also when nothing is left to replay: somebody must see it come back
			return
		}
		for name := r.oldest(); name != "" && r.waitForStore(); name = r.oldest() {
			if !r.file(w, name) {
				return
			}
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
			r.in.back()
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
	damage, ok := r.read(b, name)
	if !ok {
		return false
	}
	w.salvage = nil
	if s := r.in.newSalvage(name, true); len(s.cuts) > 0 {
		w.salvage = s // begun by a process that died over it
	}
	var p patience
	for wait := 100 * time.Millisecond; b.rows > 0; wait = min(2*wait, r.in.opts.patience) {
		err := w.write(b, func(blk *block, token string) error { return r.in.pool.insert(r.in.ctx, blk, token) })
		if err == nil {
			break
		}
		for _, s := range b.metrics.newSeries {
			s.lastQueued.Store(0)
		}
		r.in.stats.insertFailed(w.block.table, err)
		r.in.opts.Logger.Warn("batch not replayed", "batch", name, "rows", b.rows, "error", err)
		if p.exhausted(err) {
			w.salvage = r.in.newSalvage(name, true)
			p = patience{}
		}
		if !r.pause(wait) || !r.waitForStore() {
			return false
		}
	}
	r.in.stats.replayed.Add(1)
	if damage != nil {
		r.quarantine(name, damage)
	} else {
		r.remove(name)
	}
	r.done(name, damage)
	return true
}

// remove deletes the file of a batch that is stored, at once unless it is so young that its clients may not have had
// their answers yet.
func (r *replayer) remove(name string) {
	if batchAge(name) < time.Minute {
		r.in.removeAfter(name, r.in.opts.keep)
		return
	}
	r.in.removeAfter(name, 0)
}

// readAgain is how often a file that cannot be read is tried before it is quarantined unread.
const readAgain = 8

// read decodes a file into a batch. Damage is an answer; a disk that cannot read at the moment is not: to store what
// it gave so far, under the file's token, would keep out the rest.
func (r *replayer) read(b *batch, name string) (damage error, ok bool) {
	wait := 50 * time.Millisecond
	for range readAgain {
		b.reset()
		b.name = name
		damage = r.decode(b, name)
		if damage == nil || errors.Is(damage, spool.ErrDamaged) || errors.Is(damage, fs.ErrNotExist) {
			return damage, true
		}
		r.in.stats.spoolFailed(damage)
		r.in.opts.Logger.Error("spool file not readable", "batch", name, "error", damage)
		if !r.pause(wait) {
			return damage, false
		}
		wait *= 2
	}
	b.reset()
	b.name = name
	return damage, true
}

// decode reads a file's requests as they were read at first: limits are judged by the time of receipt. The cap of
// series is not applied again, since another order would reject what has been acknowledged.
func (r *replayer) decode(b *batch, name string) error {
	limits := r.in.opts.Limits
	limits.Series = math.MaxInt
	d := newDecoder(&limits, r.in.resources, r.in.series)
	d.families = r.in.families
	return r.in.spool.Read(name, func(rec spool.Record) error {
		d.begin(rec.Received)
		if err := b.decode(d, Signal(rec.Signal), rec.Body); err != nil {
			r.in.stats.count(Signal(rec.Signal).kind(), malformedRequest, 1, err.Error())
		}
		return nil
	})
}

func (r *replayer) quarantine(name string, cause error) {
	r.in.opts.Logger.Error("spool file quarantined", "batch", name, "error", cause)
	r.in.stats.quarantined.Add(1)
	if err := r.in.spool.Quarantine(name); err != nil {
		r.in.stats.spoolFailed(err)
	}
}

// age is how old the oldest pending batch is.
func (r *replayer) age() time.Duration {
	if name := r.oldest(); name != "" {
		return batchAge(name)
	}
	return 0
}

// batchAge is the time since a batch was opened, with which its name begins.
func batchAge(name string) time.Duration {
	if len(name) < 16 {
		return 0
	}
	ns, err := strconv.ParseInt(name[:16], 16, 64)
	if err != nil {
		return 0
	}
	return time.Since(time.Unix(0, ns))
}
