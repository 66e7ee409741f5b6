package notify

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// exampleIncident is about nothing that happened: for trying a channel or a template.
func exampleIncident(now time.Time) anomaly.Incident {
	version := "1.4.2"
	began := now.Add(-12 * time.Minute)
	return anomaly.Incident{
		Severity: anomaly.SeverityWarning, Title: "checkout is slow: POST /charge at payment", Env: "production",
		Summary: "This is what a message of this channel looks like. Nothing is wrong.", Services: []string{"payment", "checkout"},
		StartedAt: began, DetectedAt: now.Add(-11 * time.Minute), Affected: 0.12, Requests: 1840,
		Alarms: []anomaly.Alarm{{Subject: anomaly.Subject{Service: "checkout", Operation: "POST /checkout"}, Symptom: anomaly.SymptomLatency, Unit: "ns",
			Observed: 1.9e9, Expected: 310e6, Lower: 240e6, Upper: 420e6, Began: began, Paging: true}},
		RootCauses: []anomaly.RootCause{{Rank: 1, Service: "payment", Operation: "POST /charge", Kind: anomaly.SymptomLatency, Version: &version, Confidence: .93,
			Summary: "The time is spent in POST /charge itself, since version 1.4.2.", Evidence: []anomaly.Evidence{{Type: "trace", Link: "/traces"}}}},
	}
}

func example(now time.Time) Message {
	return describe(exampleIncident(now), StateTest, now, "https://tidemark.example.com")
}

// Test sends an example to a channel, once, and returns what the receiver said.
func (n *Notifier) Test(ctx context.Context, id string) (Answer, error) {
	n.mu.Lock()
	c, broken, zone := n.channels[id], n.broken[id], n.zone()
	n.mu.Unlock()
	if c == nil {
		return Answer{}, &NotFoundError{"channel " + id}
	}
	if broken != "" {
		return Answer{Text: broken}, nil
	}
	now := n.now()
	inc := exampleIncident(now)
	m := describe(inc, StateTest, now, n.base())
	m.ID, m.URL, m.location = id+"/test/"+newID(), n.base()+"/alerts", zone
	p := &post{networks: n.o.Networks, roots: n.o.Roots, client: n.client, channel: c, message: &m, now: now}
	n.illustrate(ctx, p, inc)
	ctx, cancel := context.WithTimeout(ctx, 2*sendTimeout)
	defer cancel()
	a := senders[c.Type](ctx, p)
	d := &Delivery{ID: m.ID, Channel: id, State: StateTest, Status: StatusFailed, Attempts: 1, Answer: a.describe(), NextTry: now, CreatedAt: now, UpdatedAt: n.now(),
		body: deliveryBody{Incident: inc, At: now}}
	outcome := "failed"
	if a.OK {
		d.Status, outcome = StatusDelivered, "delivered"
	}
	n.counts.sent.WithLabelValues(c.Type, string(StateTest), outcome).Inc()
	n.store([]*Delivery{d})
	return a, nil
}
