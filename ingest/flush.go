package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// busyRows is the size of a batch from which on the next ones stay open longer.
const busyRows = 10_000

// openBatch returns the lane's open batch, locked by its caller, opening one if there is none.
func (in *Ingest) openBatch(l *lane) (*batch, error) {
	if l.open != nil {
		return l.open, nil
	}
	if in.closed.Load() {
		return nil, &OverloadError{Reason: "shutting_down", RetryAfter: time.Second, Err: errShutDown}
	}
	away := in.away.Load()
	if away && in.spool.Full() {
		return nil, &OverloadError{Reason: "spool_full", RetryAfter: 10 * time.Second}
	}
	name := in.batchName()
	file, err := in.spool.Create(name)
	if err != nil {
		in.stats.spoolFailed(err)
		if away {
			return nil, &OverloadError{Reason: "store_unavailable", RetryAfter: 5 * time.Second, Err: err}
		}
	}
	b := in.batches.get()
	b.name, b.opened = name, time.Now()
	b.fate = &fate{file: file, done: make(chan struct{})}
	in.liveMu.Lock()
	in.live[b.fate] = struct{}{}
	in.liveMu.Unlock()
	l.open = b
	interval := in.opts.FlushInterval
	if in.busy.Load() {
		interval = in.opts.FlushIntervalBusy
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
	stuck := time.NewTimer(flushersStuck)
	defer stuck.Stop()
	select {
	case in.queue <- b:
	case <-stuck.C:
		in.leaveToSpool(b, errStuck)
		in.inFlight.Add(-b.bytes)
		in.batches.put(b)
	}
}

// flushersStuck is how long a full queue may not move before batches pass the flushers by and are left to the spool:
// ClickHouse then neither stores nor refuses.
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
	bytes := b.bytes
	defer func() {
		in.inFlight.Add(-bytes)
		in.batches.put(b)
	}()
	if b.rows == 0 {
		in.dropFile(b)
		in.settled(b.fate, stored, nil)
		return
	}
	if in.away.Load() && b.fate.file != nil {
		in.leaveToSpool(b, errAway)
		return
	}
	begun := time.Now()
	err := in.try(w, b)
	if err == nil {
		in.stats.flushed(b, time.Since(begun))
		in.settled(b.fate, stored, nil)
		in.dropFile(b)
		return
	}
	in.opts.Logger.Warn("batch not stored", "batch", b.name, "rows", b.rows, "error", err)
	in.leaveToSpool(b, err)
}

var errAway = errors.New("ClickHouse is away")

