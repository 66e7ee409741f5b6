package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/ingest/spool"
)

// busyRows is the size of a batch from which on the next ones stay open longer.
const busyRows = 10_000

// openBatch returns the lane's open batch, locked by its caller, opening one if there is none.
func (in *Ingest) openBatch(l *lane) (*batch, error) {
	if l.open != nil {
		return l.open, nil
	}
	if in.closed.Load() {
		return nil, &OverloadError{Reason: refusedStopping, RetryAfter: time.Second, Err: errShutDown}
	}
	away := in.away.Load()
	if away {
		if err := in.checkSpool(); err != nil {
			return nil, err
		}
	}
	name := in.batchName()
	file, err := in.spool.Create(name)
	if err != nil {
		in.spoolFailed(err)
		if away {
			return nil, &OverloadError{Reason: refusedStore, RetryAfter: 5 * time.Second, Err: err}
		}
	}
	b := in.batches.get()
	b.name, b.opened = name, time.Now()
	b.fate = &fate{file: file, done: make(chan struct{}), ended: in.ctx.Done()}
	in.liveMu.Lock()
	in.live[b.fate] = struct{}{}
	in.liveMu.Unlock()
	l.open = b
	interval := in.opts.FlushInterval
	if in.busy.Load() {
		interval = in.opts.FlushIntervalBusy
	}
	if away && !in.opts.AckAfterCommit { // nobody waits for it; large files are replayed faster than many
		interval = in.opts.FlushIntervalAway
	}
	l.timer = time.AfterFunc(interval, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open == b && b.name == name {
			in.closeOpen(l)
		}
	})
	return b, nil
}

// checkSpool says why, with ClickHouse away, no request can be taken: the spool is full, or its disk fails. A failing
// disk is tried once in probeEvery, with nobody's request.
func (in *Ingest) checkSpool() error {
	if in.spool.Full() {
		return &OverloadError{Reason: refusedSpool, RetryAfter: 10 * time.Second}
	}
	if !in.sick.Load() {
		return nil
	}
	last, now := in.probed.Load(), time.Now().UnixNano()
	err := errSick
	if now-last > int64(probeEvery) && in.probed.CompareAndSwap(last, now) {
		if err = in.spool.Probe(); err == nil {
			in.sick.Store(false)
			return nil
		}
		in.stats.spoolFailed(err)
	}
	return &OverloadError{Reason: refusedStore, RetryAfter: 2 * time.Second, Err: err}
}

const probeEvery = 500 * time.Millisecond

var errSick = errors.New("the spool's disk fails, and ClickHouse is away")

// spoolFailed counts a failed step of the spool and remembers that its disk is not to be trusted.
func (in *Ingest) spoolFailed(err error) {
	in.stats.spoolFailed(err)
	if !errors.Is(err, spool.ErrFull) {
		in.sick.Store(true)
	}
}

// batchName is unique and sorts by age.
func (in *Ingest) batchName() string {
	for {
		last, now := in.lastName.Load(), time.Now().UnixNano()
		now = max(now, last+1)
		if in.lastName.CompareAndSwap(last, now) {
			return fmt.Sprintf("%016x-%s", now, in.suffix)
		}
	}
}

// closeOpen hands the lane's batch to the flushers. It blocks while they are all busy and one batch waits already:
// then requests wait at the lane, and the bytes in flight say when to refuse. Called with the lane locked.
func (in *Ingest) closeOpen(l *lane) {
	b := l.open
	if b == nil {
		return
	}
	l.timer.Stop()
	l.open = nil
	b.closed = time.Now()
	in.busy.Store(b.rows >= busyRows)
	select {
	case in.queue <- b:
		return
	default:
	}
	if in.away.Load() && b.fate.file != nil { // the flushers still wait for an answer
		in.leaveToSpool(b, errAway)
		in.release(b)
		return
	}
	stuck := time.NewTimer(in.opts.stuck)
	defer stuck.Stop()
	select {
	case in.queue <- b:
	case <-stuck.C:
		in.away.Store(true)
		in.leaveToSpool(b, errStuck)
		in.release(b)
		in.replay.look()
	}
}

