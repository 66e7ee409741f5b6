package watch

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

const (
	lookBackEvery = 20 * time.Second
	lateGrowth    = 0.05 // share of what is stored of the past that has to have come since it was learned
	lateLeast     = 200  // rows of a minute and series, at least
	lateRest      = 20   // times as long as learning takes, between two times of it
)

// past is what was stored of the past when it was learned.
type past struct {
	to   time.Time
	rows uint64
	took time.Duration
}

// looking is what was seen when the past was looked at last.
type looking struct {
	rows  uint64
	until time.Time // before which nothing is learned again
}

// lookBack learns anew when history came after it had been learned: of a sender that was cut off, or of somebody who
// brings the past along.
func (w *Watch) lookBack() {
	var l looking
	for w.pause(lookBackEvery) {
		w.look(&l)
	}
}

// look learns history that came late once no more of it comes, and says whether it has.
func (w *Watch) look(l *looking) bool {
	w.mu.Lock()
	p := w.past
	w.mu.Unlock()
	if p.to.IsZero() {
		return false
	}
	n, err := w.pastRows(w.ctx, p.to)
	if err != nil {
		return false // the rounds say that the store cannot be read
	}
	grows := float64(n) > 1.01*float64(l.rows)
	l.rows = n
	if grows || n < p.rows+lateLeast || float64(n) < (1+lateGrowth)*float64(p.rows) || w.o.Now().Before(l.until) || !w.learnLate() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	*l = looking{until: w.o.Now().Add(lateRest * w.past.took)}
	return true
}

// pastRows counts what is stored of the time before a moment.
func (w *Watch) pastRows(ctx context.Context, to time.Time) (uint64, error) {
	return w.o.DB.WatchCount(query.Batch(ctx), replayStep, query.Window{From: to.Add(-memory), To: to})
}

// learnLate puts an engine that has learned all there is in place of the one that judges; that goes on meanwhile. What
// goes on in the incidents that are open stays theirs.
func (w *Watch) learnLate() bool {
	began := w.o.Now()
	e, b, p, err := w.learn()
	if err != nil {
		if w.ctx.Err() == nil {
			w.counts.failures.Inc()
			w.o.Logger.Warn("late history is not learned", "error", err)
		}
		return false
	}
	now := w.o.Now().Add(-lag).Truncate(tick)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(e, b, p)
	if w.leading {
		w.handle(now, w.known(resume(now, w.keeper.incidents, w.each)))
	}
	w.o.Logger.Info("detection has learned history that came late", "series", len(e.series), "rows", p.rows, "seconds", w.o.Now().Sub(began).Seconds())
	return true
}
