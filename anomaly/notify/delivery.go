package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// Status is how far a delivery has come.
type Status string

// The statuses of a delivery. One that is suppressed is told after all when what holds it back ends before the
// incident does.
const (
	StatusPending    Status = "pending"
	StatusDelivered  Status = "delivered"
	StatusFailed     Status = "failed"
	StatusSuppressed Status = "suppressed"
)

// Delivery is one message to one channel, from the decision to tell until the receiver has it. Its id is made of
// channel, incident and state, so that nothing is told twice, whatever restarts.
type Delivery struct {
	ID        string    `json:"id"`
	Channel   string    `json:"channel"`  // id
	Incident  string    `json:"incident"` // id; empty for a test
	State     State     `json:"state"`
	Status    Status    `json:"status"`
	Attempts  uint32    `json:"attempts"`
	Answer    string    `json:"answer"`   // what the receiver said last, or why nothing was sent
	NextTry   time.Time `json:"next_try"` // while pending
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Title     string    `json:"title"` // of the incident, as told

	body deliveryBody
}

// deliveryBody is what is needed to send a delivery after a restart, and to follow up on it.
type deliveryBody struct {
	Incident     anomaly.Incident `json:"incident"` // as it is told
	Reason       string           `json:"reason,omitempty"`
	At           time.Time        `json:"at"`
	Ref          string           `json:"ref,omitempty"` // how the receiver calls the message
	SkipResolved bool             `json:"skip_resolved,omitempty"`
	RepeatAfter  time.Duration    `json:"repeat_after,omitempty"`
}

const deliveryColumns = "id, channel, incident, state, status, attempts, answer, next_try, body, created_at, updated_at"

// newestDeliveries reads the newest row of each delivery that a condition selects by columns that never change.
const newestDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE %s
ORDER BY id, updated_at DESC
LIMIT 1 BY id`

// scan reads deliveries.
func scanDeliveries(rows driver.Rows) ([]*Delivery, error) {
	defer rows.Close()
	out := []*Delivery{}
	for rows.Next() {
		d, body := &Delivery{}, ""
		var state, status string
		if err := rows.Scan(&d.ID, &d.Channel, &d.Incident, &state, &status, &d.Attempts, &d.Answer, &d.NextTry, &body, &d.CreatedAt, &d.UpdatedAt); err != nil {
			return nil, err
		}
		d.State, d.Status = State(state), Status(status)
		d.NextTry, d.CreatedAt, d.UpdatedAt = d.NextTry.UTC(), d.CreatedAt.UTC(), d.UpdatedAt.UTC()
		if err := json.Unmarshal([]byte(body), &d.body); err != nil {
			return nil, fmt.Errorf("read the delivery %s: %w", d.ID, err)
		}
		d.Title = d.body.Incident.Title
		out = append(out, d)
	}
	return out, rows.Err()
}

// deliveriesOf reads what incidents' deliveries are.
func (n *Notifier) deliveriesOf(ctx context.Context, incidents []string) ([]*Delivery, error) {
	rows, err := n.o.Conn.Query(ctx, fmt.Sprintf(newestDeliveries, "has(?, incident)"), incidents)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return scanDeliveries(rows)
}

// unsent reads what was still to be sent.
func (n *Notifier) unsent(ctx context.Context) ([]*Delivery, error) {
	rows, err := n.o.Conn.Query(ctx, "SELECT * FROM ("+fmt.Sprintf(newestDeliveries, "created_at > ?")+") WHERE status = 'pending'", n.o.Now().Add(-2*giveUp))
	if err != nil {
		return nil, fmt.Errorf("read unsent deliveries: %w", err)
	}
	return scanDeliveries(rows)
}

// Deliveries are the newest messages, of one incident or of all.
func (n *Notifier) Deliveries(ctx context.Context, incident string, limit int) ([]Delivery, error) {
	where, args := "created_at > now() - INTERVAL 90 DAY", []any{}
	if incident != "" {
		where, args = "incident = ?", []any{incident}
	}
	rows, err := n.o.Conn.Query(ctx, "SELECT * FROM ("+fmt.Sprintf(newestDeliveries, where)+") ORDER BY created_at DESC, id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	list, err := scanDeliveries(rows)
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, len(list))
	for i, d := range list {
		out[i] = *d
	}
	return out, nil
}

// write stores deliveries as they are now, in one insert that is durable when it returns.
func (n *Notifier) write(ctx context.Context, list []*Delivery) error {
	if len(list) == 0 {
		return nil
	}
	b, err := n.o.Conn.PrepareBatch(ctx, "INSERT INTO deliveries ("+deliveryColumns+")")
	if err != nil {
		return fmt.Errorf("store deliveries: %w", err)
	}
	defer b.Abort() //nolint:errcheck // it has been sent, or there is another error
	for _, d := range list {
		body, err := json.Marshal(d.body)
		if err != nil {
			return fmt.Errorf("store the delivery %s: %w", d.ID, err)
		}
		if err := b.Append(d.ID, d.Channel, d.Incident, string(d.State), string(d.Status), d.Attempts, d.Answer, d.NextTry, string(body), d.CreatedAt, d.UpdatedAt); err != nil {
			return fmt.Errorf("store the delivery %s: %w", d.ID, err)
		}
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("store deliveries: %w", err)
	}
	return nil
}

// note writes what was told into the incident's timeline.
func (n *Notifier) note(ctx context.Context, list []*Delivery, channel string) error {
	var errs []error
	for _, d := range list {
		text := fmt.Sprintf("%s was told (%s)", channel, d.State)
		if d.Status == StatusFailed {
			text = fmt.Sprintf("%s could not be told (%s): %s", channel, d.State, d.Answer)
		}
		body, _ := json.Marshal(map[string]any{"channel": d.Channel, "state": d.State, "status": d.Status}) // strings
		errs = append(errs, n.o.Conn.Exec(ctx, "INSERT INTO incident_events (incident, ts, kind, text, body) VALUES (?, ?, 'notified', ?, ?)", d.Incident, d.UpdatedAt, text, string(body)))
	}
	return errors.Join(errs...)
}

// loadIncident reads an incident as it is stored.
func loadIncidents(ctx context.Context, conn driver.Conn, where string, args ...any) ([]anomaly.Incident, error) {
	rows, err := conn.Query(ctx, "SELECT argMax(body, updated_at) FROM incidents WHERE "+where+" GROUP BY id", args...)
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	defer rows.Close()
	var out []anomaly.Incident
	for rows.Next() {
		var body string
		var inc anomaly.Incident
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read incidents: %w", err)
		}
		if err := json.Unmarshal([]byte(body), &inc); err != nil {
			return nil, fmt.Errorf("read incidents: %w", err)
		}
		out = append(out, inc)
	}
	return out, rows.Err()
}
