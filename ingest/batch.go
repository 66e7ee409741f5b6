package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/ingest/spool"
)

// batch is the requests that are committed together: their rows by column, and the spool file that holds them
// meanwhile. Its name is the prefix of its deduplication tokens.
type batch struct {
	name     string
	opened   time.Time
	closed   time.Time // when the newest request of it had been received
	bytes    int64
	rows     int
	spans    *spanColumns
	logs     *logColumns
	metrics  *metricColumns
	profiles *profileColumns
	fate     *fate

	unjournaled bool // holds requests that its file does not
	touched     bool // an insert of it may have happened
}

// fate is what becomes of a batch. It outlives the batch, whose columns are reused.
type fate struct {
	file    *spool.File   // nil when none could be created
	done    chan struct{} // closed when outcome and err are valid
	outcome outcome
	err     error

	played  chan struct{} // outcome unsure: closed when the file has been replayed and playErr is valid
	playErr error
	ended   <-chan struct{} // the ingest closes
}

// await blocks until the fate is known. upTo is how far the request reaches in the spool file, 0 if it is not there.
func (f *fate) await(ctx context.Context, upTo int64) error {
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := f.err
	switch {
	case f.outcome == stored, f.outcome == spooled && upTo > 0:
		return nil
	case f.outcome == unsure && upTo > 0:
		select {
		case <-f.played:
			if err = f.playErr; err == nil {
				return nil
			}
		case <-f.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return &OverloadError{Reason: refusedStore, RetryAfter: 2 * time.Second, Err: err}
}

func (f *fate) seal(o outcome, err error) {
	f.outcome, f.err = o, err
	close(f.done)
}

type outcome uint8

const (
	stored  outcome = iota // committed to ClickHouse
	spooled                // on disk for as far as requests have been appended
	unsure                 // appended but not fsynced: neither safe nor gone until it has been replayed
	lost                   // nothing of it was kept; err says why
)

func newBatch() *batch {
	return &batch{spans: newSpanColumns(), logs: newLogColumns(), metrics: newMetricColumns(), profiles: newProfileColumns()}
}

func (b *batch) reset() {
	b.spans.reset()
	b.logs.reset()
	b.metrics.reset()
	b.profiles.reset()
	b.name, b.bytes, b.rows, b.fate = "", 0, 0, nil
	b.unjournaled, b.touched = false, false
}

// decode appends a request's rows. If it is malformed, nothing of it remains.
func (b *batch) decode(d *decoder, signal Signal, body []byte) error {
	switch signal {
	case Traces:
		n := b.spans.rows()
		if err := d.traces(b.spans, body); err != nil {
			b.spans.truncate(n)
			return err
		}
	case Logs:
		n := b.logs.rows()
		if err := d.logs(b.logs, body); err != nil {
			b.logs.truncate(n)
			return err
		}
	case Metrics:
		m := b.metrics.mark()
		if err := d.metrics(b.metrics, body); err != nil {
			b.metrics.truncate(m)
			return err
		}
	case RemoteWrite1, RemoteWrite2:
		m := b.metrics.mark()
		if err := d.remoteWrite(b.metrics, body, signal == RemoteWrite2); err != nil {
			b.metrics.truncate(m)
			return err
		}
	case Profiles:
		m := b.profiles.mark()
		if err := d.profiles(b.profiles, body); err != nil {
			b.profiles.truncate(m)
			return err
		}
	}
	b.rows += d.tally.accepted + d.tally.exemplars
	b.bytes += int64(len(body))
	return nil
}

// lane is where requests meet an open batch.
type lane struct {
	mu      sync.Mutex
	decoder *decoder
	open    *batch
	timer   *time.Timer
}

// batchPool keeps a few batches with their grown columns.
type batchPool struct{ free chan *batch }

func (p *batchPool) get() *batch {
	select {
	case b := <-p.free:
		return b
	default:
		return newBatch()
	}
}

func (p *batchPool) put(b *batch) {
	b.reset()
	select {
	case p.free <- b:
	default:
	}
}
