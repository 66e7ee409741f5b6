package live

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// frame is what a viewer receives.
type frame struct {
	Op, ID  string
	Seq     uint64
	Skipped uint64
	Data    json.RawMessage
	Problem json.RawMessage
	Session string
}

// source counts evaluations and answers with their number.
type source struct {
	asked atomic.Int64
	since atomic.Value // of the newest evaluation
	fail  atomic.Bool
	size  int // bytes of padding in each answer
}

func (s *source) evaluate(_ context.Context, _ json.RawMessage, _ string, since time.Time) (Answer, error) {
	n := s.asked.Add(1)
	s.since.Store(since)
	if s.fail.Load() {
		return Answer{}, errors.New("the store is away")
	}
	return Answer{Data: map[string]any{"n": n, "pad": strings.Repeat("x", s.size)}, DataMS: n, Next: time.Now()}, nil
}

// start serves a hub; the test fails if it leaves goroutines behind.
func start(t *testing.T, o Options) (*Hub, string) {
	t.Helper()
	before := runtime.NumGoroutine()
	h := New(o)
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Errorf("close the hub: %v", err)
		}
		s.Close()
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("%d goroutines are left of %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	return h, "ws" + strings.TrimPrefix(s.URL, "http")
}

type viewer struct {
	t    *testing.T
	conn *websocket.Conn
}

func dial(t *testing.T, url string) *viewer {
	t.Helper()
	c, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	v := &viewer{t, c}
	if f := v.next(); f.Op != "hello" || f.Session == "" {
		t.Fatalf("the first frame is %+v", f)
	}
	return v
}

func (v *viewer) send(text string) {
	v.t.Helper()
	if err := v.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		v.t.Fatal(err)
	}
}

func (v *viewer) next() frame {
	v.t.Helper()
	_ = v.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var f frame
	if err := v.conn.ReadJSON(&f); err != nil {
		v.t.Fatal(err)
	}
	return f
}

const subscribe = `{"op":"subscribe","id":"a","query":{"kind":"red","service":"x"},"from":"now-15m"}`

func TestManyViewersOneQuestion(t *testing.T) {
	var src source
	h, url := start(t, Options{Evaluate: src.evaluate, Tick: 50 * time.Millisecond, MinTick: 20 * time.Millisecond})
	viewers := make([]*viewer, 100)
	for i := range viewers {
		viewers[i] = dial(t, url)
		// The same question, its members in another order and with other spaces.
		viewers[i].send([]string{subscribe, `{"op":"subscribe","id":"a","from":"now-15m","query":{ "service":"x", "kind":"red"}}`}[i%2])
		if f := viewers[i].next(); f.Op != "snapshot" {
			t.Fatalf("the first answer is %+v", f)
		}
	}
	if len(h.topics) != 1 {
		t.Errorf("%d questions, want 1", len(h.topics))
	}
	asked, ticks := src.asked.Load(), h.ticks.Load()
	var all sync.WaitGroup
	for _, v := range viewers {
		all.Go(func() {
			var seq uint64
			for range 10 {
				f := v.next()
				if seq != 0 && f.Seq != seq+1 {
					t.Errorf("frame %d follows %d", f.Seq, seq)
				}
				seq = f.Seq
			}
		})
	}
	all.Wait()
	if n, rounds := src.asked.Load()-asked, int64(h.ticks.Load()-ticks); n > 2*rounds+2 {
		t.Errorf("%d evaluations in %d ticks for %d viewers", n, rounds, len(viewers))
	}
}

func TestUpdatesAskForWhatChanged(t *testing.T) {
	var src source
	_, url := start(t, Options{Evaluate: src.evaluate, Tick: 10 * time.Millisecond})
	v := dial(t, url)
	v.send(subscribe)
	if v.next(); !src.since.Load().(time.Time).IsZero() {
		t.Error("the snapshot is not whole")
	}
	if f := v.next(); f.Op != "update" || src.since.Load().(time.Time).IsZero() {
		t.Errorf("%+v looks at everything again", f)
	}
}

func TestNewsComesEarly(t *testing.T) {
	var src source
	h, url := start(t, Options{Evaluate: src.evaluate, Tick: time.Hour, MinTick: time.Millisecond})
	v := dial(t, url)
	v.send(subscribe)
	v.next()
	h.Notify("traces")
	if f := v.next(); f.Op != "update" {
		t.Errorf("%+v", f)
	}
}

