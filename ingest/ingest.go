// Package ingest makes accepted OTLP requests durable rows in ClickHouse. Its main type is Ingest: Submit takes the
// protobuf bytes of one request, turns them into columns in one pass, writes them to the spool and returns when they
// are safe; batches are committed in the background, one INSERT a table, each with a deduplication token. Its one
// invariant: what Submit has accepted is stored, once, whatever crashes.
package ingest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemarkhq/tidemark/ingest/spool"
)

// Signal is a kind of telemetry.
type Signal uint8

// The signals.
const (
	Traces Signal = iota
	Logs
	Metrics
	Profiles
	signals
)

// AnySignal is for what happens before it is known what a request holds.
const AnySignal = signals

func (s Signal) String() string {
	return [...]string{"traces", "logs", "metrics", "profiles", "any"}[min(s, signals)]
}

// Result tells what became of the items of an accepted request.
type Result struct {
	Accepted, Rejected int
	// Samples, Histograms and Exemplars are what was accepted of a remote write request. With Repeated set the request
	// had been stored before and they may be missing.
	Samples, Histograms, Exemplars int
	Repeated                       bool
	// Message says why items were rejected; "" if none were.
	Message string
}

// MalformedError is a request that cannot be understood; sending it again is in vain.
type MalformedError struct{ Err error }

func (e *MalformedError) Error() string { return e.Err.Error() }
func (e *MalformedError) Unwrap() error { return e.Err }

// OverloadError refuses a request that may be sent again after a while.
type OverloadError struct {
	Reason     string // in_flight_full, spool_full, store_unavailable, shutting_down
	RetryAfter time.Duration
	Err        error
}

func (e *OverloadError) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	return e.Reason
}
func (e *OverloadError) Unwrap() error { return e.Err }

// Ingest accepts requests and stores them.
type Ingest struct {
	opts      Options
	pool      *pool
	spool     *spool.Dir
	resources *resources
	series    *seriesCache
	ops       *operations
	values    *valueSeen
	stacks    *storedStacks
	families  *families
	caps      *caps
	seen      *duplicates
	stats     *stats
	dirty     *dirtyMinutes
	spans     *dirtySpans // of profiles, to be added up
	skew      *skews
	stored    storedFiles

	lanes    []*lane
	batches  batchPool
	queue    chan *batch
	inFlight atomic.Int64
	busy     atomic.Bool // the last batch was large
	away     atomic.Bool // inserts have been failing: batches go to the spool untried
	closed   atomic.Bool
	sick     atomic.Bool  // the spool's disk has been failing
	probed   atomic.Int64 // Unix nanoseconds when it was last tried
	lastName atomic.Int64
	suffix   string

	liveMu sync.Mutex
	live   map[*fate]struct{} // batches open or under way, guarded by liveMu

	replay *replayer
	ctx    context.Context // ends the background work
	cancel context.CancelFunc
	flush  sync.WaitGroup // flushers
	jobs   sync.WaitGroup // replayer and edges
}

// New opens the spool and starts committing. ClickHouse need not be reachable yet.
func New(ctx context.Context, opts Options) (*Ingest, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	p, err := newPool(opts.DSN, opts.Flushers+2, opts.InsertTimeout)
	if err != nil {
		return nil, err
	}
	p.fault = opts.insertFault
	dir, left, err := spool.Open(opts.SpoolDir, spool.Options{MaxBytes: opts.SpoolBytes, Reserve: opts.SpoolReserve, SyncDelay: opts.SyncDelay, Fault: opts.spoolFault})
	if err != nil {
		return nil, err
	}
	var suffix [3]byte
	if _, err := rand.Read(suffix[:]); err != nil {
		return nil, err
	}
	in := &Ingest{
		opts: opts, pool: p, spool: dir,
		resources: newResources(100_000), series: newSeriesCache(2_000_000),
		caps: newCaps(opts.Limits), stacks: newStoredStacks(2_000_000), families: newFamilies(),
		seen: newDuplicates(opts.DuplicateWindow, opts.DuplicateRequests), dirty: newDirtyMinutes(), skew: newSkews(), spans: newDirtySpans(),
		batches: batchPool{make(chan *batch, opts.Lanes+opts.Flushers+1)},
		queue:   make(chan *batch, 1), live: map[*fate]struct{}{}, suffix: hex.EncodeToString(suffix[:]),
	}
	in.stored.files = map[string]*time.Timer{}
	in.ops, in.values = newOperations(in.caps), newValueSeen(in.caps)
	in.stats = newStats(in)
	for range opts.Lanes {
		l := &lane{decoder: newDecoder(&in.opts.Limits, in.resources, in.series)}
		l.decoder.skew, l.decoder.caps = in.skew, in.caps
		l.decoder.stacks, l.decoder.families = in.stacks, in.families
		in.lanes = append(in.lanes, l)
	}
	in.replay = newReplayer(in, left)
	in.ctx, in.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for range opts.Flushers {
		in.flush.Go(in.flusher)
	}
	in.jobs.Go(in.replay.run)
	in.jobs.Go(in.sample)
	if opts.EdgesInterval > 0 {
		in.jobs.Go(in.edges)
		in.jobs.Go(in.rollups)
	}
	if opts.Registerer != nil {
		if err := opts.Registerer.Register(in.stats); err != nil {
			in.Close(ctx)
			return nil, fmt.Errorf("registering the metrics of ingest: %w", err)
		}
	}
	return in, nil
}