// flushersStuck is how long a full queue may not move until ClickHouse counts as away: it then neither stores nor
// refuses.
const flushersStuck = 10 * time.Second

var errStuck = errors.New("ClickHouse does not answer")

// flusher commits batches until the queue is closed.
func (in *Ingest) flusher() {
	w := newWriter(in)
	for b := range in.queue {
		in.settle(w, b)
	}
}

// settle decides a batch's fate.
func (in *Ingest) settle(w *writer, b *batch) {
	if b.rows == 0 {
		in.retire(b, 0)
		in.settled(b.fate, stored, nil)
		in.release(b)
		return
	}
	if in.away.Load() && b.fate.file != nil {
		in.leaveToSpool(b, errAway)
		in.release(b)
		return
	}
	err := in.commit(w, b)
	switch {
	case err == nil:
		in.release(b)
	case b.unjournaled && b.touched:
		in.flush.Go(func() { in.hold(b, err) })
	default:
		in.leaveToSpool(b, err)
		in.release(b)
	}
}

var errAway = errors.New("ClickHouse is away")

// release gives a batch's bytes and columns back.
func (in *Ingest) release(b *batch) {
	in.inFlight.Add(-b.bytes)
	in.batches.put(b)
}

// commit tries to store a batch and settles it if that succeeds.
func (in *Ingest) commit(w *writer, b *batch) error {
	begun := time.Now()
	if err := in.try(w, b); err != nil {
		in.opts.Logger.Warn("batch not stored", "batch", b.name, "rows", b.rows, "error", err)
		return err
	}
	in.stats.flushed(b, time.Since(begun))
	in.settled(b.fate, stored, nil)
	in.retire(b, in.opts.keep)
	return nil
}

// hold keeps a batch of which a part may have been stored and a part is in no file: to refuse those requests could
// store them twice, so they wait until it is certain, which the token makes safe to find out. Its bytes stay in
// flight meanwhile, so that few such batches can gather.
func (in *Ingest) hold(b *batch, err error) {
	defer in.release(b)
	w := newWriter(in)
	var p patience
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if p.exhausted(err) && w.salvage == nil {
			w.salvage = in.newSalvage(b.name, false)
		}
		select {
		case <-time.After(wait):
		case <-in.ctx.Done():
			in.leaveToSpool(b, err)
			return
		}
		if err = in.commit(w, b); err == nil {
			return
		}
		if in.closed.Load() {
			in.leaveToSpool(b, err)
			return
		}
	}
}

// try commits a batch, repeating failed inserts until SpoolAfter has passed since the first failure.
func (in *Ingest) try(w *writer, b *batch) error {
	var failedSince time.Time
	return w.write(b, func(blk *block, token string) error {
		for wait := 50 * time.Millisecond; ; wait *= 2 {
			err := in.pool.insert(in.ctx, blk, token)
			var dial *dialError
			b.touched = b.touched || !errors.As(err, &dial)
			if err == nil {
				return nil
			}
			in.stats.insertFailed(blk.table, err)
			if failedSince.IsZero() {
				failedSince = time.Now()
			}
			data := permanent(err)
			if data || w.salvage != nil || time.Since(failedSince)+wait > in.opts.SpoolAfter {
				if refusalOf(err) == unreachable {
					in.away.Store(true)
					in.replay.look() // for its return
				}
				return err
			}
			select {
			case <-time.After(wait):
			case <-in.ctx.Done():
				return err
			}
		}
	})
}

// leaveToSpool gives up on a batch for now: its file will be replayed. What could not be fsynced is not answered
// before that.
func (in *Ingest) leaveToSpool(b *batch, cause error) {
	for _, s := range b.metrics.newSeries {
		s.lastQueued.Store(0)
	}
	if b.fate.file == nil {
		in.settled(b.fate, lost, cause)
		return
	}
	in.stats.spooledBatches.Add(1)
	if err := b.fate.file.SyncAll(); err != nil {
		in.spoolFailed(err)
		b.fate.played = make(chan struct{})
		in.replay.addUnsure(b.name, b.fate)
		in.settled(b.fate, unsure, cause)
	} else {
		in.settled(b.fate, spooled, cause)
		b.fate.file.Close()
	}
	in.replay.add(b.name)
}

