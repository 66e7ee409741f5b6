package ingest

import (
	"sync"
	"time"
)

// duplicates recognises requests that are sent again, byte for byte, because the client missed our answer. It holds
// two generations, each half of the window long or half of the cap large.
type duplicates struct {
	window time.Duration
	max    int

	mu         sync.Mutex
	young, old map[requestKey]*requestEntry // guarded by mu
	turned     time.Time                    // when young began
}

type requestKey struct {
	hash   uint64
	length uint32
	signal Signal
}

// requestEntry is the answer to a request; done is closed when it is known.
type requestEntry struct {
	key    requestKey
	done   chan struct{}
	result Result
	err    error
}

// acceptedWhole stands for all requests that were accepted whole, so that remembering one costs a slot of a map and no more.
var acceptedWhole = func() *requestEntry {
	e := &requestEntry{done: make(chan struct{})}
	close(e.done)
	return e
}()

func newDuplicates(window time.Duration, max int) *duplicates {
	return &duplicates{window: window, max: max, young: map[requestKey]*requestEntry{}, turned: time.Now()}
}

// begin reports whether a request is the first of its kind; if not, the entry has or will have its answer.
func (d *duplicates) begin(key requestKey) (bool, *requestEntry) {
	if d.window <= 0 || key.length == 0 {
		return true, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn()
	if e := d.young[key]; e != nil {
		return false, e
	}
	if e := d.old[key]; e != nil {
		return false, e
	}
	e := &requestEntry{key: key, done: make(chan struct{})}
	d.young[key] = e
	return true, e
}

// end records the answer. A failed request is forgotten, so that it can be tried again.
func (d *duplicates) end(e *requestEntry, res Result, err error) {
	if e == nil {
		return
	}
	e.result, e.err = res, err
	close(e.done)
	d.mu.Lock()
	defer d.mu.Unlock()
	generation := d.young
	if d.young[e.key] != e {
		generation = d.old
	}
	if err != nil {
		delete(generation, e.key)
	} else if res.Rejected == 0 {
		generation[e.key] = acceptedWhole
	}
}

// remember records a request that an earlier process accepted.
func (d *duplicates) remember(key requestKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.young[key] = acceptedWhole
}

// turn starts a new generation when the young one is old or large enough. Called with mu held.
func (d *duplicates) turn() {
	if now := time.Now(); now.Sub(d.turned) > d.window/2 || len(d.young) >= d.max/2 {
		d.old, d.young, d.turned = d.young, make(map[requestKey]*requestEntry), now
	}
}