// Submit makes one request durable. body is an OTLP Export…ServiceRequest in protobuf and is not kept. A nil error
// means that every item not counted in Result.Rejected is safe.
func (in *Ingest) Submit(ctx context.Context, encoding Signal, body []byte) (Result, error) {
	signal := encoding.kind()
	if in.closed.Load() {
		return Result{}, in.refuse(signal, &OverloadError{Reason: refusedStopping, RetryAfter: time.Second})
	}
	begun := time.Now()
	if n := in.inFlight.Add(int64(len(body))); n > in.opts.InFlightBytes {
		in.inFlight.Add(-int64(len(body)))
		return Result{}, in.refuse(signal, &OverloadError{Reason: refusedInFlight, RetryAfter: time.Second})
	}
	hash := xxhash.Sum64(body)
	first, entry := in.seen.begin(requestKey{hash, uint32(len(body)), encoding})
	if !first {
		in.inFlight.Add(-int64(len(body)))
		return in.repeated(ctx, signal, entry)
	}
	res, wait, err := in.accept(encoding, body, hash, begun)
	if err == nil && wait != nil {
		err = in.await(ctx, wait, entry, res)
	} else {
		in.seen.end(entry, res, err)
	}
	var overload *OverloadError
	if errors.As(err, &overload) {
		in.refuse(signal, overload)
	}
	if err == nil {
		in.stats.acknowledged(signal, time.Since(begun))
	}
	return res, err
}

// Admit says whether a request has a chance at the moment, nil or an *OverloadError, so that a receiver need not read
// what Submit would refuse. A sixteenth of the bytes in flight is left to those that are being read.
func (in *Ingest) Admit(signal Signal) error {
	if in.inFlight.Load() > in.opts.InFlightBytes-in.opts.InFlightBytes/16 {
		return in.refuse(signal, &OverloadError{Reason: "in_flight_full", RetryAfter: time.Second})
	}
	return nil
}

// repeated answers a request that is, byte for byte, one answered before or being answered.
func (in *Ingest) repeated(ctx context.Context, signal Signal, entry *requestEntry) (Result, error) {
	select {
	case <-entry.done:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	if entry.err == nil {
		in.stats.count(signal, duplicateRequest, 1, "")
	}
	res := entry.result
	res.Repeated = true
	return res, entry.err
}

func (in *Ingest) refuse(signal Signal, e *OverloadError) error {
	in.stats.refused(signal, e)
	return e
}

// await waits for the batch of a request. If the client goes away meanwhile, the request is still under way: only when
// its fate is known may a repetition of it be taken for a new one.
func (in *Ingest) await(ctx context.Context, wait func(context.Context) error, entry *requestEntry, res Result) error {
	err := wait(ctx)
	if ctx.Err() == nil || err == nil {
		in.seen.end(entry, res, err)
		return err
	}
	go func() { in.seen.end(entry, res, wait(context.Background())) }()
	return err
}

// accept puts a request into a batch. If the request is not safe yet, wait says when it is. The bytes in flight are
// released with the batch.
func (in *Ingest) accept(encoding Signal, body []byte, hash uint64, now time.Time) (res Result, wait func(context.Context) error, err error) {
	signal := encoding.kind()
	l := in.lane()
	b, err := in.openBatch(l)
	if err != nil {
		l.mu.Unlock()
		in.inFlight.Add(-int64(len(body)))
		return Result{}, nil, err
	}
	d := l.decoder
	d.begin(now.UnixNano())
	before := b.rows
	if err := b.decode(d, encoding, body); err != nil {
		in.Refuse(signal, malformedRequest, err.Error())
		l.mu.Unlock()
		in.inFlight.Add(-int64(len(body)))
		return Result{}, nil, &MalformedError{err}
	}
	res = Result{Accepted: d.tally.accepted, Rejected: d.tally.rejected, Message: d.tally.message(d.limits),
		Samples: d.tally.samples, Histograms: d.tally.histograms, Exemplars: d.tally.exemplars}
	in.stats.decoded(signal, &d.tally, len(body))
	if b.rows == before { // nothing to store
		b.bytes -= int64(len(body))
		l.mu.Unlock()
		in.inFlight.Add(-int64(len(body)))
		return res, nil, nil
	}
	upTo := in.journal(b, spool.Record{Signal: uint8(encoding), Received: now.UnixNano(), Hash: hash, Body: body})
	fate := b.fate
	if b.rows >= in.opts.FlushRows || b.bytes >= in.opts.FlushBytes || upTo == 0 && in.away.Load() {
		in.closeOpen(l)
	}
	l.mu.Unlock()
	if upTo > 0 && !in.opts.AckAfterCommit && fate.file.Sync(upTo) == nil {
		return res, nil, nil
	}
	return res, func(ctx context.Context) error { return fate.await(ctx, upTo) }, nil
}

// lane picks and locks a lane: the first that is free, so that few batches are open while little arrives.
func (in *Ingest) lane() *lane {
	for _, l := range in.lanes {
		if l.mu.TryLock() {
			return l
		}
	}
	l := in.lanes[int(in.inFlight.Load())%len(in.lanes)]
	l.mu.Lock()
	return l
}

// journal writes a request to the batch's spool file and returns how far to sync, 0 if it could not be written.
func (in *Ingest) journal(b *batch, rec spool.Record) int64 {
	if b.fate.file == nil {
		b.unjournaled = true
		return 0
	}
	upTo, err := b.fate.file.Append(rec)
	if err != nil {
		b.unjournaled = true
		in.spoolFailed(err)
		return 0
	}
	return upTo
}

var errShutDown = errors.New("shut down")