// keepStored is how long the file of a stored batch stays. Its requests may have been stored before their answers
// reached the clients: were the process killed in between, the clients would send them again, and only the file tells
// the next process that it has them already.
const keepStored = 5 * time.Second

// retire closes the file of a batch that is stored, or that has no rows, and has it removed after a while.
func (in *Ingest) retire(b *batch, after time.Duration) {
	if b.fate.file == nil {
		return
	}
	b.fate.file.Close()
	in.removeAfter(b.name, after)
}

// storedFiles are the files that only wait for their removal.
type storedFiles struct {
	mu     sync.Mutex
	files  map[string]*time.Timer // guarded by mu, like closed
	closed bool
}

// removeAfter removes a file after a while. If that fails it is tried again and again: were the file found by a later
// process, ClickHouse might have forgotten its token by then.
func (in *Ingest) removeAfter(name string, after time.Duration) {
	if after == 0 {
		if in.removeFile(name) {
			return
		}
		after = removeAgain
	}
	in.stored.mu.Lock()
	defer in.stored.mu.Unlock()
	if in.stored.closed {
		return
	}
	in.stored.files[name] = time.AfterFunc(after, func() {
		in.stored.mu.Lock()
		_, mine := in.stored.files[name]
		delete(in.stored.files, name)
		in.stored.mu.Unlock()
		if mine {
			in.removeAfter(name, 0)
		}
	})
}

const removeAgain = time.Second

// dropStored removes them now: everything has been answered.
func (in *Ingest) dropStored() {
	in.stored.mu.Lock()
	files := in.stored.files
	in.stored.files, in.stored.closed = nil, true
	in.stored.mu.Unlock()
	for name, timer := range files {
		timer.Stop()
		in.removeFile(name)
	}
}

func (in *Ingest) removeFile(name string) bool {
	err := in.spool.Remove(name)
	if err != nil {
		in.stats.spoolFailed(err)
	}
	return err == nil
}

// Flush commits what is open and waits for all that is under way; a reader then sees everything acknowledged before
// the call.
func (in *Ingest) Flush(ctx context.Context) error {
	for _, l := range in.lanes {
		l.mu.Lock()
		in.closeOpen(l)
		l.mu.Unlock()
	}
	in.liveMu.Lock()
	fates := slices.Collect(maps.Keys(in.live))
	in.liveMu.Unlock()
	for _, f := range fates {
		if err := f.await(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// settled announces the fate of a batch.
func (in *Ingest) settled(f *fate, o outcome, err error) {
	in.liveMu.Lock()
	delete(in.live, f)
	in.liveMu.Unlock()
	f.seal(o, err)
}

// back notes that ClickHouse answers again: batches that are open for long have no reason to be any more.
func (in *Ingest) back() {
	if !in.away.Swap(false) {
		return
	}
	for _, l := range in.lanes {
		l.mu.Lock()
		if l.open != nil {
			l.timer.Reset(in.opts.FlushInterval)
		}
		l.mu.Unlock()
	}
}

// Close refuses new requests, commits or spools what was accepted, and stops. It is idempotent.
func (in *Ingest) Close(ctx context.Context) error {
	if in.closed.Swap(true) {
		return nil
	}
	for _, l := range in.lanes {
		l.mu.Lock()
		in.closeOpen(l)
		l.mu.Unlock()
	}
	close(in.queue)
	drained := make(chan struct{})
	go func() {
		in.flush.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
		in.cancel()
	case <-ctx.Done():
		err = fmt.Errorf("closing ingest: %w; the rest is in the spool", ctx.Err())
		in.cancel()
		<-drained
	}
	in.dropStored()
	in.jobs.Wait()
	in.pool.close()
	if in.opts.Registerer != nil {
		in.opts.Registerer.Unregister(in.stats)
	}
	if cerr := in.spool.Close(); err == nil {
		err = cerr
	}
	return err
}

// Ready tells whether requests can be accepted, and whether ClickHouse takes them at once.
func (in *Ingest) Ready() (accepting, storing bool) {
	away := in.away.Load()
	return !in.closed.Load() && (!away || in.checkSpool() == nil), !away
}
