package notify

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// maxTogether is how many incidents one message tells.
const maxTogether = 20

// pending are the deliveries that wait. Callers hold mu.
func (n *Notifier) pending() []*Delivery {
	var out []*Delivery
	for _, t := range n.incidents {
		for _, d := range t.deliveries {
			if d.Status == StatusPending {
				out = append(out, d)
			}
		}
	}
	return out
}

// dispatch begins to send what is due, one message a channel at a time, and returns how long until the next one is.
func (n *Notifier) dispatch() (next time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.o.Now()
	wait := func(d time.Duration) {
		if d = max(d, time.Millisecond); next == 0 || d < next {
			next = d
		}
	}
	for id, list := range byChannel(n.pending()) {
		if n.sending[id] {
			continue
		}
		c := n.channels[id]
		if c == nil || !c.Enabled || n.broken[id] != "" {
			continue // it waits until the channel can be used again, or is deleted
		}
		if d := spacing - now.Sub(n.lastSent[id]); d > 0 {
			wait(d)
			continue
		}
		due, later := ready(list, now)
		if len(due) == 0 {
			if later > 0 {
				wait(later)
			}
			continue
		}
		n.launch(c, due, now)
	}
	return next
}

func byChannel(list []*Delivery) map[string][]*Delivery {
	out := map[string][]*Delivery{}
	for _, d := range list {
		out[d.Channel] = append(out[d.Channel], d)
	}
	return out
}

// ready are the deliveries to send now, the oldest first; of an incident only its first one, for the order matters.
func ready(list []*Delivery, now time.Time) (due []*Delivery, later time.Duration) {
	slices.SortFunc(list, func(a, b *Delivery) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	seen := map[string]bool{}
	for _, d := range list {
		if seen[d.Incident] {
			continue
		}
		seen[d.Incident] = true
		if wait := d.NextTry.Sub(now); wait > 0 {
			if later == 0 || wait < later {
				later = wait
			}
			continue
		}
		due = append(due, d)
	}
	return due, later
}

// launch sends the first of what is due, with what may share its message. Callers hold mu.
func (n *Notifier) launch(c *Channel, due []*Delivery, now time.Time) {
	together := due[:1]
	if !kinds[c.Type].alone {
		for _, d := range due[1:] {
			if d.State == due[0].State && len(together) < maxTogether {
				together = append(together[:len(together):len(together)], d)
			}
		}
	}
	for _, d := range together {
		if t := n.incidents[d.Incident]; d.Attempts == 0 && d.State != StateResolved && t.incident.Status == "open" {
			d.body.Incident, d.body.At = t.incident, now // as it is now
		}
		d.Attempts++
		touch(d, now)
	}
	slices.SortStableFunc(together, func(a, b *Delivery) int {
		return cmp.Compare(rank(b.body.Incident.Severity), rank(a.body.Incident.Severity))
	})
	p := &post{networks: n.o.Networks, roots: n.o.Roots, client: n.client, channel: c, now: now}
	if first := n.firstOf(n.incidents[together[0].Incident], c.ID); first != nil {
		p.begins, p.reply = first.ID, first.body.Ref
	}
	m := n.message(together)
	p.message = &m
	n.sending[c.ID] = true
	n.ended.Add(1)
	go n.send(p, together)
}

// message is what deliveries tell together.
func (n *Notifier) message(list []*Delivery) Message {
	d := list[0]
	m := describe(d.body.Incident, d.State, d.body.At, n.base())
	m.ID, m.Reason, m.location = d.ID, d.body.Reason, n.zone()
	for _, o := range list[1:] {
		inc := &o.body.Incident
		m.Others = append(m.Others, Other{IncidentID: inc.ID, State: o.State, Severity: inc.Severity, Title: shorten(inc.Title, 200), URL: n.base() + "/incidents/" + inc.ID})
	}
	return m
}

func (n *Notifier) zone() *time.Location {
	zone, err := time.LoadLocation(n.routing.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// send tries one message once and records what came of it.
func (n *Notifier) send(p *post, list []*Delivery) {
	defer n.ended.Done()
	// A message that has begun is ended even when the product stops: cut off, it might be told again.
	ctx := context.WithoutCancel(n.ctx)
	n.store(list) // the try is recorded before it is made
	n.exemplify(ctx, p, list[0].body.Incident)
	n.illustrate(ctx, p, list[0].body.Incident)
	ctx, cancel := context.WithTimeout(ctx, 2*sendTimeout)
	defer cancel()
	a := senders[p.channel.Type](ctx, p)

	n.mu.Lock()
	now := n.o.Now()
	outcome := ""
	pause := backoff(list[0].Attempts, a.after) // the same for all: they are sent again together
	for _, d := range list {
		outcome = settleDelivery(d, a, pause, now)
	}
	delete(n.sending, p.channel.ID)
	n.lastSent[p.channel.ID] = now
	done := make([]*Delivery, len(list)) // as they are now: from here on the next try may change them
	for i, d := range list {
		c := *d
		done[i] = &c
	}
	n.mu.Unlock()

	n.counts.sent.WithLabelValues(p.channel.Type, string(done[0].State), outcome).Inc()
	n.store(done)
	n.report(ctx, p, done, a, outcome)
	n.poke()
}

// settleDelivery records an answer, and says in one word what came of the try.
func settleDelivery(d *Delivery, a Answer, pause time.Duration, now time.Time) string {
	d.Answer = a.describe()
	touch(d, now)
	switch {
	case a.OK:
		d.Status = StatusDelivered
		d.body.Ref = a.ref
		return "delivered"
	case a.retry && now.Add(pause).Sub(d.CreatedAt) < giveUp:
		d.NextTry = now.Add(pause).UTC().Truncate(time.Millisecond)
		return "retried"
	}
	d.Status = StatusFailed
	return "failed"
}

func (n *Notifier) report(ctx context.Context, p *post, list []*Delivery, a Answer, outcome string) {
	log := n.o.Logger.With("channel", p.channel.Name, "type", p.channel.Type, "incident", list[0].Incident, "state", string(list[0].State), "code", a.Code)
	if outcome == "retried" {
		log.Warn("a message will be sent again", "answer", a.Text, "attempts", list[0].Attempts)
		return
	}
	if outcome == "failed" {
		log.Error("a message could not be delivered", "answer", a.Text, "attempts", list[0].Attempts)
	}
	if err := n.note(ctx, list, p.channel.Name); err != nil {
		log.Warn("the incident's timeline lacks a message", "error", err)
	}
}
