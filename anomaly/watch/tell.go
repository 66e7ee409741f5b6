package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

const (
	explainEvery = 30 * time.Second // at most, while an incident changes
	explainTime  = 12 * time.Second // that one explanation may take
	tellAfter    = 4 * time.Second  // a new incident is told without its explanation, which follows
	storeTime    = 10 * time.Second
)

// change stores and tells one change of an incident: explained first where that takes seconds only. Called with mu
// held.
func (w *Watch) change(c change, now time.Time) {
	k := w.keeper.about(c.incident.ID)
	for _, id := range c.merged {
		if old := w.keeper.forget(id); old != nil && old.told {
			k.told = true
		}
		w.mergeStored(id, c.incident)
	}
	if c.kind == Opened && k.told {
		c.kind = Updated
	}
	k.told = true
	if c.kind == Updated && now.Sub(k.explained) < explainEvery && len(c.incident.Summary) > 0 {
		w.store(c.incident, c.kind, "")
		w.publish(c.incident, c.kind)
		return
	}
	w.explain(c.incident, c.kind, now)
}

// explainAgain looks once more at incidents that were detected some minutes ago, with more to go by.
func (w *Watch) explainAgain(now time.Time) {
	for _, inc := range w.keeper.open() {
		k := w.keeper.about(inc.ID)
		if !k.settled && now.Sub(inc.DetectedAt) >= settleExplanation {
			k.settled = true
			w.explain(inc, Updated, now)
		}
	}
}

// explain finds causes in the background; what comes of it is put into the incident as it is by then. Called with mu
// held.
func (w *Watch) explain(inc anomaly.Incident, kind Change, now time.Time) {
	k := w.keeper.about(inc.ID)
	if k.busy {
		k.again = kind
		return
	}
	k.explained, k.busy = now, true
	w.explaining.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, explainTime)
		defer cancel()
		early := time.AfterFunc(tellAfter, func() { w.tellEarly(inc.ID, kind) })
		defer early.Stop()
		g, err := w.o.Explain.Graph(ctx, now)
		out := inc
		if err == nil {
			out, err = w.o.Explain.Explain(ctx, inc, g, now)
		}
		if err != nil && w.ctx.Err() == nil {
			w.o.Logger.Warn("an incident is not explained", "incident", inc.ID, "error", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		k.busy = false
		cur, ok := w.keeper.get(inc.ID)
		if !ok {
			if kind == Resolved {
				cur = out
			} else {
				return // it has joined another one meanwhile
			}
		}
		cur = withExplanation(cur, out)
		w.keeper.put(cur)
		if kind == Opened && k.early {
			kind = Updated
		}
		again := k.again
		k.again = ""
		if cur.Status == "resolved" && kind != Resolved { // over meanwhile: told by whoever closed it, or now
			w.store(cur, Updated, "")
			if again == Resolved {
				w.explain(cur, again, w.o.Now())
			}
			return
		}
		w.store(cur, kind, "")
		w.publish(cur, kind)
		if again != "" {
			w.explain(cur, again, w.o.Now())
		}
	})
}

// tellEarly tells of a new incident while its explanation takes long.
func (w *Watch) tellEarly(id string, kind Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cur, ok := w.keeper.get(id)
	k := w.keeper.about(id)
	if kind != Opened || !ok || !k.busy || k.early {
		return
	}
	k.early = true
	w.store(cur, Opened, "")
	w.publish(cur, Opened)
}

// withExplanation gives an incident what another look at it has found.
func withExplanation(cur, found anomaly.Incident) anomaly.Incident {
	cur.Title, cur.Severity, cur.Summary = found.Title, found.Severity, found.Summary
	cur.RootCauses, cur.Affected, cur.Requests = found.RootCauses, found.Affected, found.Requests
	if len(found.Services) > 0 {
		cur.Services = found.Services
	}
	return cur
}

func (w *Watch) publish(inc anomaly.Incident, kind Change) {
	if w.o.Publish != nil {
		w.o.Publish(inc, kind)
	}
	if w.o.Changed != nil {
		w.o.Changed()
	}
}

// store writes an incident as it is, and what became of it.
func (w *Watch) store(inc anomaly.Incident, kind Change, text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), storeTime)
	defer cancel()
	err := w.save(ctx, inc)
	if text == "" {
		text = inc.Title
	}
	if err == nil && (kind != Updated || w.keeper.about(inc.ID).news(inc)) {
		err = w.note(ctx, inc.ID, string(kind), text, map[string]any{"severity": inc.Severity, "services": inc.Services})
	}
	if err != nil {
		w.o.Logger.Error("an incident is not stored", "incident", inc.ID, "error", err)
	}
}

// mergeStored marks an incident that has joined another one.
func (w *Watch) mergeStored(id string, into anomaly.Incident) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), storeTime)
	defer cancel()
	old, err := w.Get(ctx, id)
	if err != nil {
		return
	}
	now := w.o.Now().UTC()
	old.Status, old.ResolvedAt, old.UpdatedAt = "resolved", &now, now
	old.Title = fmt.Sprintf("Part of: %s", into.Title)
	if err := w.save(ctx, old); err == nil {
		err = w.note(ctx, id, "merged", "Part of "+into.ID, map[string]string{"into": into.ID})
	} else {
		w.o.Logger.Error("a joined incident is not stored", "incident", id, "error", err)
	}
	if w.o.Publish != nil {
		w.o.Publish(old, Resolved)
	}
}