// try commits a batch, repeating failed inserts until SpoolAfter has passed since the first failure.
func (in *Ingest) try(w *writer, b *batch) error {
	var failedSince time.Time
	return w.write(b, func(blk *block, token string) error {
		for wait := 50 * time.Millisecond; ; wait *= 2 {
			err := in.pool.insert(in.ctx, blk, token)
			if err == nil {
				return nil
			}
			in.stats.insertFailed(blk.table, err)
			if failedSince.IsZero() {
				failedSince = time.Now()
			}
			if permanent(err) || time.Since(failedSince)+wait > in.opts.SpoolAfter {
				if !permanent(err) {
					in.away.Store(true)
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

// leaveToSpool gives up on a batch for now: its file will be replayed.
func (in *Ingest) leaveToSpool(b *batch, cause error) {
	for _, s := range b.metrics.newSeries {
		s.lastQueued.Store(0)
	}
	if b.fate.file == nil {
		in.settled(b.fate, lost, cause)
		return
	}
	in.settled(b.fate, spooled, cause)
	in.stats.spooledBatches.Add(1)
	in.replay.add(b.name)
}

// keepStored is how long the file of a stored batch stays. Its requests may have been stored before their answers
// reached the clients: were the process killed in between, the clients would send them again, and only the file tells
// the next process that it has them already.
const keepStored = 5 * time.Second

// dropFile sees to the removal of the file of a batch that is stored, or that has no rows.
func (in *Ingest) dropFile(b *batch) {
	if b.fate.file == nil {
		return
	}
	b.fate.file.Close()
	name := b.name
	if b.rows == 0 {
		in.removeFile(name)
		return
	}
	in.stored.mu.Lock()
	defer in.stored.mu.Unlock()
	in.stored.files[name] = time.AfterFunc(keepStored, func() {
		in.stored.mu.Lock()
		_, mine := in.stored.files[name]
		delete(in.stored.files, name)
		in.stored.mu.Unlock()
		if mine {
			in.removeFile(name)
		}
	})
}

// storedFiles are the files that only wait for their removal.
type storedFiles struct {
	mu    sync.Mutex
	files map[string]*time.Timer // guarded by mu
}

// dropStored removes them now: everything has been answered.
func (in *Ingest) dropStored() {
	in.stored.mu.Lock()
	files := in.stored.files
	in.stored.files = map[string]*time.Timer{}
	in.stored.mu.Unlock()
	for name, timer := range files {
		timer.Stop()
		in.removeFile(name)
	}
}

func (in *Ingest) removeFile(name string) {
	if err := in.spool.Remove(name); err != nil {
		in.stats.spoolFailed(err)
		in.replay.add(name) // its token makes the replay harmless, and it ends with another removal
	}
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
	return !in.closed.Load() && !(in.away.Load() && in.spool.Full()), !in.away.Load()
}

// writer turns batches into inserts. It holds the scratch space of one flusher.
type writer struct {
	in     *Ingest
	block  block
	sort   sorter
	red    *rollup
	traces traceIndex
	values []valueRow
}

func newWriter(in *Ingest) *writer { return &writer{in: in, red: newRollup()} }

// write calls insert for each table and day of a batch, in an order and with tokens that depend on the batch alone.
func (w *writer) write(b *batch, insert func(*block, string) error) error {
	put := func(day int64) error {
		if w.block.rows == 0 {
			return nil
		}
		return insert(&w.block, fmt.Sprintf("%s/%s/%d", b.name, w.block.table, day))
	}
	if err := w.writeSpans(b, put); err != nil {
		return err
	}
	if err := w.writeLogs(b, put); err != nil {
		return err
	}
	return w.writeMetrics(b, put)
}

func (w *writer) writeSpans(b *batch, put func(int64) error) error {
	c := b.spans
	if c.rows() == 0 {
		return nil
	}
	w.values = w.values[:0]
	now := time.Now().Unix()
	first, last := span64(c.start)
	if err := w.putResources(Traces, c.resources.list, first/nanosPerSecond, last/nanosPerSecond, put); err != nil {
		return err
	}
	for _, d := range w.sort.sortSpans(c) {
		w.block.spanBlock(c, d.perm)
		if err := put(d.day); err != nil {
			return err
		}
		w.traces.aggregate(c, d.perm)
		w.block.traceBlock(c, d.day, w.traces.rows)
		if err := put(d.day); err != nil {
			return err
		}
		w.red.aggregate(c, d.perm, w.in.ops)
		w.block.redBlock(c, w.red.rows)
		if err := put(d.day); err != nil {
			return err
		}
		w.values = w.in.values.collect("traces", d.perm, &c.attrs, now, w.values)
	}
	w.in.dirty.touch(first, last, c.start)
	return w.finishSignal(Traces, put)
}

func (w *writer) writeLogs(b *batch, put func(int64) error) error {
	c := b.logs
	if c.rows() == 0 {
		return nil
	}
	w.values = w.values[:0]
	now := time.Now().Unix()
	first, last := span64(c.ts)
	if err := w.putResources(Logs, c.resources.list, first/nanosPerSecond, last/nanosPerSecond, put); err != nil {
		return err
	}
	for _, d := range w.sort.sortLogs(c) {
		w.block.logBlock(c, d.perm)
		if err := put(d.day); err != nil {
			return err
		}
		w.values = w.in.values.collect("logs", d.perm, &c.attrs, now, w.values)
	}
	return w.finishSignal(Logs, put)
}

func (w *writer) writeMetrics(b *batch, put func(int64) error) error {
	c := b.metrics
	if c.rows() == 0 {
		return nil
	}
	first, last := span64(c.ts)
	w.values = w.values[:0]
	now := time.Now().Unix()
	if err := w.putResources(Metrics, c.resources.list, first/1000, last/1000, put); err != nil {
		return err
	}
	if len(c.newSeries) > 0 { // before the points, so that no reader meets a point without its series
		for _, s := range c.newSeries {
			w.values = w.in.values.list("metrics", s.attributes, now, w.values)
		}
		w.block.seriesBlock(c.newSeries, first/1000, last/1000)
		if err := put(0); err != nil {
			return err
		}
		for _, s := range c.newSeries {
			s.firstStored.CompareAndSwap(0, first/1000)
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.name, c.series, c.ts) {
		w.block.sampleBlock(c, d.perm)
		if err := put(d.day); err != nil {
			return err
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.distributions.name, c.distributions.series, c.distributions.ts) {
		w.block.distributionBlock(c, d.perm)
		if err := put(d.day); err != nil {
			return err
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.exemplars.name, c.exemplars.series, c.exemplars.ts) {
		w.block.exemplarBlock(c, d.perm)
		if err := put(d.day); err != nil {
			return err
		}
	}
	return w.finishSignal(Metrics, put)
}

// putResources writes the resources that are due, before the rows that refer to them: no reader meets a span whose
// resource is not there. first and last are Unix seconds.
func (w *writer) putResources(signal Signal, list []*resource, first, last int64, put func(int64) error) error {
	now := time.Now().Unix()
	var due []*resource
	for _, r := range list {
		if r.lastStored.Load() == 0 || last > r.lastStored.Load()+seriesRefresh || first < r.firstStored.Load() {
			due = append(due, r)
			w.values = w.in.values.list("resource", r.attributes, now, w.values)
		}
	}
	if len(due) > 0 {
		w.block.resourceBlock(due, first, last)
		if err := put(int64(signal)); err != nil {
			return err
		}
		for _, r := range due {
			r.lastStored.Store(max(r.lastStored.Load(), last))
			if f := r.firstStored.Load(); f == 0 || first < f {
				r.firstStored.Store(first)
			}
		}
	}
	return nil
}

// finishSignal writes the attribute values that are due, then tells the tap.
func (w *writer) finishSignal(signal Signal, put func(int64) error) error {
	if len(w.values) > 0 {
		w.block.valueBlock(w.values, time.Now().Unix())
		if err := put(int64(signal)); err != nil {
			return err
		}
	}
	if w.in.opts.Tap != nil {
		w.in.opts.Tap(signal.String())
	}
	return nil
}

// span64 is the least and the greatest of times.
func span64(ts []int64) (first, last int64) {
	first, last = ts[0], ts[0]
	for _, t := range ts {
		first, last = min(first, t), max(last, t)
	}
	return first, last
}
