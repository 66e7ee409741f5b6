// Package live keeps charts moving: a browser subscribes to questions over one websocket, and the Hub evaluates each
// distinct question once a tick and hands the same bytes to everybody who asked it. Its invariant: what one viewer
// does costs others nothing. A viewer that cannot keep up skips frames and is told how many; a question nobody asks
// any more is not evaluated; and a hub without viewers does nothing.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// Answer is one evaluation: Data is marshalled once for all viewers, DataMS is the newest data seen (server clock),
// Next is from when on the following evaluation has to look (zero: everything again), Every the least time until it,
// where data comes more slowly than the hub's tick.
type Answer struct {
	Data   any
	DataMS int64
	Next   time.Time
	Every  time.Duration
}

// Evaluate answers a subscription's query over [from, now]; since, where not zero, asks for what may have changed
// since then only. Errors reach the viewer through Problem.
type Evaluate func(ctx context.Context, query json.RawMessage, from string, since time.Time) (Answer, error)

// Options configure a Hub. Zero fields take the defaults in brackets.
type Options struct {
	Evaluate Evaluate        // required
	Problem  func(error) any // what a viewer is told of an error (its text)
	Tick     time.Duration   // between evaluations of one question (1 s)
	MinTick  time.Duration   // the least time between evaluations that news of fresh data may cause (500 ms)
	Conns    int             // viewers at once (2000)
	Subs     int             // questions a viewer may ask (64)
	Origins  []string        // further browser origins allowed to connect
	Logger   *slog.Logger    // (slog.Default())
	Metrics  prometheus.Registerer
}

// Hub evaluates questions and fans answers out.
type Hub struct {
	o        Options
	upgrader websocket.Upgrader
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu     sync.Mutex // guards topics and conns
	topics map[string]*topic
	conns  map[*conn]struct{}
	fresh  chan struct{} // closed and replaced when new data has been committed

	lastRound atomic.Int64 // Unix ns of the newest round of evaluations counted as a tick

	evaluations, ticks, skipped, frames, refused atomic.Uint64
}

// New makes a hub; Close ends it.
func New(o Options) *Hub {
	def(&o.Tick, time.Second)
	def(&o.MinTick, 500*time.Millisecond)
	def(&o.Conns, 2000)
	def(&o.Subs, 64)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Problem == nil {
		o.Problem = func(err error) any { return map[string]string{"title": err.Error()} }
	}
	h := &Hub{o: o, topics: map[string]*topic{}, conns: map[*conn]struct{}{}, fresh: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.upgrader = websocket.Upgrader{CheckOrigin: h.sameOrigin, EnableCompression: true}
	if o.Metrics != nil {
		h.register(o.Metrics)
	}
	return h
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (h *Hub) register(r prometheus.Registerer) {
	counter := func(name, help string, v *atomic.Uint64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "tidemark_live_" + name, Help: help}, func() float64 { return float64(v.Load()) }))
	}
	counter("queries_total", "Questions evaluated for live viewers.", &h.evaluations)
	counter("ticks_total", "Rounds in which live questions were evaluated.", &h.ticks)
	counter("frames_total", "Frames handed to live viewers.", &h.frames)
	counter("skipped_frames_total", "Frames that slow viewers did not get.", &h.skipped)
	counter("refused_total", "Viewers and subscriptions refused because of a limit.", &h.refused)
	gauge := func(name, help string, f func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_live_" + name, Help: help}, func() float64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			return float64(f())
		}))
	}
	gauge("viewers", "Live viewers connected.", func() int { return len(h.conns) })
	gauge("questions", "Distinct questions evaluated every tick.", func() int { return len(h.topics) })
}

// Notify tells the hub that new data of a signal can be read. It never blocks.
func (h *Hub) Notify(string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.fresh)
	h.fresh = make(chan struct{})
}

