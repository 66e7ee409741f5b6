package ingest

import "time"

// writer turns batches into inserts. It holds the scratch space of one flusher.
type writer struct {
	in     *Ingest
	block  block
	sort   sorter
	red    *rollup
	traces traceIndex
	values []valueRow

	batch   string // the one being written: the prefix of its tokens
	insert  func(*block, string) error
	salvage *salvage // not nil while a poison batch is stored in parts
}

func newWriter(in *Ingest) *writer { return &writer{in: in, red: newRollup()} }

// write calls insert for each table and day of a batch, in an order and with tokens that depend on the batch alone.
func (w *writer) write(b *batch, insert func(*block, string) error) error {
	w.batch, w.insert = b.name, insert
	if err := w.writeSpans(b); err != nil {
		return err
	}
	if err := w.writeLogs(b); err != nil {
		return err
	}
	if err := w.writeMetrics(b); err != nil {
		return err
	}
	return w.writeProfiles(b)
}

func (w *writer) writeSpans(b *batch) error {
	c := b.spans
	if c.rows() == 0 {
		return nil
	}
	w.values = w.values[:0]
	now := time.Now().Unix()
	first, last := span64(c.start)
	if err := w.putResources(Traces, c.resources.list, first/nanosPerSecond, last/nanosPerSecond); err != nil {
		return err
	}
	for _, d := range w.sort.sortSpans(c) {
		good, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.spanBlock(c, perm) })
		if err != nil {
			return err
		}
		w.traces.aggregate(c, good)
		if _, err := putRows(w, d.day, w.traces.rows, func(rows []traceRow) { w.block.traceBlock(c, d.day, rows) }); err != nil {
			return err
		}
		w.red.aggregate(c, good, w.in.ops)
		if _, err := putRows(w, d.day, w.red.rows, func(rows []redRow) { w.block.redBlock(c, rows) }); err != nil {
			return err
		}
		w.values = w.in.values.collect("traces", good, &c.attrs, now, w.values)
	}
	w.in.dirty.touch(first, last, c.start)
	return w.finishSignal(Traces)
}

func (w *writer) writeLogs(b *batch) error {
	c := b.logs
	if c.rows() == 0 {
		return nil
	}
	w.values = w.values[:0]
	now := time.Now().Unix()
	first, last := span64(c.ts)
	if err := w.putResources(Logs, c.resources.list, first/nanosPerSecond, last/nanosPerSecond); err != nil {
		return err
	}
	for _, d := range w.sort.sortLogs(c) {
		good, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.logBlock(c, perm) })
		if err != nil {
			return err
		}
		w.values = w.in.values.collect("logs", good, &c.attrs, now, w.values)
	}
	return w.finishSignal(Logs)
}

func (w *writer) writeMetrics(b *batch) error {
	c := b.metrics
	if c.rows() == 0 && len(c.exemplars.ts) == 0 {
		return nil
	}
	times := c.ts
	if len(times) == 0 { // exemplars may come alone
		times = c.exemplars.ts
	}
	first, last := span64(times)
	w.values = w.values[:0]
	now := time.Now().Unix()
	if err := w.putResources(Metrics, c.resources.list, first/1000, last/1000); err != nil {
		return err
	}
	if len(c.newSeries) > 0 { // before the points, so that no reader meets a point without its series
		for _, s := range c.newSeries {
			w.values = w.in.values.list("metrics", s.offered(), now, w.values)
		}
		if _, err := putRows(w, 0, c.newSeries, func(rows []*seriesInfo) { w.block.seriesBlock(rows, first/1000, last/1000) }); err != nil {
			return err
		}
		for _, s := range c.newSeries {
			s.firstStored.CompareAndSwap(0, first/1000)
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.name, c.series, c.ts) {
		if _, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.sampleBlock(c, perm) }); err != nil {
			return err
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.distributions.name, c.distributions.series, c.distributions.ts) {
		if _, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.distributionBlock(c, perm) }); err != nil {
			return err
		}
	}
	for _, d := range w.sort.sortPoints(c.names, c.exemplars.name, c.exemplars.series, c.exemplars.ts) {
		if _, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.exemplarBlock(c, perm) }); err != nil {
			return err
		}
	}
	return w.finishSignal(Metrics)
}

// putResources writes the resources that are due, before the rows that refer to them: no reader meets a span whose
// resource is not there. first and last are Unix seconds.
func (w *writer) putResources(signal Signal, list []*resource, first, last int64) error {
	now := time.Now().Unix()
	var due []*resource
	for _, r := range list {
		if r.lastStored.Load() == 0 || last > r.lastStored.Load()+seriesRefresh || first < r.firstStored.Load() {
			due = append(due, r)
			w.values = w.in.values.list("resource", r.attributes, now, w.values)
		}
	}
	if len(due) > 0 {
		if _, err := putRows(w, int64(signal), due, func(rows []*resource) { w.block.resourceBlock(rows, first, last) }); err != nil {
			return err
		}
		for _, r := range due {
			r.lastStored.Store(max(r.lastStored.Load(), last))
			if f := r.firstStored.Load(); f == 0 || first < f {
				r.firstStored.Store(first)
			}
		}
	}
	return nil
}

// finishSignal writes the attribute values that are due, then tells the tap.
func (w *writer) finishSignal(signal Signal) error {
	now := time.Now().Unix()
	if _, err := putRows(w, int64(signal), w.values, func(rows []valueRow) { w.block.valueBlock(rows, now) }); err != nil {
		return err
	}
	if w.in.opts.Tap != nil {
		w.in.opts.Tap(signal.String())
	}
	return nil
}

// span64 is the least and the greatest of times.
func span64(ts []int64) (first, last int64) {
	first, last = ts[0], ts[0]
	for _, t := range ts {
		first, last = min(first, t), max(last, t)
	}
	return first, last
}
