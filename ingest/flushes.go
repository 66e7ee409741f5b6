package ingest

import (
	"slices"
	"sync"
	"time"
)

// FlushStats is what the batches of the last minutes were like.
type FlushStats struct {
	PerMinute float64   `json:"per_minute"`
	RowsP50   int64     `json:"rows_p50"`
	RowsMax   int64     `json:"rows_max"`
	BytesP50  int64     `json:"bytes_p50"`
	BytesMax  int64     `json:"bytes_max"`
	Took      Quantiles `json:"took"` // to insert all of a batch
}

// flushed is one committed batch.
type flushed struct {
	at    time.Time
	rows  int
	bytes int64
}

// flushRing keeps the newest batches.
type flushRing struct {
	mu   sync.Mutex
	ring [600]flushed // guarded by mu
	next int
}

const flushWindow = 2 * time.Minute

func (r *flushRing) add(f flushed) {
	f.at = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = f
	r.next = (r.next + 1) % len(r.ring)
}

// stats describes the batches of the last two minutes, or the newest 600 if there were more.
func (r *flushRing) stats(took Quantiles) FlushStats {
	out := FlushStats{Took: took}
	now := time.Now()
	var rows, bytes []int64
	oldest := now
	r.mu.Lock()
	for _, f := range r.ring {
		if now.Sub(f.at) < flushWindow {
			rows, bytes = append(rows, int64(f.rows)), append(bytes, f.bytes)
			if f.at.Before(oldest) {
				oldest = f.at
			}
		}
	}
	r.mu.Unlock()
	if len(rows) == 0 {
		return out
	}
	slices.Sort(rows)
	slices.Sort(bytes)
	window := flushWindow
	if len(rows) == len(r.ring) {
		window = max(now.Sub(oldest), time.Second)
	}
	out.PerMinute = float64(len(rows)) / window.Minutes()
	out.RowsP50, out.RowsMax = rows[len(rows)/2], rows[len(rows)-1]
	out.BytesP50, out.BytesMax = bytes[len(bytes)/2], bytes[len(bytes)-1]
	return out
}
