package watch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// Mute keeps alarms of a subject from becoming incidents.
type Mute struct {
	ID        string      `json:"id"`
	Subject   MuteSubject `json:"subject"`
	Until     *time.Time  `json:"until"` // nil: until it is lifted
	Reason    string      `json:"reason"`
	CreatedAt time.Time   `json:"created_at"`
}

// MuteSubject is what is muted; empty fields mean all.
type MuteSubject struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation,omitempty"`
	Symptom   anomaly.Symptom `json:"symptom,omitempty"`
}

// accepted is what somebody said is normal: alarms that are no worse are none.
type accepted struct {
	Alarms []anomaly.Alarm `json:"alarms"`
	At     time.Time       `json:"at"`
}

// taught is what people have told detection.
type taught struct {
	settings Settings
	mutes    map[string]Mute
	normal   map[string]accepted // by incident
	real     map[slot][]interval // what somebody acknowledged: it is no habit
	now      func() time.Time
}

// The keys of what was taught, in table settings.
const (
	sensitivityKey = "sensitivity"
	mutePrefix     = "mute/"
	normalPrefix   = "normal/"
)

// worse is how much more than what was said to be normal is an alarm again.
const worse = 1.25

func (w *Watch) loadTaught(ctx context.Context) error {
	t, err := w.readTaught(ctx)
	if err == nil {
		w.taught = t
	}
	return err
}

func (w *Watch) readTaught(ctx context.Context) (taught, error) {
	t := taught{settings: Settings{Default: DefaultBudget, Overrides: []Override{}}, mutes: map[string]Mute{}, normal: map[string]accepted{}, now: w.o.Now}
	text, ok, err := store.Setting(ctx, w.o.Conn, sensitivityKey)
	if err != nil {
		return t, err
	}
	if ok {
		if err := json.Unmarshal([]byte(text), &t.settings); err != nil {
			w.o.Logger.Warn("the sensitivity is not readable: the default is used", "error", err)
		}
	}
	for prefix, read := range map[string]func(id, text string) error{
		mutePrefix: func(id, text string) error {
			var m Mute
			err := json.Unmarshal([]byte(text), &m)
			t.mutes[id] = m
			return err
		},
		normalPrefix: func(id, text string) error {
			var a accepted
			err := json.Unmarshal([]byte(text), &a)
			t.normal[id] = a
			return err
		},
	} {
		all, err := store.Settings(ctx, w.o.Conn, prefix)
		if err != nil {
			return t, err
		}
		for key, text := range all {
			if err := read(strings.TrimPrefix(key, prefix), text); err != nil {
				w.o.Logger.Warn("a setting is not readable", "key", key, "error", err)
			}
		}
	}
	t.real, err = w.acknowledged(ctx)
	return t, err
}

// silent says whether an alarm was muted, or what it says said to be normal.
func (t *taught) silent(a anomaly.Alarm) bool {
	for _, m := range t.mutes {
		if !m.over(t.now()) && m.covers(a) {
			return true
		}
	}
	for _, n := range t.normal {
		for _, b := range n.Alarms {
			if slotIn(a) == slotIn(b) && noWorse(a, b) {
				return true
			}
		}
	}
	return false
}

// noWorse says whether an alarm says no worse than what was said to be normal.
func noWorse(a, normal anomaly.Alarm) bool {
	if normal.Observed < normal.Expected { // fewer requests, or cache hits
		return a.Observed*worse >= normal.Observed
	}
	if normal.Symptom == anomaly.SymptomErrors && normal.Observed >= mostFail {
		return true
	}
	return a.Observed <= normal.Observed*worse
}

// mostFail is a share of failing requests beyond which it does not get worse: whoever accepted it knows.
const mostFail = 0.5

// Sensitivity is how sensitive detection is.
func (w *Watch) Sensitivity() Settings {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.taught.settings
	s.Overrides = append([]Override{}, s.Overrides...)
	return s
}

