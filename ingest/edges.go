package ingest

import "sync"

// dirtyMinutes remembers which minutes have received spans since their edges were computed.
type dirtyMinutes struct {
	mu      sync.Mutex
	minutes map[int64]struct{} // Unix minutes, guarded by mu
}

func newDirtyMinutes() *dirtyMinutes { return &dirtyMinutes{minutes: map[int64]struct{}{}} }

// touch marks the minutes of spans that start between first and last.
func (d *dirtyMinutes) touch(first, last int64, starts []int64) {
	const minute = 60 * nanosPerSecond
	d.mu.Lock()
	defer d.mu.Unlock()
	if last/minute-first/minute <= 2 {
		for m := first / minute; m <= last/minute; m++ {
			d.minutes[m] = struct{}{}
		}
		return
	}
	previous := int64(-1)
	for _, ts := range starts {
		if m := ts / minute; m != previous {
			d.minutes[m] = struct{}{}
			previous = m
		}
	}
}

func (in *Ingest) edges() { <-in.ctx.Done() }
