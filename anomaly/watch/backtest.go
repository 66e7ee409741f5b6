package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	memory     = 14 * 24 * time.Hour // history that what is usual is learned from
	replayStep = time.Minute
	replayRead = 6 * time.Hour // rows read in one go
)

// Backtest tells which incidents detection would have found between from and to, with no side effects: the code that
// runs live, over what is stored, with its clock. progress is told the share done.
func (w *Watch) Backtest(ctx context.Context, from, to time.Time, s Settings, progress func(done float64)) ([]anomaly.Incident, error) {
	if err := s.Check(); err != nil {
		return nil, &query.InputError{Field: "sensitivity", Reason: err.Error()}
	}
	ctx = query.Batch(ctx)
	first, last, err := w.o.DB.WatchBounds(ctx, replayStep, from.Add(-memory))
	if err != nil {
		return nil, fmt.Errorf("look for stored history: %w", err)
	}
	out := []anomaly.Incident{}
	if last.IsZero() {
		return out, nil
	}
	e := newEngine(replayStep, s)
	r := &replay{watch: w, engine: e, beside: newBeside(e, s), code: newCodeReplay(w, s), progress: progress}
	done := map[string]anomaly.Incident{}
	r.tell = func(c change) {
		for _, id := range c.merged {
			delete(done, id)
		}
		done[c.incident.ID] = c.incident
	}
	if end := last.Add(replayStep); to.After(end) {
		to = end
	}
	if err := r.run(ctx, first.Truncate(replayStep), to.Truncate(replayStep)); err != nil {
		return nil, err
	}
	for _, inc := range done {
		if !inc.DetectedAt.Before(from) && inc.DetectedAt.Before(to) {
			out = append(out, inc)
		}
	}
	slices.SortFunc(out, func(a, b anomaly.Incident) int { return a.DetectedAt.Compare(b.DetectedAt) })
	return w.explained(ctx, out)
}

// explained fills in the causes of incidents.
func (w *Watch) explained(ctx context.Context, incidents []anomaly.Incident) ([]anomaly.Incident, error) {
	for i, inc := range incidents {
		at := inc.DetectedAt.Add(settleExplanation)
		if inc.ResolvedAt != nil && inc.ResolvedAt.After(at) {
			at = *inc.ResolvedAt
		}
		g, err := w.o.Explain.Graph(ctx, at)
		if err != nil {
			return nil, err
		}
		inc, err = w.o.Explain.Explain(ctx, inc, g, at)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			w.o.Logger.Warn("an incident is not explained", "incident", inc.ID, "error", err)
		}
		incidents[i] = inc
	}
	return incidents, nil
}

// replay moves an engine through stored history.
type replay struct {
	watch    *Watch
	engine   *engine
	beside   *beside
	code     *codeReplay // nil: profiles are not looked at
	metrics  time.Time   // since when metrics are read
	real     map[slot][]interval
	keeper   keeper
	tell     func(change)
	progress func(done float64)
	quiet    bool // learns only: no incidents are kept
}

// batch is what is read in one go.
type batch struct {
	from, to time.Time
	names    map[uint64]query.WatchSeries
	rows     []query.WatchRow
	beside   besideRows
	costs    map[int64]*costBatch
	err      error
}

func (r *replay) run(ctx context.Context, from, to time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.watch.mu.Lock()
	r.real = r.watch.taught.real
	r.watch.mu.Unlock()
	var err error
	if r.metrics, err = r.watch.metricsSince(ctx, from, to); err != nil {
		return err
	}
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		for at := from; at.Before(to); at = at.Add(replayRead) {
			b := r.read(ctx, at, minTime(at.Add(replayRead), to))
			select {
			case batches <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		if err := r.play(ctx, b); err != nil {
			return err
		}
		if r.progress != nil {
			r.progress(b.to.Sub(from).Seconds() / to.Sub(from).Seconds())
		}
	}
	return ctx.Err()
}

func (r *replay) read(ctx context.Context, from, to time.Time) batch {
	b := batch{from: from, to: to}
	w := query.Window{From: from, To: to}
	if b.names, b.err = r.watch.o.DB.WatchNames(ctx, replayStep, w); b.err == nil {
		b.rows, b.err = r.watch.o.DB.WatchRows(ctx, replayStep, w)
	}
	if b.err == nil {
		b.beside, b.err = r.watch.readBeside(ctx, w, to.After(r.metrics))
	}
	if b.err == nil {
		b.costs, b.err = r.code.read(ctx, w)
	}
	if b.err != nil {
		b.err = fmt.Errorf("read history from %s: %w", from.Format(time.RFC3339), b.err)
	}
	return b
}

func (r *replay) play(ctx context.Context, b batch) error {
	for _, id := range sortedIDs(b.names) {
		r.engine.know(id, b.names[id])
	}
	r.code.put(b.costs)
	r.engine.unteach(r.real)
	r.beside.edges.unteach(r.real)
	rows := b.rows
	for at := b.from.Unix(); at < b.to.Unix(); at += 60 {
		n := 0
		for n < len(rows) && rows[n].At < at+60 {
			n++
		}
		alarms := r.engine.advance(at+60, rows[:n])
		rows = rows[n:]
		alarms = append(alarms, r.beside.take(at, &b.beside)...)
		if r.quiet {
			continue
		}
		more, err := r.code.take(ctx, at+60)
		if err != nil {
			return err
		}
		alarms = append(alarms, more...)
		if err := r.handle(ctx, time.Unix(at+60, 0).UTC(), alarms); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) handle(ctx context.Context, now time.Time, alarms []anomaly.Alarm) error {
	if len(alarms) == 0 && len(r.keeper.incidents) == 0 {
		return nil
	}
	g, err := r.watch.o.Explain.Graph(ctx, now)
	if err != nil {
		return err
	}
	for _, c := range r.keeper.take(now, alarms, g) {
		r.tell(c)
	}
	return nil
}

// sortedIDs gives an order that does not depend on the map.
func sortedIDs[T any](names map[uint64]T) []uint64 {
	ids := make([]uint64, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
