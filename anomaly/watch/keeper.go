package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
)

// Change is what became of an incident.
type Change string

// Changes.
const (
	Opened   Change = "opened"
	Updated  Change = "updated"
	Resolved Change = "resolved"
)

// keeper keeps the incidents that alarms make: grouped, resolved when nothing is wrong any more, and opened again
// rather than anew when it comes back soon.
type keeper struct {
	incidents []anomaly.Incident // open, or resolved so recently that they may come back
	handling  map[string]*handling
}

// handling is how far the telling of an incident has got.
type handling struct {
	told      bool
	explained time.Time
	settled   bool   // explained again with more to go by
	busy      bool   // being explained
	early     bool   // told before it was explained
	again     Change // what happened meanwhile
	said      string // what the last event said
}

// news says whether an incident is other than the last event said.
func (h *handling) news(inc anomaly.Incident) bool {
	said := string(inc.Severity) + "\x00" + inc.Title + "\x00" + strings.Join(inc.Services, ",")
	if said == h.said {
		return false
	}
	h.said = said
	return true
}

func (k *keeper) about(id string) *handling {
	if k.handling == nil {
		k.handling = map[string]*handling{}
	}
	h := k.handling[id]
	if h == nil {
		h = &handling{}
		k.handling[id] = h
	}
	return h
}

func (k *keeper) forget(id string) *handling {
	h := k.handling[id]
	delete(k.handling, id)
	return h
}

func (k *keeper) get(id string) (anomaly.Incident, bool) {
	for _, inc := range k.incidents {
		if inc.ID == id {
			return inc, true
		}
	}
	return anomaly.Incident{}, false
}

// put replaces an incident that is kept.
func (k *keeper) put(inc anomaly.Incident) {
	for i := range k.incidents {
		if k.incidents[i].ID == inc.ID {
			k.incidents[i] = inc
		}
	}
}

// open lists the open incidents.
func (k *keeper) open() []anomaly.Incident {
	var out []anomaly.Incident
	for _, inc := range k.incidents {
		if inc.Status == "open" {
			out = append(out, inc)
		}
	}
	return out
}

// change is an incident as it is now, and what became of it.
type change struct {
	incident anomaly.Incident
	kind     Change
	merged   []string // ids of incidents that are now part of it
}

const (
	resolveAfter = 3 * time.Minute  // all alarms over
	comeBack     = 45 * time.Minute // after it was resolved
)

// take groups alarms and resolves what is over.
func (k *keeper) take(now time.Time, alarms []anomaly.Alarm, g *explain.Graph) []change {
	alarms, supporting := k.admit(alarms)
	var out []change
	if len(alarms) > 0 {
		out = k.group(now, alarms, g)
	}
	if supporting = k.supported(supporting); len(supporting) > 0 {
		out = together(out, k.group(now, supporting, g))
	}
	kept := k.incidents[:0]
	for _, inc := range k.incidents {
		if inc.Status == "open" && over(inc, now) {
			end := lastEnd(inc)
			inc.Status, inc.ResolvedAt, inc.UpdatedAt = "resolved", &end, now
			inc.Alarms = ended(inc.Alarms, end)
			out = resolved(out, inc)
		}
		if inc.Status == "open" || now.Sub(*inc.ResolvedAt) < comeBack {
			kept = append(kept, inc)
		} else {
			delete(k.handling, inc.ID)
		}
	}
	k.incidents = kept
	return out
}

// resolved adds that an incident is over. That its last alarm ended in the same round is no news beside that.
func resolved(out []change, inc anomaly.Incident) []change {
	at := slices.IndexFunc(out, func(o change) bool { return o.incident.ID == inc.ID && o.kind == Updated })
	if at < 0 {
		return append(out, change{incident: inc, kind: Resolved})
	}
	out[at].incident, out[at].kind = inc, Resolved
	return out
}

func (k *keeper) group(now time.Time, alarms []anomaly.Alarm, g *explain.Graph) []change {
	known := map[string]bool{}
	for _, inc := range k.incidents {
		known[inc.ID] = true
	}
	grouping := explain.Group(k.incidents, alarms, g)
	var out []change
	for _, inc := range grouping.Changed {
		inc.UpdatedAt = now
		c := change{incident: inc, kind: Opened}
		if known[inc.ID] {
			c.kind = Updated
		}
		for from, into := range grouping.Merged {
			if into == inc.ID {
				c.merged = append(c.merged, from)
			}
		}
		k.replace(inc, c.merged)
		out = append(out, c)
	}
	return out
}

// replace puts an incident in place of what it was, and of those that joined it.
func (k *keeper) replace(inc anomaly.Incident, merged []string) {
	kept := k.incidents[:0]
	for _, o := range k.incidents {
		drop := o.ID == inc.ID
		for _, id := range merged {
			drop = drop || o.ID == id
		}
		if !drop {
			kept = append(kept, o)
		}
	}
	k.incidents = append(kept, inc)
}

// over says that every alarm of an incident has ended some time ago.
func over(inc anomaly.Incident, now time.Time) bool {
	for _, a := range inc.Alarms {
		if a.Supports() || a.Code != nil && !codeOnly(inc) {
			continue
		}
		if a.Ended.IsZero() || now.Sub(a.Ended) < resolveAfter {
			return false
		}
	}
	return true
}

func lastEnd(inc anomaly.Incident) time.Time {
	end := inc.StartedAt
	for _, a := range inc.Alarms {
		if !a.Supports() && (a.Code == nil || codeOnly(inc)) && a.Ended.After(end) {
			end = a.Ended
		}
	}
	return end
}
