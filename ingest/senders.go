package ingest

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// senders counts what each service sent, as requests are decoded. The hot path touches atomics only: a resource knows
// its service's counters.
type senders struct {
	mu       sync.Mutex
	services map[string]*sender     // guarded by mu; at most maxServices, then "(other)"
	marked   [senderMarks]time.Time // when; guarded by mu
	next     int                    // the oldest mark; guarded by mu
}

// sender is one service.
type sender struct {
	signals [signals]struct{ items, bytes atomic.Int64 }
	marks   [senderMarks][signals]struct{ items, bytes int64 } // what was counted at the last marks; guarded by senders.mu
}

// senderMarks is how many marks rates are taken over: SDKs send every few seconds, so that rates over less would jump.
const senderMarks = 3

// maxServices bounds the services counted one by one; the rest are "(other)".
const maxServices = 5000

func newSenders() *senders { return &senders{services: map[string]*sender{}} }

func (s *senders) get(service string) *sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.services[service]
	if x == nil {
		if len(s.services) >= maxServices {
			service = foldedOperation
		}
		if x = s.services[service]; x == nil {
			x = &sender{}
			s.services[service] = x
		}
	}
	return x
}

func (x *sender) add(signal Signal, items, bytes int) {
	x.signals[signal].items.Add(int64(items))
	x.signals[signal].bytes.Add(int64(bytes))
}

// sent counts the items of one resource of a request. What is replayed was counted when it came.
func (d *decoder) sent(res *resource, signal Signal, before, bytes int) {
	if d.caps != nil {
		res.sender.add(signal, d.tally.accepted-before, bytes)
	}
}

// ServiceStats is one signal of one service since the start.
type ServiceStats struct {
	Service string `json:"service"`
	Signal  string `json:"signal"`
	Items   int64  `json:"items"`
	Bytes   int64  `json:"bytes"`
	// The rates are over the last 10 to 15 s.
	ItemsPerS float64 `json:"items_per_s"`
	BytesPerS float64 `json:"bytes_per_s"`
}

// mark remembers what was counted so far, for rates.
func (s *senders) mark(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.services {
		for signal := range signals {
			m := &x.marks[s.next][signal]
			m.items, m.bytes = x.signals[signal].items.Load(), x.signals[signal].bytes.Load()
		}
	}
	s.marked[s.next] = now
	s.next = (s.next + 1) % senderMarks
}

// oldest is the mark that rates are taken over, -1 if there is none. Called with mu held.
func (s *senders) oldest() int {
	for i := range senderMarks {
		if at := (s.next + i) % senderMarks; !s.marked[at].IsZero() {
			return at
		}
	}
	return -1
}

func (x *sender) stats(service string, signal Signal, mark int, seconds float64) ServiceStats {
	out := ServiceStats{Service: service, Signal: signal.String(), Items: x.signals[signal].items.Load(), Bytes: x.signals[signal].bytes.Load()}
	if mark >= 0 && seconds > 0 {
		m := x.marks[mark][signal]
		out.ItemsPerS, out.BytesPerS = float64(out.Items-m.items)/seconds, float64(out.Bytes-m.bytes)/seconds
	}
	return out
}

// list has those that sent most first.
func (s *senders) list(most int, now time.Time) []ServiceStats {
	out := []ServiceStats{}
	s.mu.Lock()
	mark, seconds := s.oldest(), 0.0
	if mark >= 0 {
		seconds = now.Sub(s.marked[mark]).Seconds()
	}
	for service, x := range s.services {
		for signal := range signals {
			if x.signals[signal].items.Load() > 0 {
				out = append(out, x.stats(service, signal, mark, seconds))
			}
		}
	}
	s.mu.Unlock()
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return a.Items > b.Items || a.Items == b.Items && (a.Service < b.Service || a.Service == b.Service && a.Signal < b.Signal)
	})
	return out[:min(len(out), most)]
}
