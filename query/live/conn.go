package live

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	queueFrames  = 8                // frames that wait for a viewer before it skips
	pingEvery    = 20 * time.Second // keeps proxies from closing an idle connection
	silentAfter  = 50 * time.Second
	writeTimeout = 10 * time.Second
	readLimit    = 64 << 10 // bytes of one request
)

// conn is one viewer.
type conn struct {
	h      *Hub
	ws     *websocket.Conn
	out    chan []byte
	done   chan struct{} // closed when reading has ended
	paused atomic.Bool

	mu   sync.Mutex // guards subs and their counters
	subs map[string]*sub
}

// request is what a viewer sends.
type request struct {
	Op    string          `json:"op"`
	ID    string          `json:"id"`
	Query json.RawMessage `json:"query"`
	From  string          `json:"from"`
}

// ServeHTTP upgrades a request to a websocket and serves it until it closes.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	full := len(h.conns) >= h.o.Conns
	h.mu.Unlock()
	if full || h.ctx.Err() != nil {
		h.refused.Add(1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many live viewers", http.StatusServiceUnavailable)
		return
	}
	ws, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &conn{h: h, ws: ws, out: make(chan []byte, queueFrames), done: make(chan struct{}), subs: map[string]*sub{}}
	h.mu.Lock()
	h.conns[c] = struct{}{}
	h.mu.Unlock()
	h.work.Add(2)
	go c.write()
	c.send([]byte(fmt.Sprintf(`{"op":"hello","now_ms":%d,"tick_ms":%d,"session":%q}`, time.Now().UnixMilli(), h.o.Tick.Milliseconds(), rand.Text())))
	c.read()
}

// read serves the viewer's requests until the connection ends, then undoes everything.
func (c *conn) read() {
	defer c.h.work.Done()
	defer c.end()
	c.ws.SetReadLimit(readLimit)
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(silentAfter)) }
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		alive()
		var r request
		if err := json.Unmarshal(b, &r); err != nil {
			c.problem("", c.h.o.Problem(fmt.Errorf("the request is not JSON: %w", err)))
			continue
		}
		c.serve(r)
	}
}

func (c *conn) serve(r request) {
	switch r.Op {
	case "subscribe":
		c.subscribe(r)
	case "unsubscribe":
		c.unsubscribe(r.ID)
	case "pause":
		c.paused.Store(true)
	case "resume":
		c.paused.Store(false)
		c.mu.Lock()
		again := make([]*sub, 0, len(c.subs))
		for _, s := range c.subs {
			again = append(again, s)
		}
		c.mu.Unlock()
		for _, s := range again { // what was missed comes as a whole
			if data, at, err := c.h.snapshot(s.topic); err == nil {
				c.frame(s, "snapshot", data, at)
			}
		}
	default:
		c.problem(r.ID, c.h.o.Problem(fmt.Errorf("the operation %q is not known", r.Op)))
	}
}

func (c *conn) subscribe(r request) {
	c.unsubscribe(r.ID)
	c.mu.Lock()
	if r.ID == "" || len(r.ID) > 128 || len(r.Query) == 0 || len(c.subs) >= c.h.o.Subs {
		c.mu.Unlock()
		c.h.refused.Add(1)
		c.problem(r.ID, c.h.o.Problem(fmt.Errorf("a subscription needs an id and a query, and there may be %d of them", c.h.o.Subs)))
		return
	}
	quoted, _ := json.Marshal(r.ID) // a string
	s := &sub{id: r.ID, quoted: quoted, c: c}
	c.subs[r.ID] = s
	c.mu.Unlock()
	c.h.join(s, r.Query, r.From)
}

func (c *conn) unsubscribe(id string) {
	c.mu.Lock()
	s := c.subs[id]
	delete(c.subs, id)
	c.mu.Unlock()
	if s != nil {
		c.h.leave(s)
	}
}

func (c *conn) end() {
	c.mu.Lock()
	ids := make([]string, 0, len(c.subs))
	for id := range c.subs {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	for _, id := range ids {
		c.unsubscribe(id)
	}
	c.h.mu.Lock()
	delete(c.h.conns, c)
	c.h.mu.Unlock()
	close(c.done)
	c.ws.Close()
}

// write sends what is queued, and pings.
func (c *conn) write() {
	defer c.h.work.Done()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-c.done:
			return
		case b := <-c.out:
			_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
			err = c.ws.WriteMessage(websocket.TextMessage, b)
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
		}
		if err != nil {
			c.ws.Close() // read ends and cleans up
			<-c.done
			return
		}
	}
}

// send queues a frame, or reports that the viewer is too slow for it.
func (c *conn) send(b []byte) bool {
	select {
	case c.out <- b:
		return true
	default:
		return false
	}
}

// frame wraps data, which is shared by all viewers, for one of them.
func (c *conn) frame(s *sub, op string, data []byte, dataMS int64) {
	if op == "update" && c.paused.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[s.id] != s || op == "update" && s.seq == 0 { // an update makes no sense before the snapshot
		return
	}
	b := make([]byte, 0, len(data)+200)
	b = append(b, `{"op":"`...)
	b = append(b, op...)
	b = append(b, `","id":`...)
	b = append(b, s.quoted...)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, s.seq+1, 10)
	b = append(b, `,"skipped":`...)
	b = strconv.AppendUint(b, s.skipped, 10)
	b = append(b, `,"sent_ms":`...)
	b = strconv.AppendInt(b, time.Now().UnixMilli(), 10)
	b = append(b, `,"data_ms":`...)
	b = strconv.AppendInt(b, dataMS, 10)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	b = append(b, '}')
	if !c.send(b) {
		s.skipped++
		c.h.skipped.Add(1)
		return
	}
	s.seq++
	s.skipped = 0
	c.h.frames.Add(1)
}

// behind reports whether a viewer has missed updates of a subscription.
func (c *conn) behind(s *sub) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.skipped > 0
}

func (c *conn) problem(id string, p any) {
	b, err := json.Marshal(map[string]any{"op": "error", "id": id, "problem": p})
	if err == nil {
		c.send(b)
	}
}
