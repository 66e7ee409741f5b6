package prom

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

const (
	// chunkSamples is how many samples are read at a time, about.
	chunkSamples = 1_000_000
	// mostChunk is how many series are read at a time at most. More would have halves of fingerprints in common.
	mostChunk = 2_000
	// fewSeries are named in the statement; more are sent beside it, which costs some milliseconds.
	fewSeries = 200
	// firstChunk is how many series are read at first, to see how many samples they have.
	firstChunk = 32
	// pushWorkers is how many chunks of one part are read and evaluated beside each other, at most.
	pushWorkers = 4
	// pushSlots is how many chunks of all questions there are at once: each takes 16 bytes a sample twice over, some 30 MB.
	pushSlots = 4
)

// chunk is what a worker reads at a time.
type chunk struct {
	t    []int64
	v    []float64
	runs [][]piece // by entry
}

// piece is where consecutive samples of a series lie.
type piece struct{ from, to int }

// read evaluates the series of one source, a chunk at a time.
func (v *evaluation) read(ctx context.Context, p picked, w window) error {
	all := slices.Clone(p.entries)
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	workers := min(pushWorkers, runtime.GOMAXPROCS(0))
	size := min(firstChunk, (len(all)+workers-1)/workers)
	next := func() []*entry {
		mu.Lock()
		defer mu.Unlock()
		n := min(size, len(all))
		out := all[:n]
		all = all[n:]
		return out
	}
	learned := func(series, samples int) {
		mu.Lock()
		defer mu.Unlock()
		size = max(1, min(mostChunk, int(int64(chunkSamples)*int64(series)/int64(max(samples, 1))), (len(all)+workers-1)/workers))
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
				entries := next()
				if len(entries) == 0 {
					break
				}
				samples, err := worker.one(ctx, p, entries, w)
				if err != nil {
					cancel(err)
				}
				learned(len(entries), samples)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.notes.Merge(worker.notes)
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// one reads and evaluates one chunk. It tells how many samples it had.
func (w *worker) one(ctx context.Context, p picked, entries []*entry, between window) (samples int, err error) {
	select {
	case w.plan.e.pushing <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { <-w.plan.e.pushing }()
	c := chunks.Get().(*chunk)
	defer chunks.Put(c)
	if err := c.read(ctx, w.evaluation, p, entries, between); err != nil {
		return 0, err
	}
	return len(c.t), w.chunk(p, entries, c)
}

// chunk evaluates what has been read.
func (w *worker) chunk(p picked, entries []*entry, c *chunk) error {
	for i, e := range entries {
		if len(c.runs[i]) == 0 {
			continue
		}
		t, v := c.series(i)
		ls := p.named(e)
		if !w.series(ls, t, v) {
			continue
		}
		w.mu.Lock()
		err := w.add(w.outward(ls), w.values)
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// series joins the pieces of a series in the order of time; of samples of one time the first stays.
func (c *chunk) series(i int) ([]int64, []float64) {
	pieces := c.runs[i]
	if len(pieces) == 1 {
		return c.t[pieces[0].from:pieces[0].to], c.v[pieces[0].from:pieces[0].to]
	}
	var g gathered
	for _, x := range pieces {
		g.runs, g.samples = append(g.runs, run{t: c.t[x.from:x.to], v: c.v[x.from:x.to]}), g.samples+x.to-x.from
	}
	p := g.points()
	return p.t, p.v
}

// looked is the condition that some step looks at a sample. Where steps overlap there is none.
func (p *plan) looked(part *pushed) string {
	span := p.span(part)
	if span >= p.step {
		return ""
	}
	first := p.start - part.vector.OriginalOffset.Milliseconds()
	return fmt.Sprintf(" AND positiveModulo(%d - toUnixTimestamp64Milli(ts), %d) < %d", first, p.step, span)
}

// read asks for the samples of some series, which are sorted by fingerprint.
func (c *chunk) read(ctx context.Context, v *evaluation, p picked, entries []*entry, w window) error {
	expect := int(min(int64(len(entries))*(w.to-w.from)/usualInterval, 2*chunkSamples)) // growing costs as much as reading
	c.t, c.v = slices.Grow(c.t[:0], expect), slices.Grow(c.v[:0], expect)
	c.runs = slices.Grow(c.runs[:0], len(entries))[:len(entries)]
	for i := range c.runs {
		c.runs[i] = c.runs[i][:0]
	}
	at := make(map[uint32]int, len(entries))
	for i, e := range entries {
		at[uint32(e.fingerprint)] = i
	}
	if len(at) < len(entries) || w.to-w.from > math.MaxUint32 { // two look the same in what is sent
		return errNotPushed
	}
	var series, ts proto.ColUInt32
	var values proto.ColFloat64
	st := statement{
		// 16 bytes a sample: half of the fingerprint, the milliseconds since the beginning, and the value, which is the
		// marker where flags say so. Native histograms end the statement.
		sql: fmt.Sprintf(`SELECT toUInt32(bitAnd(series, 4294967295)) AS s, toUInt32(toUnixTimestamp64Milli(ts) - %d) AS t, value AS v FROM {{metric_samples}}
WHERE name = {name:String} AND series >= %d AND series <= %d AND ts >= fromUnixTimestamp64Milli(toInt64(%d)) AND ts <= fromUnixTimestamp64Milli(toInt64(%d))
AND throwIf(bitAnd(flags, %d) != 0) = 0`,
			w.from, entries[0].fingerprint, entries[len(entries)-1].fingerprint, w.from, w.to, FlagShape) + v.plan.looked(v.part),
		params: map[string]any{"name": p.stored},
		result: proto.Results{{Name: "s", Data: &series}, {Name: "t", Data: &ts}, {Name: "v", Data: &values}},
	}
	switch {
	case p.whole: // those between the first and the last are these
	case len(entries) <= fewSeries:
		list := make([]string, len(entries))
		for i, e := range entries {
			list[i] = strconv.FormatUint(e.fingerprint, 10)
		}
		st.sql += " AND series IN (" + strings.Join(list, ",") + ")"
	default:
		st.sql += " AND series IN (SELECT fingerprint FROM chosen)"
		st.chosen = make([]uint64, len(entries))
		for i, e := range entries {
			st.chosen[i] = e.fingerprint
		}
	}
	st.block = func() error {
		base := len(c.t)
		c.v = append(c.v, values...)
		c.t = slices.Grow(c.t, len(ts))[:base+len(ts)]
		t := c.t[base:]
		for i, x := range ts {
			t[i] = w.from + int64(x)
		}
		for from := 0; from < len(ts); {
			to := from + 1
			for to < len(ts) && series[to] == series[from] && ts[to] > ts[to-1] {
				to++
			}
			if i, ok := at[series[from]]; ok {
				c.runs[i] = append(c.runs[i], piece{base + from, base + to})
			}
			from = to
		}
		return nil
	}
	err := v.plan.e.columns.run(ctx, st)
	if ch.IsErr(err, proto.ErrFunctionThrowIfValueIsNonZero) {
		return errNotPushed
	}
	return err
}
