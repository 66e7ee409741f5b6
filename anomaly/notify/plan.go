package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// plan decides what there is to tell of each incident now, and forgets incidents that are long over.
func (n *Notifier) plan() {
	n.mu.Lock()
	now := n.o.Now()
	var changed []*Delivery
	open := n.open()
	enabled := n.enabled()
	for id, t := range n.incidents {
		changed = append(changed, n.expire(t, now)...)
		targets := n.routing.targets(&t.incident, now, enabled)
		for channel := range n.channels {
			if d := n.decide(t, channel, targets[channel], open, now); d != nil {
				changed = append(changed, d...)
			}
		}
		if t.incident.Status != "open" && now.Sub(t.changed) > keepFor && !t.waiting() {
			delete(n.incidents, id)
		}
	}
	slices.SortFunc(changed, func(a, b *Delivery) int { return cmp.Compare(a.ID, b.ID) })
	n.mu.Unlock()
	if len(changed) > 0 {
		n.store(changed)
	}
}

func (n *Notifier) open() []*anomaly.Incident {
	var out []*anomaly.Incident
	for _, t := range n.incidents {
		if t.incident.Status == "open" {
			out = append(out, &t.incident)
		}
	}
	slices.SortFunc(out, func(a, b *anomaly.Incident) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// enabled are the ids of the channels that can be told, in order.
func (n *Notifier) enabled() []string {
	var out []string
	for id, c := range n.channels {
		if c.Enabled && n.broken[id] == "" {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (t *told) waiting() bool {
	for _, d := range t.deliveries {
		if d.Status == StatusPending {
			return true
		}
	}
	return false
}

// of are the deliveries to one channel in the order in which they were decided.
func (t *told) of(channel string) []*Delivery {
	var out []*Delivery
	for _, d := range t.deliveries {
		if d.Channel == channel {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *Delivery) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// history is what one channel knows of an incident.
type history struct {
	first    *Delivery // that it began; nil or suppressed: it knows nothing
	last     *Delivery // the last one not suppressed
	worst    anomaly.Severity
	repeats  int
	lastTold time.Time
}

func historyOf(list []*Delivery) history {
	var h history
	for _, d := range list {
		if d.State == StateFiring {
			h.first = d
		}
		if d.State == StateRepeated {
			h.repeats++
		}
		if d.Status == StatusSuppressed {
			continue
		}
		h.last, h.lastTold = d, d.CreatedAt
		if rank(d.body.Incident.Severity) > rank(h.worst) {
			h.worst = d.body.Incident.Severity
		}
	}
	return h
}

func rank(s anomaly.Severity) int {
	return map[anomaly.Severity]int{anomaly.SeverityInfo: 1, anomaly.SeverityWarning: 2, anomaly.SeverityCritical: 3}[s]
}

// decide makes or changes the deliveries of one incident to one channel. route is nil where routing does not lead
// there now. Callers hold mu.
func (n *Notifier) decide(t *told, channel string, route *Route, open []*anomaly.Incident, now time.Time) []*Delivery {
	h := historyOf(t.of(channel))
	inc := &t.incident
	knows := h.first != nil && h.first.Status != StatusSuppressed
	switch {
	case inc.Status == "resolved":
		return n.resolve(t, channel, h, now)
	case inc.Status != "open": // it has become part of another one
		return n.drop(t, channel, "it became part of another incident", now)
	case !knows:
		return n.begin(t, channel, route, h, open, now)
	}
	return n.follow(t, channel, route, h, open, now)
}

// lastNews is when something was last found to be off. A channel is not told of what was known when it was made, but
// is when more joins it: an outage may come to an incident that was open already.
func lastNews(inc *anomaly.Incident) time.Time {
	last := inc.DetectedAt
	for _, a := range inc.Alarms {
		if a.Detected.After(last) && !a.Supports() {
			last = a.Detected
		}
	}
	return last
}

// begin tells that an incident began, or notes why not.
func (n *Notifier) begin(t *told, channel string, route *Route, h history, open []*anomaly.Incident, now time.Time) []*Delivery {
	if route == nil || lastNews(&t.incident).Before(n.channels[channel].CreatedAt) {
		return nil
	}
	why := n.held(&t.incident, open, now)
	d := h.first
	switch {
	case d != nil && why != "":
		return nil // it is noted already
	case d == nil:
		d = n.add(t, channel, StateFiring, "firing", "", now)
	}
	d.Status, d.Answer, d.NextTry = StatusPending, "", now.Add(time.Duration(route.GroupWaitSeconds)*time.Second)
	d.body.Incident, d.body.At = t.incident, now
	d.body.SkipResolved, d.body.RepeatAfter = route.SkipResolved, time.Duration(route.RepeatMinutes)*time.Minute
	if why != "" {
		d.Status, d.Answer = StatusSuppressed, why
	}
	touch(d, now)
	return []*Delivery{d}
}

// follow tells what became of an incident that the channel knows of: it came back, became critical, or still lasts.
func (n *Notifier) follow(t *told, channel string, route *Route, h history, open []*anomaly.Incident, now time.Time) []*Delivery {
	inc := &t.incident
	if h.last.State == StateResolved && h.last.Status == StatusPending && h.last.Attempts == 0 {
		return []*Delivery{suppress(h.last, "it came back before this was told", now)}
	}
	if !slices.Contains(n.enabled(), channel) || n.held(inc, open, now) != "" {
		return nil
	}
	untold := h.last.Status == StatusPending && h.last.Attempts == 0 // it will be told as it is then
	if h.last.State == StateResolved && t.deliveries[deliveryID(channel, inc.ID, fmt.Sprintf("updated-back-%d", inc.Flaps))] == nil {
		return []*Delivery{n.add(t, channel, StateUpdated, fmt.Sprintf("updated-back-%d", inc.Flaps), "Back again", now)}
	}
	if inc.Severity == anomaly.SeverityCritical && rank(h.worst) < rank(inc.Severity) && !untold && t.deliveries[deliveryID(channel, inc.ID, "updated-critical")] == nil {
		return []*Delivery{n.add(t, channel, StateUpdated, "updated-critical", "Now critical", now)}
	}
	every := h.first.body.RepeatAfter
	if route != nil {
		every = time.Duration(route.RepeatMinutes) * time.Minute
	}
	if every > 0 && !t.looked && h.last.Status != StatusPending && now.Sub(h.lastTold) >= every {
		return []*Delivery{n.add(t, channel, StateRepeated, fmt.Sprintf("repeated-%d", h.repeats+1), "", now)}
	}
	return nil
}

// settle is how long the message that a flapping incident is over waits: twice as long each time.
func settle(flaps int) time.Duration {
	if flaps == 0 {
		return 0
	}
	return min(5*time.Minute<<min(flaps-1, 10), 40*time.Minute)
}

// resolve tells that an incident is over where it was told that it began.
func (n *Notifier) resolve(t *told, channel string, h history, now time.Time) []*Delivery {
	switch {
	case h.first == nil || h.last == nil || h.last.State == StateResolved:
		return nil
	case h.last.Status == StatusPending && h.last.Attempts == 0:
		return []*Delivery{suppress(h.last, "it was over before this was told", now)}
	case h.first.body.SkipResolved || !slices.Contains(n.enabled(), channel):
		return nil
	}
	state := "resolved"
	if t.incident.Flaps > 0 {
		state = fmt.Sprintf("resolved-%d", t.incident.Flaps)
	}
	if before := t.deliveries[deliveryID(channel, t.incident.ID, state)]; before != nil && before.Status != StatusSuppressed {
		return nil
	}
	d := n.add(t, channel, StateResolved, state, "", now)
	d.NextTry = now.Add(settle(t.incident.Flaps))
	return []*Delivery{d}
}

// expire gives up what could not be tried for too long, as with a channel that is switched off.
func (n *Notifier) expire(t *told, now time.Time) []*Delivery {
	var out []*Delivery
	for _, d := range t.deliveries {
		if d.Status == StatusPending && !n.sending[d.Channel] && now.Sub(d.CreatedAt) > giveUp+lastRetry {
			d.Status, d.Answer = StatusFailed, strings.TrimSpace(d.Answer+" (given up after "+span(giveUp)+")")
			touch(d, now)
			out = append(out, d)
		}
	}
	return out
}

// drop gives up what waits.
func (n *Notifier) drop(t *told, channel, why string, now time.Time) []*Delivery {
	var out []*Delivery
	for _, d := range t.of(channel) {
		if d.Status == StatusPending && !n.sending[channel] {
			out = append(out, suppress(d, why, now))
		}
	}
	return out
}

func suppress(d *Delivery, why string, now time.Time) *Delivery {
	d.Status, d.Answer = StatusSuppressed, why
	touch(d, now)
	return d
}

func deliveryID(channel, incident, state string) string {
	return channel + "/" + incident + "/" + state
}

// add makes a delivery that is due now. Callers hold mu.
func (n *Notifier) add(t *told, channel string, state State, id, reason string, now time.Time) *Delivery {
	now = now.UTC().Truncate(time.Millisecond)
	first := n.firstOf(t, channel)
	updated := now
	if before := t.deliveries[deliveryID(channel, t.incident.ID, id)]; before != nil && !now.After(before.UpdatedAt) {
		updated = before.UpdatedAt.Add(time.Millisecond) // its row must be the newer one
	}
	d := &Delivery{ID: deliveryID(channel, t.incident.ID, id), Channel: channel, Incident: t.incident.ID, State: state, Status: StatusPending, Title: t.incident.Title,
		NextTry: now, CreatedAt: now, UpdatedAt: updated, body: deliveryBody{Incident: t.incident, Reason: reason, At: now}}
	if first != nil {
		d.body.SkipResolved, d.body.RepeatAfter = first.body.SkipResolved, first.body.RepeatAfter
	}
	t.deliveries[d.ID] = d
	return d
}

func (n *Notifier) firstOf(t *told, channel string) *Delivery {
	return t.deliveries[deliveryID(channel, t.incident.ID, "firing")]
}

// held says why an incident is not told now; empty: it is.
func (n *Notifier) held(inc *anomaly.Incident, open []*anomaly.Incident, now time.Time) string {
	for _, id := range sortedKeys(n.silences) {
		if s := n.silences[id]; s.holds(inc, now) {
			return "silenced: " + s.title()
		}
	}
	if o := n.routing.inhibitor(inc, open); o != nil {
		return "held back while this is open: " + shorten(o.Title, 200)
	}
	return ""
}
