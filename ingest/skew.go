package ingest

import (
	"math"
	"slices"
	"sync"
	"time"
)

// ClockSkew is a sender whose clock differs from ours, as far as its spans tell.
type ClockSkew struct {
	Service  string `json:"service"`
	Instance string `json:"instance"` // "" where the sender names none
	// Offset is how far the sender's clock is ahead of ours, negative if it is behind: the end of its newest span less
	// the time of receipt. A sender that is behind may as well deliver late; it counts as skewed only when its offset
	// stays the same.
	Offset time.Duration `json:"offset_ns"`
	// Spans is how many of its spans show it; those rejected as in the future are among them.
	Spans    int64     `json:"spans"`
	Rejected int64     `json:"rejected"`
	LastSeen time.Time `json:"last_seen"`
}

const (
	skewAhead  = 2 * time.Second  // spans that end later than this after their receipt are from a clock ahead
	skewBehind = time.Minute      // a sender whose newest span is always older than this may have a clock behind
	skewProof  = time.Minute      // for this long
	skewForget = time.Hour        // after the last such span
	maxSkews   = 10_000           // senders remembered; further ones wait until some are forgotten
	skewDrift  = 10 * time.Second // an offset that moves by more, and by more than 5 %, is late delivery
)

// skews remembers the senders whose spans do not fit our clock. Ordinary senders leave no trace in it.
type skews struct {
	mu      sync.Mutex
	senders map[senderKey]*skewedSender // guarded by mu
	newest  []int64                     // scratch of observe, by resource
}

type senderKey struct{ service, instance string }

type skewedSender struct {
	ClockSkew
	first time.Time     // when it was met
	base  time.Duration // the offset then
}

func newSkews() *skews { return &skews{senders: map[senderKey]*skewedSender{}} }

// observe looks at the spans of a batch that has just been received.
func (s *skews) observe(c *spanColumns, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = slices.Grow(s.newest[:0], len(c.resources.list))[:len(c.resources.list)]
	for i := range s.newest {
		s.newest[i] = math.MinInt64
	}
	ahead := 0
	limit := now.Add(skewAhead).UnixNano()
	for i, start := range c.start {
		end := start + int64(c.duration[i])
		s.newest[c.resource[i]] = max(s.newest[c.resource[i]], end)
		if end > limit {
			ahead++
		}
	}
	for id, end := range s.newest {
		if end == math.MinInt64 {
			continue
		}
		switch offset := time.Duration(end - now.UnixNano()); {
		case offset > skewAhead:
			s.sender(c.resources.list[id], now).Offset = offset
		case offset < -skewBehind:
			s.behind(c, uint32(id), offset, now)
		default:
			delete(s.senders, senderKey{c.resources.list[id].service, c.resources.list[id].instance})
		}
	}
	for i := 0; ahead > 0 && i < len(c.start); i++ {
		if c.start[i]+int64(c.duration[i]) > limit {
			s.sender(c.resources.list[c.resource[i]], now).Spans++
			ahead--
		}
	}
}

// behind counts a batch whose newest span of a sender is old. Called with mu held.
func (s *skews) behind(c *spanColumns, id uint32, offset time.Duration, now time.Time) {
	e := s.sender(c.resources.list[id], now)
	if e.Spans == 0 || !near(offset, e.base) {
		e.first, e.base = now, offset
	}
	e.Offset = offset
	for _, r := range c.resource {
		if r == id {
			e.Spans++
		}
	}
}

// near tells whether two offsets are the same but for the batching on the way.
func near(a, b time.Duration) bool { return (a - b).Abs() <= max(skewDrift, b.Abs()/20) }

// rejected counts a span that starts too far in the future to be stored.
func (s *skews) rejected(r *resource, start uint64, received int64) {
	if s == nil || start > math.MaxInt64 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.sender(r, time.Unix(0, received))
	e.Offset = time.Duration(int64(start) - received)
	e.Spans++
	e.Rejected++
}

// sender finds or adds a sender. Called with mu held.
func (s *skews) sender(r *resource, now time.Time) *skewedSender {
	key := senderKey{r.service, r.instance}
	e := s.senders[key]
	if e == nil {
		e = &skewedSender{ClockSkew: ClockSkew{Service: r.service, Instance: r.instance}, first: now}
		if len(s.senders) >= maxSkews {
			s.forget(now)
		}
		if len(s.senders) < maxSkews {
			s.senders[key] = e
		}
	}
	e.LastSeen = now
	return e
}

func (s *skews) forget(now time.Time) {
	for key, e := range s.senders {
		if now.Sub(e.LastSeen) > skewForget {
			delete(s.senders, key)
		}
	}
}

// list is the skewed senders, the worst first.
func (s *skews) list(now time.Time) []ClockSkew {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	out := []ClockSkew{}
	for _, e := range s.senders {
		if e.Offset > 0 || e.LastSeen.Sub(e.first) >= skewProof {
			out = append(out, e.ClockSkew)
		}
	}
	sortBy(out, func(a, b ClockSkew) bool {
		if a.Offset.Abs() != b.Offset.Abs() {
			return a.Offset.Abs() > b.Offset.Abs()
		}
		return a.Service+"\x00"+a.Instance < b.Service+"\x00"+b.Instance
	})
	return out
}
