package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Event is what people or the product did about an incident.
type Event struct {
	TS   time.Time       `json:"ts"`
	Kind string          `json:"kind"` // opened, updated, resolved, merged, note, acknowledged, normal, not_normal, muted
	Text string          `json:"text"`
	Body json.RawMessage `json:"body"`
}

// save writes an incident; the newest row of an id counts.
func (w *Watch) save(ctx context.Context, inc anomaly.Incident) error {
	body, err := json.Marshal(inc)
	if err != nil {
		return fmt.Errorf("write incident %s: %w", inc.ID, err)
	}
	resolved := time.Unix(0, 0).UTC()
	if inc.ResolvedAt != nil {
		resolved = *inc.ResolvedAt
	}
	err = w.o.Conn.Exec(ctx, `INSERT INTO incidents (id, started_at, detected_at, resolved_at, severity, services, title, body, updated_at) VALUES (?, fromUnixTimestamp64Milli(?), fromUnixTimestamp64Milli(?), fromUnixTimestamp64Milli(?), ?, ?, ?, ?, fromUnixTimestamp64Milli(?))`,
		inc.ID, millis(inc.StartedAt), millis(inc.DetectedAt), millis(resolved), string(inc.Severity), inc.Services, inc.Title, string(body), w.stamp())
	if err != nil {
		return fmt.Errorf("store incident %s: %w", inc.ID, err)
	}
	return nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

// stamp is the time of a row, never that of another one: of two rows of one millisecond, which is newer is not known.
func (w *Watch) stamp() int64 {
	for {
		last := w.stamped.Load()
		now := max(millis(w.o.Now()), last+1)
		if w.stamped.CompareAndSwap(last, now) {
			return now
		}
	}
}

// note writes an event.
func (w *Watch) note(ctx context.Context, id, kind, text string, body any) error {
	b := []byte("null")
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write an event of %s: %w", id, err)
		}
	}
	if err := w.o.Conn.Exec(ctx, `INSERT INTO incident_events (incident, ts, kind, text, body) VALUES (?, fromUnixTimestamp64Milli(?), ?, ?, ?)`, id, millis(w.o.Now()), kind, text, string(b)); err != nil {
		return fmt.Errorf("store an event of %s: %w", id, err)
	}
	return nil
}

// Filter says which incidents are meant.
type Filter struct {
	query.Window
	Status   string // open, resolved; empty: both
	Service  string
	Severity string
	Limit    int
	Before   string // id of the last one of the page before
}

// List lists incidents that went on in a window, the newest first.
func (w *Watch) List(ctx context.Context, f Filter) ([]anomaly.Incident, error) {
	all, err := w.read(ctx, `started_at < fromUnixTimestamp64Milli(?) AND (toUnixTimestamp64Milli(resolved_at) = 0 OR resolved_at >= fromUnixTimestamp64Milli(?))`, millis(f.To), millis(f.From))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b anomaly.Incident) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	out := []anomaly.Incident{}
	skip := f.Before != ""
	for _, inc := range all {
		if skip {
			skip = inc.ID != f.Before
			continue
		}
		if f.Status != "" && inc.Status != f.Status || f.Severity != "" && string(inc.Severity) != f.Severity || f.Service != "" && !slices.Contains(inc.Services, f.Service) {
			continue
		}
		out = append(out, inc)
		if f.Limit > 0 && len(out) > f.Limit {
			break
		}
	}
	return out, nil
}

// Get is one incident; query.ErrNotFound if there is none.
func (w *Watch) Get(ctx context.Context, id string) (anomaly.Incident, error) {
	list, err := w.read(ctx, `id = ?`, id)
	if err != nil {
		return anomaly.Incident{}, err
	}
	if len(list) == 0 {
		return anomaly.Incident{}, fmt.Errorf("incident %s: %w", id, query.ErrNotFound)
	}
	return list[0], nil
}

// recent reads the incidents that are open, or may come back.
func (w *Watch) recent(ctx context.Context) ([]anomaly.Incident, error) {
	return w.read(ctx, `toUnixTimestamp64Milli(resolved_at) = 0 OR resolved_at >= fromUnixTimestamp64Milli(?)`, millis(w.o.Now().Add(-comeBack)))
}

// read finds incidents by a condition on their newest rows.
func (w *Watch) read(ctx context.Context, cond string, args ...any) ([]anomaly.Incident, error) {
	rows, err := w.o.Conn.Query(ctx, `SELECT body FROM (SELECT * FROM incidents ORDER BY updated_at DESC LIMIT 1 BY id) WHERE `+cond+` LIMIT 10000`, args...)
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	defer rows.Close()
	var out []anomaly.Incident
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read incidents: %w", err)
		}
		var inc anomaly.Incident
		if err := json.Unmarshal([]byte(body), &inc); err != nil {
			return nil, fmt.Errorf("read incidents: %w", err)
		}
		out = append(out, inc)
	}
	return out, rows.Err()
}

// Events lists what was done about an incident, the oldest first.
func (w *Watch) Events(ctx context.Context, id string) ([]Event, error) {
	rows, err := w.o.Conn.Query(ctx, `SELECT ts, kind, text, body FROM incident_events WHERE incident = ? ORDER BY ts LIMIT 1000`, id)
	if err != nil {
		return nil, fmt.Errorf("read events of %s: %w", id, err)
	}
	defer rows.Close()
	out := []Event{}
	for rows.Next() {
		var e Event
		var body string
		if err := rows.Scan(&e.TS, &e.Kind, &e.Text, &body); err != nil {
			return nil, fmt.Errorf("read events of %s: %w", id, err)
		}
		if e.Body = json.RawMessage(body); !json.Valid(e.Body) {
			e.Body = json.RawMessage("null")
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
