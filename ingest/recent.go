package ingest

import (
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// recent is how long something took over the last one to two minutes, within 9 %.
type recent struct {
	mu     sync.Mutex
	counts [2][]uint32 // of this minute and the one before, by store.LatencyBucket / bucketsTogether; guarded by mu
	since  time.Time
}

const (
	bucketsTogether = 8
	recentBuckets   = 2048/bucketsTogether + 1
)

func (r *recent) add(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(time.Now())
	r.counts[0][store.LatencyBucket(uint64(max(d, 0)))/bucketsTogether]++
}

// rotate begins a new minute when it is time. Called with mu held.
func (r *recent) rotate(now time.Time) {
	switch age := now.Sub(r.since); {
	case r.counts[0] == nil || age > 2*time.Minute:
		r.counts = [2][]uint32{make([]uint32, recentBuckets), make([]uint32, recentBuckets)}
		r.since = now
	case age > time.Minute:
		r.counts[1], r.counts[0] = r.counts[0], r.counts[1]
		clear(r.counts[0])
		r.since = now
	}
}

// Quantiles are of times over the last one to two minutes, in ms; all 0 if there were none.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
}

func (r *recent) quantiles() Quantiles {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(time.Now())
	var out Quantiles
	for _, h := range r.counts {
		for _, n := range h {
			out.Count += int64(n)
		}
	}
	if out.Count > 0 {
		out.P50, out.P95, out.P99 = r.quantile(0.5, out.Count), r.quantile(0.95, out.Count), r.quantile(0.99, out.Count)
	}
	return out
}

// quantile is in ms. Called with mu held.
func (r *recent) quantile(q float64, total int64) float64 {
	rank := int64(q * float64(total-1))
	for i := range recentBuckets {
		n := int64(r.counts[0][i]) + int64(r.counts[1][i])
		if rank < n {
			return store.LatencyValue(int16(i*bucketsTogether+bucketsTogether/2)) / 1e6
		}
		rank -= n
	}
	return 0
}