// A viewer that does not read is skipped and told so; others go on.
func TestSlowViewer(t *testing.T) {
	src := source{size: 1 << 20}
	h, url := start(t, Options{Evaluate: src.evaluate, Tick: 5 * time.Millisecond, MinTick: time.Millisecond})
	h.upgrader.EnableCompression = false // so that the sockets' buffers fill
	slow, quick := dial(t, url), dial(t, url)
	slow.send(subscribe)
	slow.next()
	quick.send(subscribe)
	for end := time.Now().Add(20 * time.Second); h.skipped.Load() < 3; {
		quick.next()
		if time.Now().After(end) {
			t.Fatal("nothing was skipped")
		}
	}
	told := false
	for range 40 {
		if f := slow.next(); f.Skipped > 0 {
			told = true
			if f.Op != "snapshot" {
				t.Errorf("after %d skipped frames comes an %s, which cannot be laid over what it holds", f.Skipped, f.Op)
			}
			break
		}
	}
	if !told {
		t.Error("the slow viewer was not told")
	}
}

func TestRecoversAfterFailure(t *testing.T) {
	var src source
	src.fail.Store(true)
	_, url := start(t, Options{Evaluate: src.evaluate, Tick: 10 * time.Millisecond, Problem: func(err error) any { return map[string]string{"title": err.Error()} }})
	v := dial(t, url)
	v.send(subscribe)
	if f := v.next(); f.Op != "error" || !strings.Contains(string(f.Problem), "away") {
		t.Fatalf("%+v", f)
	}
	src.fail.Store(false)
	for {
		if f := v.next(); f.Op == "snapshot" {
			break
		}
	}
}

func TestPauseSleeps(t *testing.T) {
	var src source
	h, url := start(t, Options{Evaluate: src.evaluate, Tick: 5 * time.Millisecond, MinTick: time.Millisecond})
	v := dial(t, url)
	v.send(subscribe)
	v.next()
	v.send(`{"op":"pause"}`)
	paused := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.conns {
			return c.paused.Load()
		}
		return false
	}
	for end := time.Now().Add(10 * time.Second); !paused() && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	time.Sleep(20 * time.Millisecond) // an evaluation that was under way
	asked := src.asked.Load()
	time.Sleep(100 * time.Millisecond)
	if n := src.asked.Load(); n != asked {
		t.Errorf("%d evaluations while the only viewer pauses", n-asked)
	}
	v.send(`{"op":"resume"}`)
	for {
		if f := v.next(); f.Op == "snapshot" {
			break
		}
	}
	v.send(`{"op":"unsubscribe","id":"a"}`)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		n := len(h.topics)
		h.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a question without viewers is still there")
		}
	}
}

func TestLimitsAndOrigins(t *testing.T) {
	var src source
	_, url := start(t, Options{Evaluate: src.evaluate, Conns: 2, Subs: 1, Tick: time.Hour, Origins: []string{"https://ops.example"}, Metrics: prometheus.NewRegistry()})
	v := dial(t, url)
	v.send(subscribe)
	v.next()
	for _, bad := range []string{`{"op":"subscribe","id":"b","query":{"kind":"red"},"from":""}`, `{"op":"subscribe","id":"","query":{},"from":""}`, `{"op":"dance"}`, `not json`} {
		v.send(bad)
		if f := v.next(); f.Op != "error" {
			t.Errorf("%s: %+v", bad, f)
		}
	}
	for origin, want := range map[string]int{"https://evil.example": 403, "null": 403, "http://" + strings.TrimPrefix(url, "ws://") + ".evil.example": 403} {
		_, res, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {origin}})
		if err == nil || res.StatusCode != want {
			t.Errorf("origin %s: %v", origin, res)
		}
	}
	for _, origin := range []string{"https://ops.example"} {
		c, _, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {origin}})
		if err != nil {
			t.Errorf("origin %s: %v", origin, err)
			continue
		}
		defer c.Close()
	}
	if _, res, err := websocket.DefaultDialer.Dial(url, nil); err == nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a third viewer of two: %v", res)
	}
}

// What comes slowly is looked for slowly, whatever else comes.
func TestSlowQuestionKeepsItsPace(t *testing.T) {
	var slow atomic.Int64
	var src source
	evaluate := func(ctx context.Context, q json.RawMessage, from string, since time.Time) (Answer, error) {
		a, err := src.evaluate(ctx, q, from, since)
		if strings.Contains(string(q), "profile_series") {
			slow.Add(1)
			a.Every = time.Hour
		}
		return a, err
	}
	h, url := start(t, Options{Evaluate: evaluate, Tick: 5 * time.Millisecond, MinTick: time.Millisecond})
	v := dial(t, url)
	v.send(`{"op":"subscribe","id":"slow","query":{"kind":"profile_series","service":"x"},"from":"now-15m"}`)
	v.next()
	asked := slow.Load() // the first answer, and at most the tick that began before it
	v.send(subscribe)
	for range 20 {
		h.Notify("profiles")
		v.next()
	}
	if n := slow.Load() - asked; n > 1 {
		t.Errorf("%d evaluations of what changes every hour", n)
	}
}
