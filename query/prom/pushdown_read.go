package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
)

const (
	// chunkSamples is how many samples are read at a time, about.
	chunkSamples = 1_000_000
	// mostChunk is how many series are read at a time at most.
	mostChunk = 2_000
	// fewSeries are named in the statement; more are sent beside it, which costs some milliseconds.
	fewSeries = 200
	// mostSamples is how many are read at a time at most: where series have more samples than they had or than is usual,
	// fewer of them are read.
	mostSamples = 4 * chunkSamples
	// pushWorkers is how many chunks of one part are read and evaluated beside each other, at most.
	pushWorkers = 4
	// pushSlots is how many chunks of all questions there are at once: each takes 16 bytes a sample twice over, some 30 MB.
	pushSlots = 4
)

// unit is the entries that are one series for PromQL, as they have the same labels: a process before and after it was
// started again, say. Their samples are joined in this order.
type unit []*entry

// units finds them among entries that are sorted by labels, and sorts them as they are stored.
func units(entries []*entry) []unit {
	out := make([]unit, 0, len(entries))
	for from := 0; from < len(entries); {
		to := from + 1
		for to < len(entries) && labels.Equal(entries[to].labels, entries[from].labels) {
			to++
		}
		out = append(out, entries[from:to:to])
		from = to
	}
	slices.SortFunc(out, func(a, b unit) int { return cmp.Compare(a[0].fingerprint, b[0].fingerprint) })
	return out
}

// chunk is what a worker reads at a time.
type chunk struct {
	entries []*entry
	t       []int64
	start   []int64   // beside t, of increases
	v       []float64 // beside t, or of buckets: as many a sample as its piece is wide
	runs    [][]piece // by entry
	column  []float64 // the values of one bucket
}

// piece is where consecutive samples of an entry lie.
type piece struct {
	from, to int
	values   int       // where those of from begin in v
	keys     []float64 // nil: one value a sample; otherwise the upper bounds of the buckets, one value each
}

// reset makes a chunk ready for the entries of units.
func (c *chunk) reset(us []unit) {
	c.entries = c.entries[:0]
	for _, u := range us {
		c.entries = append(c.entries, u...)
	}
	c.t, c.start, c.v = c.t[:0], c.start[:0], c.v[:0]
	c.runs = slices.Grow(c.runs[:0], len(c.entries))[:len(c.entries)]
	for i := range c.runs {
		c.runs[i] = c.runs[i][:0]
	}
}

// read evaluates the series of one source, a chunk at a time.
func (v *evaluation) read(ctx context.Context, p picked, w window) error {
	all := units(p.entries)
	p.whole = p.whole && len(all) == len(p.entries)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	workers := min(pushWorkers, runtime.GOMAXPROCS(0))
	each := v.plan.e.density.of(p, w) // samples of a unit
	next := func() []unit {
		mu.Lock()
		defer mu.Unlock()
		n := min(max(1, min(mostChunk, int(chunkSamples/each))), (len(all)+workers-1)/workers)
		out := all[:n]
		all = all[n:]
		return out
	}
	learned := func(units, samples int) {
		mu.Lock()
		defer mu.Unlock()
		each = max(1, float64(samples)/float64(units))
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			defer func() { // the engine's functions panic where they cannot go on, and so does the engine itself
				if x := recover(); x != nil {
					cancel(fmt.Errorf("evaluate %s: %v: %w", v.part.call, x, errNotPushed))
				}
			}()
			worker := v.worker()
			for ctx.Err() == nil {
				some := next()
				if len(some) == 0 {
					break
				}
				samples, err := worker.one(ctx, p, some, w)
				if err != nil {
					cancel(err)
				}
				learned(len(some), samples)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.notes.Merge(worker.notes)
		})
	}
	wg.Wait()
	v.plan.e.density.learn(p, w, each)
	return context.Cause(ctx)
}

