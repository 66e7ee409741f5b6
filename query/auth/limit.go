package auth

import (
	"sync"
	"time"
)

// burst is how many seconds of its rate a bucket holds: the interval at which exporters and collectors send.
const burst = 10

// bucket is a token bucket that may go into debt: a request is admitted while there is anything left, and charged once
// it is known what it holds. So a batch larger than the bucket still passes, the mean keeps to the rate, and nothing
// has to be decoded to decide. What is under way at one moment may exceed the rate; it is paid back afterwards.
type bucket struct {
	mu   sync.Mutex // guards the rest
	rate float64    // a second; 0: no limit
	left float64
	at   time.Time
}

// set changes the rate; a new bucket is full.
func (b *bucket) set(rate float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rate != b.rate {
		b.rate, b.left, b.at = rate, rate*burst, now
	}
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.left, b.at = min(b.left+d*b.rate, b.rate*burst), now
	}
}

// wait is how long until the bucket admits again: 0 for now.
func (b *bucket) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == 0 {
		return 0
	}
	if b.fill(now); b.left > 0 {
		return 0
	}
	return max(time.Millisecond, time.Duration(-b.left/b.rate*float64(time.Second)))
}

func (b *bucket) charge(n float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate > 0 {
		b.fill(now)
		b.left -= n
	}
}
