package otlp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/stats"
)

// reading bounds what is held of requests that are still being read, and how long reading one may take. Over HTTP the
// bytes are counted, and beyond the bound the request that has been at it for longest is given up. gRPC does not tell
// what it holds of a message before it is whole, so there the requests that stall are counted: those that are not read
// after stallAfter, of which each holds a message at most. Both are given up retryably: senders of whole requests get
// through while those that hold theirs back do not.
type reading struct {
	limit   int64         // bytes over HTTP
	stalled int           // requests over gRPC
	slow    time.Duration // for how long one may be read
	held    atomic.Int64

	mu             sync.Mutex
	oldest, newest *reader // guarded by mu
}

func newReading(o *Options) *reading {
	return &reading{limit: o.MaxReading, stalled: int(max(o.MaxReading/int64(max(o.MaxBody, 1)), 1)) * stallsPerBody, slow: o.ReadTimeout}
}

const (
	stallAfter = 2 * time.Second
	// stallsPerBody is how many stalled requests may share the room of one of the greatest size: few are that large.
	stallsPerBody = 4
)

var (
	errReadingFull = errors.New("too much is held of unfinished requests; those that take longest are given up")
	errReadingSlow = errors.New("the request took too long to arrive")
)

// reader is one request that is being read.
type reader struct {
	reading    *reading
	begun      time.Time
	cancel     func(error) // gives it up
	body       *body       // nil over gRPC
	prev, next *reader     // guarded by reading.mu, like listed
	listed     bool
}

type readerKey struct{}

// begin follows a request until end. b is nil over gRPC.
func (r *reading) begin(cancel func(error), b *body) *reader {
	q := &reader{reading: r, begun: time.Now(), cancel: cancel, body: b, listed: true}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.prev = r.newest; q.prev != nil {
		q.prev.next = q
	} else {
		r.oldest = q
	}
	r.newest = q
	return q
}

// beginGRPC follows a request whose reading ends with its context.
func (r *reading) beginGRPC(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	return context.WithValue(ctx, readerKey{}, r.begin(cancel, nil))
}

// end tells that a request is read, or that reading it failed.
func (q *reader) end() {
	q.reading.mu.Lock()
	defer q.reading.mu.Unlock()
	q.reading.remove(q)
}

// remove is called with mu held.
func (r *reading) remove(q *reader) {
	if !q.listed {
		return
	}
	q.listed = false
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		r.oldest = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		r.newest = q.prev
	}
	q.prev, q.next = nil, nil
}

func endReading(ctx context.Context) {
	if q, ok := ctx.Value(readerKey{}).(*reader); ok {
		q.end()
	}
}

// givenUp is why the reading of a gRPC request was given up, nil if it was not.
func givenUp(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, errReadingFull) || errors.Is(err, errReadingSlow) {
		return err
	}
	return nil
}

// shed gives up the HTTP request that is being read for longest. What it holds counts no more from now on.
func (r *reading) shed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q := r.oldest; q != nil; q = q.next {
		if q.body != nil {
			r.giveUp(q, errReadingFull)
			r.uncount(q.body) // which its own goroutine may not have seen whole yet
			return
		}
	}
}

// giveUp is called with mu held.
func (r *reading) giveUp(q *reader, why error) {
	r.remove(q)
	q.cancel(why)
}

// sweep gives up those that take too long and those that stall, until done is closed.
func (r *reading) sweep(done <-chan struct{}) {
	tick := time.NewTicker(min(250*time.Millisecond, r.slow/4+1))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			r.sweepOnce(now)
		}
	}
}

func (r *reading) sweepOnce(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q := r.oldest; q != nil && now.Sub(q.begun) > r.slow; q = r.oldest {
		r.giveUp(q, errReadingSlow)
	}
	stalled := 0
	for q := r.oldest; q != nil && now.Sub(q.begun) > stallAfter; q = q.next {
		if q.body == nil {
			stalled++
		}
	}
	for q := r.oldest; q != nil && stalled > r.stalled; {
		next := q.next
		if q.body == nil {
			r.giveUp(q, errReadingFull)
			stalled--
		}
		q = next
	}
}

// body is the decompressed body of an HTTP request, counted while it is held.
type body struct {
	*reader
	leased atomic.Int64 // bytes counted
	conn   *http.ResponseController
	cause  atomic.Pointer[error] // why it was given up
}

// beginHTTP follows a request whose reading ends with a deadline in the past.
func (r *reading) beginHTTP(w http.ResponseWriter) *body {
	b := &body{conn: http.NewResponseController(w)}
	b.reader = r.begin(func(cause error) {
		b.cause.Store(&cause)
		b.conn.SetReadDeadline(time.Now()) // an error means that the connection is gone already
	}, b)
	return b
}

// take counts bytes that are held. Where they would be too many, others are given up first, or this one.
func (b *body) take(n int) error {
	for b.givenUp() == nil {
		if b.reading.reserve(int64(n)) {
			b.leased.Add(int64(n))
			break
		}
		b.reading.shed()
	}
	return b.givenUp()
}

// reserve counts bytes unless that would be more than may be held.
func (r *reading) reserve(n int64) bool {
	for {
		held := r.held.Load()
		if held+n > r.limit {
			return false
		}
		if r.held.CompareAndSwap(held, held+n) {
			return true
		}
	}
}

func (r *reading) uncount(b *body) { r.held.Add(-b.leased.Swap(0)) }

func (b *body) givenUp() error {
	if cause := b.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// release tells that nothing is held any more.
func (b *body) release() {
	b.end()
	b.reading.uncount(b)
}

// counted reads a body.
type counted struct {
	r io.Reader
	*body
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if cause := c.take(n); cause != nil {
		return n, cause
	}
	return n, err
}

// connections is a listener that closes what comes at once while max are open. It does not wrap them, because gRPC reads
// bare TCP connections without keeping a buffer for idle ones: the servers tell of opened and closed ones.
type connections struct {
	net.Listener
	max     int64
	open    atomic.Int64
	refused func()
}

func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.open.Load() < l.max {
			return c, err
		}
		c.Close()
		l.refused()
	}
}

// HandleConn implements stats.Handler for gRPC.
func (l *connections) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		l.open.Add(1)
	case *stats.ConnEnd:
		l.open.Add(-1)
	}
}

func (*connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*connections) HandleRPC(context.Context, stats.RPCStats)                         {}

// state is http.Server's ConnState.
func (l *connections) state(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		l.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.open.Add(-1)
	}
}