// one reads and evaluates one chunk. It tells how many samples it had.
func (w *worker) one(ctx context.Context, p picked, us []unit, between window) (samples int, err error) {
	select {
	case w.plan.e.pushing <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { <-w.plan.e.pushing }()
	c := chunks.Get().(*chunk)
	defer chunks.Put(c)
	return w.chunk(ctx, p, us, c, between)
}

// errSplit is said where fewer series are to be read at a time.
var errSplit = errors.New("too much for a chunk")

// chunk reads and evaluates units, in two halves if they are too much for one.
func (w *worker) chunk(ctx context.Context, p picked, us []unit, c *chunk, between window) (samples int, err error) {
	c.reset(us)
	err = c.read(ctx, w.evaluation, p, between)
	if errors.Is(err, errSplit) && len(us) > 1 {
		n, err := w.chunk(ctx, p, us[:len(us)/2], c, between)
		if err != nil {
			return n, err
		}
		m, err := w.chunk(ctx, p, us[len(us)/2:], c, between)
		return n + m, err
	}
	if errors.Is(err, errSplit) {
		return 0, errNotPushed
	}
	if err != nil {
		return 0, err
	}
	first := 0
	for _, u := range us {
		if p.kind == kindBucket {
			err = w.buckets(p, u[0], c, first, len(u), between)
		} else {
			err = w.take(p.named(u[0]), c.unit(first, len(u), nil, p.temporality == "delta", between))
		}
		if err != nil {
			return 0, err
		}
		first += len(u)
	}
	return len(c.v), nil
}

// take evaluates one series and takes its values in.
func (w *worker) take(ls labels.Labels, p points) error {
	if len(p.t) == 0 || !w.series(ls, p.t, p.v) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.add(w.outward(ls), w.values)
}

// read reads the samples of the chunk's entries.
func (c *chunk) read(ctx context.Context, v *evaluation, p picked, w window) error {
	at, distinct := c.places()
	if !distinct { // in what is sent
		return errSplit
	}
	if p.kind == kindBucket {
		return c.readBuckets(ctx, v, p, at, w)
	}
	return c.readFloats(ctx, v, p, at, w)
}

// full tells whether there are too many samples in a chunk that can be made smaller.
func (c *chunk) full(e *Engine) bool { return len(c.v) > e.chunkMost && len(c.entries) > 1 }

// places maps the lower halves of fingerprints to positions in entries, if they are all different.
func (c *chunk) places() (map[uint32]int, bool) {
	at := make(map[uint32]int, len(c.entries))
	for i, e := range c.entries {
		at[uint32(e.fingerprint)] = i
	}
	return at, len(at) == len(c.entries)
}

// unit joins the samples of n entries from first on that are one series; of buckets, those of one with the upper bound
// that key tells. The points hold until the next call.
func (c *chunk) unit(first, n int, key *float64, delta bool, w window) points {
	var out points
	for i := first; i < first+n; i++ {
		p := c.points(i, key)
		if delta {
			p.accumulate(w)
		}
		p.start = nil
		if i == first {
			out = p
		} else {
			out.merge(p)
		}
	}
	return out
}

// points joins the pieces of an entry in the order of time; of samples of one time the first stays.
func (c *chunk) points(i int, key *float64) points {
	var g gathered
	c.column = c.column[:0]
	for _, x := range c.runs[i] {
		r := run{t: c.t[x.from:x.to]}
		if len(c.start) > 0 {
			r.start = c.start[x.from:x.to]
		}
		if key == nil {
			r.v = c.v[x.values : x.values+x.to-x.from]
		} else if r.v = c.bucket(x, *key); r.v == nil {
			continue
		}
		g.runs, g.samples = append(g.runs, r), g.samples+len(r.t)
	}
	return g.points()
}

// bucket is the values of the bucket with an upper bound, nil if there is none.
func (c *chunk) bucket(x piece, key float64) []float64 {
	at, width := slices.Index(x.keys, key), len(x.keys)
	if at < 0 {
		return nil
	}
	from := len(c.column)
	c.column = slices.Grow(c.column, x.to-x.from)
	for i := x.values + at; i < x.values+(x.to-x.from)*width; i += width {
		c.column = append(c.column, c.v[i])
	}
	return c.column[from:]
}

// density is how many samples the series of stored metrics had when they were last read. Of those not read yet it is
// the usual.
type density struct{ known sync.Map } // stored name and kind -> samples a series and millisecond

func (d *density) of(p picked, w window) float64 {
	if x, ok := d.known.Load(part{p.stored, p.kind}); ok {
		return max(1, x.(float64)*float64(w.to-w.from+1))
	}
	usual := float64(w.to-w.from)/usualInterval + 1
	if p.kind == kindBucket {
		usual *= usualBuckets
	}
	return usual
}

func (d *density) learn(p picked, w window, each float64) {
	d.known.Store(part{p.stored, p.kind}, each/float64(w.to-w.from+1))
}
