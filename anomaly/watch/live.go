package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// run learns what is stored and then judges every ten seconds.
func (w *Watch) run() {
	for !w.learnHistory() {
		if !w.pause(10 * time.Second) {
			return
		}
	}
	w.leads(w.ctx, w.o.Now().Add(-lag).Truncate(tick))
	for {
		now := w.o.Now()
		next := now.Add(-lag).Truncate(tick).Add(tick + lag)
		if !w.pause(next.Sub(now)) {
			return
		}
		w.round(w.o.Now().Add(-lag).Truncate(tick))
	}
}

func (w *Watch) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-w.ctx.Done():
		return false
	}
}

// mostHistory bounds how many rows of history a start reads.
const mostHistory = 20_000_000

// learnHistory moves a new engine through what is stored, as if it had been watching. It reports false if that was not
// possible.
func (w *Watch) learnHistory() bool {
	e, b, p, err := w.learn()
	if err != nil {
		if w.ctx.Err() == nil {
			w.counts.failures.Inc()
			w.o.Logger.Warn("history is not learned yet", "error", err)
		}
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(e, b, p)
	w.o.Logger.Info("detection has learned what is stored", "series", len(e.series), "calls", len(b.edges.series), "metrics", len(b.meters.series), "seconds", p.took.Seconds())
	return true
}

// learn moves a new engine through what is stored, and then through what came meanwhile.
func (w *Watch) learn() (*engine, *beside, past, error) {
	began := w.o.Now()
	w.mu.Lock()
	settings := w.taught.settings
	w.mu.Unlock()
	e := newEngine(replayStep, settings)
	b := newBeside(e, settings)
	p := past{to: began.Add(-lag).Truncate(time.Minute)}
	var err error
	if p.rows, err = w.pastRows(w.ctx, p.to); err != nil {
		return nil, nil, p, err
	}
	if err := w.learnFrom(e, b, p.to); err != nil {
		return nil, nil, p, err
	}
	for to := w.o.Now().Add(-lag).Truncate(time.Minute); to.Sub(p.to) > catchUp; to = w.o.Now().Add(-lag).Truncate(time.Minute) {
		r := &replay{watch: w, engine: e, beside: b, quiet: true}
		b.since(to)
		if err := r.run(query.Batch(w.ctx), p.to, to); err != nil {
			return nil, nil, p, err
		}
		p.to = to
	}
	p.took = w.o.Now().Sub(began)
	return e, b, p, nil
}

// catchUp is how much of the newest time learning may leave to the first round, which reads that much again.
const catchUp = 2 * time.Minute

// take puts an engine that has learned in place. Called with mu held.
func (w *Watch) take(e *engine, b *beside, p past) {
	e.step = int64(tick / time.Second)
	w.engine, w.beside, w.past, w.learned = e, b, p, w.o.Now()
}

// learnFrom replays the stored minutes before a moment, as many days as may be read.
func (w *Watch) learnFrom(e *engine, b *beside, to time.Time) error {
	ctx := query.Batch(w.ctx)
	first, last, err := w.o.DB.WatchBounds(ctx, replayStep, to.Add(-memory))
	if err != nil || last.IsZero() {
		return err
	}
	perDay, err := w.o.DB.WatchCount(ctx, replayStep, query.Window{From: last.Add(-24 * time.Hour), To: last})
	if err != nil {
		return err
	}
	if days := float64(mostHistory) / float64(max(perDay, 1)); days < memory.Hours()/24 {
		if at := last.Add(-time.Duration(days * 24 * float64(time.Hour))); at.After(first) {
			first = at
		}
	}
	r := &replay{watch: w, engine: e, beside: b, quiet: true}
	b.since(to)
	return r.run(ctx, first.Truncate(replayStep), to)
}

// resume joins the alarms that were found over history, as each gives them, with those of the incidents that were kept, and gives
// those that it no longer finds: they have ended.
func resume(now time.Time, incidents []anomaly.Incident, each ...func(func(*open))) (over []anomaly.Alarm) {
	known := map[slot]*anomaly.Alarm{}
	for i := range incidents {
		for j := range incidents[i].Alarms {
			if a := &incidents[i].Alarms[j]; a.Ended.IsZero() && a.Subject.Rule == "" && a.Code == nil {
				known[slotIn(*a)] = a
			}
		}
	}
	join := func(o *open) {
		k := slotIn(*o.alarm)
		if a := known[k]; a != nil {
			c := *a
			o.alarm = &c
			delete(known, k)
		}
	}
	for _, f := range each {
		f(join)
	}
	for _, a := range known {
		c := *a
		c.Ended = now.UTC()
		over = append(over, c)
	}
	return over
}

// each calls f for every channel that is in alarm.
func (e *engine) each(f func(*open)) {
	visit := func(list []open) {
		for i := range list {
			if list[i].alarm != nil {
				f(&list[i])
			}
		}
	}
	for _, s := range e.series {
		visit(s.watch[:])
		for _, p := range s.parts {
			visit(p.watch[:])
		}
	}
}

// known gives the alarms that incidents are to take in: those that changed and those that no incident has yet, such as
// one that was muted until now; not those that are muted or normal, and nothing of what ended without having been told.
// Called with mu held.
func (w *Watch) known(changed []anomaly.Alarm) []anomaly.Alarm {
	told := map[string]bool{}
	for _, inc := range w.keeper.incidents {
		for _, a := range inc.Alarms {
			told[a.ID] = true
		}
	}
	var out []anomaly.Alarm
	seen := map[string]bool{}
	for _, a := range changed {
		if w.dismissed.silent(a) {
			continue
		}
		if told[a.ID] || a.Ended.IsZero() && !w.taught.silent(a) {
			out = append(out, a)
			seen[a.ID] = true
		}
	}
	w.each(func(o *open) {
		if a := *o.alarm; !o.usual && !seen[a.ID] && (!told[a.ID] || w.again[a.ID]) && !w.taught.silent(a) && !w.dismissed.silent(a) {
			out = append(out, a)
		}
	})
	clear(w.again)
	w.dismissed.keep(w.each)
	return out
}

// each calls f for every series that is in alarm, of whatever kind. Called with mu held.
func (w *Watch) each(f func(*open)) {
	w.engine.each(f)
	w.beside.each(f)
}

// round judges the steps before a moment.
func (w *Watch) round(now time.Time) {
	began := time.Now()
	w.counts.ticks.Inc()
	ctx, cancel := context.WithTimeout(w.ctx, tick)
	defer cancel()
	alarms, err := w.judge(ctx, now)
	if err != nil {
		if w.ctx.Err() == nil {
			w.counts.failures.Inc()
			w.o.Logger.Warn("a round of detection failed", "error", err)
		}
		return
	}
	for _, judge := range []func(context.Context, time.Time) ([]anomaly.Alarm, error){w.judgeCalls, w.judgeMetrics, w.judgeLife} {
		more, err := judge(ctx, now.Add(lag))
		if err != nil && w.ctx.Err() == nil {
			w.counts.failures.Inc()
			w.o.Logger.Warn("a part of a round of detection failed", "error", err)
		}
		alarms = append(alarms, more...)
	}
	w.refresh(ctx)
	if !w.leads(ctx, now) {
		return
	}
	ruled := w.rules(ctx, now)
	w.follow(ctx)
	w.mu.Lock()
	w.handle(now, append(w.known(alarms), ruled...))
	w.mu.Unlock()
	w.counts.took.Observe(time.Since(began).Seconds())
}

// judge reads the newest steps and moves the engine.
func (w *Watch) judge(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	w.mu.Lock()
	steps := w.engine.reread(now.Unix())
	w.mu.Unlock()
	window := query.Window{From: now.Add(-time.Duration(steps) * tick), To: now}
	rows, err := w.o.DB.WatchNewest(ctx, tick, window)
	if err != nil {
		return nil, fmt.Errorf("read the newest steps: %w", err)
	}
	w.mu.Lock()
	unknown := false
	for i := range rows {
		if _, ok := w.engine.rows[rows[i].Series]; !ok {
			unknown = true
			break
		}
	}
	w.mu.Unlock()
	var names map[uint64]query.WatchSeries
	if unknown {
		if names, err = w.o.DB.WatchNames(ctx, tick, window); err != nil {
			return nil, fmt.Errorf("name the newest series: %w", err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range sortedIDs(names) {
		w.engine.know(id, names[id])
	}
	w.engine.settings = w.taught.settings
	return w.engine.advance(now.Unix(), rows), nil
}

// rules asks for the alarms of rules and objectives, and tells those that are other than before.
func (w *Watch) rules(ctx context.Context, now time.Time) []anomaly.Alarm {
	if w.o.Rules == nil {
		return nil
	}
	alarms, err := w.o.Rules(ctx, now)
	if err != nil {
		w.counts.failures.Inc()
		w.o.Logger.Warn("some rules are not evaluated", "error", err) // the others' alarms stand
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []anomaly.Alarm
	seen := map[string]bool{}
	for _, a := range alarms {
		seen[a.ID] = true
		if was, ok := w.ruled[a.ID]; !ok || !was.Ended.Equal(a.Ended) || a.Score > 1.3*was.Score {
			out = append(out, a)
			w.ruled[a.ID] = a
		}
	}
	for id, a := range w.ruled {
		if seen[id] {
			continue
		}
		delete(w.ruled, id)
		if a.Ended.IsZero() { // the rule does not speak of it any more
			a.Ended = now.UTC()
			out = append(out, a)
		}
	}
	return out
}

// handle lets alarms change incidents, and has each change stored, explained and told. Called with mu held.
func (w *Watch) handle(now time.Time, alarms []anomaly.Alarm) {
	if len(alarms) == 0 && len(w.keeper.incidents) == 0 {
		return
	}
	g, err := w.o.Explain.Graph(w.ctx, now)
	if err != nil {
		w.o.Logger.Warn("who calls whom is not known", "error", err)
	}
	for _, c := range w.keeper.take(now, alarms, g) {
		w.change(c, now)
	}
	w.explainAgain(now)
}
