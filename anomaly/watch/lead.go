package watch

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// teachEvery is how often what people taught through another process is looked for.
const teachEvery = 30 * time.Second

// leads says whether this process opens incidents, and takes over or steps back where that has changed.
func (w *Watch) leads(ctx context.Context, now time.Time) bool {
	holds, err := w.lease.hold(ctx)
	if err != nil && w.ctx.Err() == nil {
		w.o.Logger.Warn("who runs detection is not known", "error", err)
	}
	w.mu.Lock()
	had := w.leading
	w.mu.Unlock()
	switch {
	case holds && !had:
		return w.takeOver(ctx, now)
	case !holds && had:
		w.mu.Lock()
		w.leading, w.keeper, w.ruled, w.dismissed = false, keeper{}, map[string]anomaly.Alarm{}, dismissed{}
		w.mu.Unlock()
		w.o.Logger.Warn("another process runs detection now")
	}
	return holds
}

// takeOver takes up the incidents that are open, as a process before or beside this one has left them.
func (w *Watch) takeOver(ctx context.Context, now time.Time) bool {
	w.mu.Lock()
	w.taughtAt = time.Time{}
	w.mu.Unlock()
	w.refresh(ctx)
	incidents, err := w.recent(ctx)
	closed, err2 := w.read(ctx, `toUnixTimestamp64Milli(resolved_at) >= fromUnixTimestamp64Milli(?)`, millis(w.o.Now().Add(-adoptAfter*time.Second)))
	if err != nil || err2 != nil {
		w.o.Logger.Warn("open incidents are not read yet", "error", err)
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keeper = keeper{incidents: incidents}
	for _, inc := range closed {
		if inc.ByHand {
			w.dismissed.addEnded(inc)
		}
	}
	over := resume(now, incidents, w.each)
	for _, inc := range incidents {
		*w.keeper.about(inc.ID) = handling{told: true, explained: now, settled: true}
		for _, a := range inc.Alarms {
			if a.Subject.Rule != "" && a.Ended.IsZero() {
				w.ruled[a.ID] = a // a rule that does not speak of it any more ends it
			}
		}
	}
	w.leading = true
	w.o.Logger.Info("detection opens incidents", "open_incidents", len(w.keeper.open()))
	w.handle(now, w.known(over))
	return true
}

// addEnded dismisses what went on when an incident was closed by hand, as it is stored.
func (d dismissed) addEnded(inc anomaly.Incident) {
	for _, a := range inc.Alarms {
		if inc.ResolvedAt != nil && a.Ended.Equal(*inc.ResolvedAt) && a.Subject.Rule == "" {
			d[slotIn(a)] = a
		}
	}
}

// follow takes over what people closed through another process.
func (w *Watch) follow(ctx context.Context) {
	w.mu.Lock()
	var ids []string
	for _, inc := range w.keeper.open() {
		ids = append(ids, inc.ID)
	}
	w.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	stored, err := w.read(ctx, `has(?, id) AND toUnixTimestamp64Milli(resolved_at) > 0`, ids)
	if err != nil {
		w.o.Logger.Warn("what was closed elsewhere is not known", "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, inc := range stored {
		cur, ok := w.keeper.get(inc.ID)
		if !ok || cur.Status != "open" || !inc.ByHand || !inc.UpdatedAt.After(cur.UpdatedAt) {
			continue
		}
		w.dismiss(cur)
		w.keeper.put(inc)
	}
}

// refresh reads anew what people taught, which may have been through another process.
func (w *Watch) refresh(ctx context.Context) {
	w.mu.Lock()
	due, changes := time.Since(w.taughtAt) >= teachEvery, w.changes
	w.mu.Unlock()
	if !due {
		return
	}
	t, err := w.readTaught(ctx)
	if err != nil {
		w.o.Logger.Warn("what was taught is not read", "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taughtAt = time.Now(); w.changes == changes {
		w.taught = t
	}
	if w.engine != nil {
		w.engine.unteach(t.real)
		w.beside.edges.unteach(t.real)
	}
}

// recall has what goes on of an incident told again, though somebody had closed it. Called with mu held.
func (w *Watch) recall(inc anomaly.Incident) {
	for _, a := range inc.Alarms {
		delete(w.dismissed, slotIn(a))
	}
	if w.engine == nil {
		return
	}
	about := map[slot]bool{}
	for _, a := range inc.Alarms {
		about[slotIn(a)] = true
	}
	w.each(func(o *open) {
		if about[slotIn(*o.alarm)] {
			w.again[o.alarm.ID] = true
		}
	})
}
