package watch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// Learned is what somebody said is normal: alarms of an incident that are silent as long as they say no worse.
type Learned struct {
	Incident string          `json:"incident"` // id
	Alarms   []anomaly.Alarm `json:"alarms"`
	At       time.Time       `json:"at"`
}

// Learned lists what was said to be normal, the newest first.
func (w *Watch) Learned() []Learned {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Learned{}
	for id, n := range w.taught.normal {
		l := Learned{Incident: id, Alarms: slices.Clone(n.Alarms), At: n.At}
		if l.Alarms == nil {
			l.Alarms = []anomaly.Alarm{}
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Learned) int { return b.At.Compare(a.At) })
	return out
}

// NotNormal takes back what Normal has taught, also of an incident that is older than what is kept.
func (w *Watch) NotNormal(ctx context.Context, id string) (anomaly.Incident, error) {
	inc, err := w.current(ctx, id)
	gone := errors.Is(err, query.ErrNotFound) && w.isNormal(id)
	if err != nil && !gone {
		return inc, err
	}
	if err := store.DeleteSetting(ctx, w.o.Conn, normalPrefix+id); err != nil {
		return inc, err
	}
	w.mu.Lock()
	delete(w.taught.normal, id)
	w.changes++
	if !gone {
		w.recall(inc)
	}
	w.mu.Unlock()
	if gone {
		return anomaly.Incident{ID: id, Status: "resolved"}, nil
	}
	return inc, w.note(ctx, id, "not_normal", "This is not normal after all", nil)
}

func (w *Watch) isNormal(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.taught.normal[id]
	return ok
}

// covers says whether an alarm is about what is muted, whenever that is.
func (m *Mute) covers(a anomaly.Alarm) bool {
	s := m.Subject
	return s.Service == a.Subject.Service && (s.Operation == "" || s.Operation == a.Subject.Operation) &&
		(s.Symptom == "" || s.Symptom == a.Symptom || s.Symptom == anomaly.SymptomCode && a.Code != nil)
}

// over says whether a mute has ended.
func (m *Mute) over(now time.Time) bool { return m.Until != nil && !now.Before(*m.Until) }

// tellOfMute writes into the timelines of open incidents that something of theirs was muted, or is not any more.
func (w *Watch) tellOfMute(ctx context.Context, m Mute, kind, text string) {
	w.mu.Lock()
	open := w.keeper.open()
	w.mu.Unlock()
	if m.Reason != "" {
		text += ": " + m.Reason
	}
	for _, inc := range open {
		if !slices.ContainsFunc(inc.Alarms, m.covers) {
			continue
		}
		if err := w.note(ctx, inc.ID, kind, text, m); err != nil { // it is muted all the same
			w.o.Logger.Warn("an incident's timeline lacks a mute", "incident", inc.ID, "error", err)
		}
	}
}

// name is what is muted in words.
func (s MuteSubject) name() string {
	text := s.Service
	if s.Operation != "" {
		text += " " + s.Operation
	}
	if s.Symptom != "" {
		text += ", " + string(s.Symptom)
	}
	return text
}