// Close disconnects everybody and waits for what runs. It is idempotent.
func (h *Hub) Close(ctx context.Context) error {
	h.cancel()
	h.mu.Lock()
	for c := range h.conns {
		c.ws.Close()
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sameOrigin accepts pages of our own host and of the configured origins; programs that send no origin pass.
func (h *Hub) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	for _, o := range h.o.Origins {
		if o == origin {
			return true
		}
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// topic is one distinct question and its viewers.
type topic struct {
	key   string
	query json.RawMessage
	from  string

	mu   sync.Mutex // guards what follows
	subs map[*sub]struct{}

	evaluating sync.Mutex // held during an evaluation; guards what follows
	full       []byte     // the newest full answer
	fullAt     time.Time
	fullData   int64
	next       time.Time
	whole      time.Time     // when everything was evaluated last
	took       time.Duration // by the newest evaluation
	every      time.Duration // the least time between evaluations, as the newest answer says
}

// wholeEvery is how often everything is evaluated again, for data that came later than updates look back.
const wholeEvery = time.Minute

// share is what part of the time one question may be under evaluation: the dearer it is, the rarer its ticks.
const share = 4

// sub is one viewer's subscription. Its fields are guarded by its connection's lock.
type sub struct {
	id      string
	quoted  []byte // id as JSON
	c       *conn
	topic   *topic
	seq     uint64
	skipped uint64
}

// join subscribes a viewer, starting the question's clock where it is the first.
func (h *Hub) join(s *sub, query json.RawMessage, from string) {
	key := from + "\x00" + canonical(query)
	h.mu.Lock()
	t := h.topics[key]
	if t == nil {
		t = &topic{key: key, query: query, from: from, subs: map[*sub]struct{}{}}
		h.topics[key] = t
		h.work.Add(1)
		go h.run(t)
	}
	s.topic = t
	t.mu.Lock()
	t.subs[s] = struct{}{}
	t.mu.Unlock()
	h.mu.Unlock()

	h.work.Add(1)
	go func() {
		defer h.work.Done()
		data, at, err := h.snapshot(t)
		if err != nil {
			s.c.problem(s.id, h.o.Problem(err))
			return
		}
		s.c.frame(s, "snapshot", data, at)
	}()
}

func (h *Hub) leave(s *sub) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := s.topic
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, s)
	if len(t.subs) == 0 && h.topics[t.key] == t {
		delete(h.topics, t.key) // run notices
	}
}

// canonical makes equal questions equal text.
func canonical(query json.RawMessage) string {
	var v any
	if json.Unmarshal(query, &v) != nil {
		return string(query)
	}
	b, _ := json.Marshal(v) // object keys come sorted
	return string(b)
}

// snapshot is the full answer, shared by viewers who ask within a tick.
func (h *Hub) snapshot(t *topic) (data []byte, at int64, err error) {
	t.evaluating.Lock()
	defer t.evaluating.Unlock()
	if t.full != nil && time.Since(t.fullAt) < h.o.Tick {
		return t.full, t.fullData, nil
	}
	began := time.Now()
	b, ans, err := h.evaluate(t, time.Time{})
	if err != nil {
		return nil, 0, err
	}
	t.full, t.fullAt, t.fullData, t.next = b, began, ans.DataMS, ans.Next
	return b, ans.DataMS, nil
}

func (h *Hub) evaluate(t *topic, since time.Time) ([]byte, Answer, error) {
	h.evaluations.Add(1)
	began := time.Now()
	if since.IsZero() {
		t.whole = began
	}
	defer func() { t.took = time.Since(began) }()
	ctx, cancel := context.WithTimeout(h.ctx, 30*time.Second)
	defer cancel()
	ans, err := h.ask(ctx, t, since)
	if err != nil {
		return nil, ans, err
	}
	t.every = ans.Every
	b, err := json.Marshal(ans.Data)
	return b, ans, err
}

// ask evaluates; a defect fails this one question only, with its place in the log.
func (h *Hub) ask(ctx context.Context, t *topic, since time.Time) (ans Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h.o.Evaluate(ctx, t.query, t.from, since)
}

// run evaluates a topic every tick, or sooner when new data has come, until it has no viewers.
func (h *Hub) run(t *topic) {
	defer h.work.Done()
	failed := false
	fresh := h.news()
	for last := time.Now(); h.wait(last, t, fresh) && h.alive(t); {
		fresh = h.news() // before looking, so that what comes meanwhile is not missed
		last = time.Now()
		if !t.watched() {
			continue
		}
		h.countTick(last)
		err := h.update(t)
		switch {
		case errors.Is(err, context.Canceled):
			return
		case err != nil && !failed:
			h.o.Logger.Warn("a live question failed", "query", string(t.query), "error", err)
			for _, s := range t.viewers() {
				s.c.problem(s.id, h.o.Problem(err))
			}
		}
		failed = err != nil
	}
}

func (h *Hub) news() chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fresh
}

func (h *Hub) alive(t *topic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.topics[t.key] == t
}

// countTick counts rounds: the questions that are due together are one.
func (h *Hub) countTick(now time.Time) {
	before := h.lastRound.Load()
	if now.UnixNano()-before >= int64(h.o.MinTick)/2 && h.lastRound.CompareAndSwap(before, now.UnixNano()) {
		h.ticks.Add(1)
	}
}

// update evaluates what may have changed and hands it out; where there is no first answer yet, that.
func (h *Hub) update(t *topic) error {
	t.evaluating.Lock()
	if t.full == nil {
		t.evaluating.Unlock()
		data, at, err := h.snapshot(t)
		if err == nil {
			for _, s := range t.viewers() {
				s.c.frame(s, "snapshot", data, at)
			}
		}
		return err
	}
	since := t.next
	if time.Since(t.whole) >= wholeEvery {
		since = time.Time{}
	}
	b, ans, err := h.evaluate(t, since)
	if err == nil {
		t.next = ans.Next
	}
	t.evaluating.Unlock()
	if err != nil {
		return err
	}
	var behind []*sub
	for _, s := range t.viewers() {
		if s.c.behind(s) {
			behind = append(behind, s)
		} else {
			s.c.frame(s, "update", b, ans.DataMS)
		}
	}
	h.catchUp(t, behind)
	return nil
}

// catchUp sends everything again to viewers who have missed updates.
func (h *Hub) catchUp(t *topic, behind []*sub) {
	if len(behind) == 0 {
		return
	}
	data, at, err := h.snapshot(t)
	if err != nil {
		return // the next tick tries again
	}
	for _, s := range behind {
		s.c.frame(s, "snapshot", data, at)
	}
}

// wait returns true when the next evaluation is due: after a tick, or MinTick after the last when data came; later
// for a question that takes long to answer.
func (h *Hub) wait(last time.Time, t *topic, fresh <-chan struct{}) bool {
	t.evaluating.Lock()
	cost := max(share*t.took, t.every)
	t.evaluating.Unlock()
	timer := time.NewTimer(time.Until(last.Add(max(h.o.Tick, cost))))
	defer timer.Stop()
	select {
	case <-h.ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-fresh:
	}
	early := time.NewTimer(time.Until(last.Add(max(h.o.MinTick, cost))))
	defer early.Stop()
	select {
	case <-h.ctx.Done():
		return false
	case <-early.C:
		return true
	}
}

func (t *topic) viewers() []*sub {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*sub, 0, len(t.subs))
	for s := range t.subs {
		list = append(list, s)
	}
	return list
}

// watched reports whether any viewer is not paused.
func (t *topic) watched() bool {
	for _, s := range t.viewers() {
		if !s.c.paused.Load() {
			return true
		}
	}
	return false
}