// SetSensitivity changes how sensitive detection is, from the next round on.
func (w *Watch) SetSensitivity(ctx context.Context, s Settings) (Settings, error) {
	if err := s.Check(); err != nil {
		return s, &query.InputError{Field: "sensitivity", Reason: err.Error()}
	}
	if s.Overrides == nil {
		s.Overrides = []Override{}
	}
	if err := w.write(ctx, sensitivityKey, s); err != nil {
		return s, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taught.settings = s
	w.changes++
	return s, nil
}

func (w *Watch) write(ctx context.Context, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return store.SetSetting(ctx, w.o.Conn, key, string(b))
}

// Mutes lists the mutes, also those that are over since less than a day.
func (w *Watch) Mutes() []Mute {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Mute{}
	for _, m := range w.taught.mutes {
		if m.Until == nil || w.o.Now().Sub(*m.Until) < 24*time.Hour {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Mute) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out
}

// Mute adds a mute. What is open and muted by it is resolved when its alarms end.
func (w *Watch) Mute(ctx context.Context, m Mute) (Mute, error) {
	if m.Subject.Service == "" {
		return m, &query.InputError{Field: "subject.service", Reason: "is missing"}
	}
	if m.Until != nil && !m.Until.After(w.o.Now()) {
		return m, &query.InputError{Field: "until", Reason: "lies in the past"}
	}
	if len(m.Reason) > 2000 {
		return m, &query.InputError{Field: "reason", Reason: "is longer than 2000 bytes"}
	}
	m.ID, m.CreatedAt = strings.ToLower(rand.Text()[:12]), w.o.Now().UTC()
	if err := w.write(ctx, mutePrefix+m.ID, m); err != nil {
		return m, err
	}
	w.mu.Lock()
	w.taught.mutes[m.ID] = m
	w.changes++
	w.mu.Unlock()
	w.tellOfMute(ctx, m, "muted", "Muted: "+m.Subject.name())
	return m, nil
}

// Unmute lifts a mute.
func (w *Watch) Unmute(ctx context.Context, id string) error {
	w.mu.Lock()
	m, ok := w.taught.mutes[id]
	w.mu.Unlock()
	if !ok {
		return fmt.Errorf("mute %s: %w", id, query.ErrNotFound)
	}
	if err := store.DeleteSetting(ctx, w.o.Conn, mutePrefix+id); err != nil {
		return err
	}
	w.mu.Lock()
	delete(w.taught.mutes, id)
	w.changes++
	w.mu.Unlock()
	m.Reason = "" // it was said when it was muted
	w.tellOfMute(ctx, m, "unmuted", "No longer muted: "+m.Subject.name())
	return nil
}

// Normal takes what an incident is about as normal: it is resolved, and alarms that say no worse do not come again.
func (w *Watch) Normal(ctx context.Context, id string) (anomaly.Incident, error) {
	inc, err := w.current(ctx, id)
	if err != nil {
		return inc, err
	}
	a := accepted{At: w.o.Now().UTC()}
	for _, x := range inc.Alarms {
		if x.Subject.Rule == "" {
			a.Alarms = append(a.Alarms, x)
		}
	}
	if err := w.write(ctx, normalPrefix+id, a); err != nil {
		return inc, err
	}
	w.mu.Lock()
	w.taught.normal[id] = a
	w.changes++
	w.mu.Unlock()
	if err := w.note(ctx, id, "normal", "This is normal", nil); err != nil {
		return inc, err
	}
	return w.Resolve(ctx, id)
}

// current is an incident as it is now: from memory while it is kept there.
func (w *Watch) current(ctx context.Context, id string) (anomaly.Incident, error) {
	w.mu.Lock()
	inc, ok := w.keeper.get(id)
	w.mu.Unlock()
	if ok {
		return inc, nil
	}
	return w.Get(ctx, id)
}

// Resolve closes an incident by hand. Its alarms are over as far as it is concerned; if they go on they are told again
// only when they get worse.
func (w *Watch) Resolve(ctx context.Context, id string) (anomaly.Incident, error) {
	inc, done, err := w.close(ctx, id)
	if err != nil || !done {
		return inc, err
	}
	return inc, w.note(ctx, id, string(Resolved), "Resolved by hand", nil)
}

// close closes an open incident in one step: what detection writes about it meanwhile waits.
func (w *Watch) close(ctx context.Context, id string) (inc anomaly.Incident, done bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	inc, ok := w.keeper.get(id)
	if !ok {
		inc, err = w.Get(ctx, id)
	}
	if err != nil || inc.Status != "open" {
		return inc, false, err
	}
	now := w.o.Now().UTC()
	w.dismiss(inc)
	inc.Alarms = ended(inc.Alarms, now)
	inc.Status, inc.ResolvedAt, inc.UpdatedAt, inc.ByHand = "resolved", &now, now, true
	if err := w.save(ctx, inc); err != nil {
		return inc, false, err
	}
	w.keeper.put(inc)
	w.publish(inc, Resolved)
	return inc, true, nil
}

// Note writes what somebody has to say about an incident.
func (w *Watch) Note(ctx context.Context, id, text string) error {
	if text = strings.TrimSpace(text); text == "" || len(text) > 10_000 {
		return &query.InputError{Field: "text", Reason: "is empty, or longer than 10,000 bytes"}
	}
	if _, err := w.current(ctx, id); err != nil {
		return err
	}
	return w.note(ctx, id, "note", text, nil)
}

// Acknowledge says that somebody looks after an incident.
func (w *Watch) Acknowledge(ctx context.Context, id string) error {
	if _, err := w.current(ctx, id); err != nil {
		return err
	}
	if err := w.note(ctx, id, "acknowledged", "Acknowledged", nil); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taughtAt = time.Time{} // read anew at the next round
	return nil
}
