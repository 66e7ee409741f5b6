package ingest

import (
	"sort"
	"sync"
	"sync/atomic"
)

// senders counts what each service sent, as requests are decoded. The hot path touches atomics only: a resource knows
// its service's counters.
type senders struct {
	mu       sync.Mutex
	services map[string]*sender // guarded by mu; at most maxServices, then "(other)"
}

// sender is one service.
type sender struct {
	signals [signals]struct{ items, bytes atomic.Int64 }
}

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
}

// list has those that sent most first.
func (s *senders) list(most int) []ServiceStats {
	out := []ServiceStats{}
	s.mu.Lock()
	for service, x := range s.services {
		for signal := range signals {
			if n := x.signals[signal].items.Load(); n > 0 {
				out = append(out, ServiceStats{service, signal.String(), n, x.signals[signal].bytes.Load()})
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
