package notify

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// Routing says who is told of what, and when.
type Routing struct {
	Routes  []Route      `json:"routes"`  // tried in order
	Inhibit []Inhibition `json:"inhibit"` // what is held back while something else is open
	Zone    string       `json:"zone"`    // time zone of the times in messages; empty: UTC
}

// Route sends matching incidents to channels.
type Route struct {
	Name     string   `json:"name"`
	Match    Match    `json:"match"`
	Times    []Window `json:"times"`    // only then; empty: always. An incident that lasts into a window is told when it begins.
	Channels []string `json:"channels"` // ids; "*" is every enabled channel
	Continue bool     `json:"continue"` // try the routes after this one, too

	GroupWaitSeconds int  `json:"group_wait_seconds"` // incidents within this time share a message; 0: tell at once
	RepeatMinutes    int  `json:"repeat_minutes"`     // say again that it still lasts; 0: never
	SkipResolved     bool `json:"skip_resolved"`      // do not tell when it is over
}

// Match selects incidents; an empty list matches all.
type Match struct {
	Services   []string           `json:"services"` // names, or patterns such as pay*
	Severities []anomaly.Severity `json:"severities"`
	Envs       []string           `json:"envs"`
}

// Inhibition holds incidents that Target matches back while another one that Source matches is open.
type Inhibition struct {
	Source Match    `json:"source"`
	Target Match    `json:"target"`
	Equal  []string `json:"equal"` // what both must have in common: service (at least one), env
}

// everyChannel stands for all enabled channels.
const everyChannel = "*"

// Bounds of the routing.
const (
	maxRoutes   = 100
	maxPatterns = 200 // in one list
)

// defaultRouting tells every channel of what is worth a message, so that adding a channel is all there is to do.
func defaultRouting() Routing {
	r := Routing{Routes: []Route{{Name: "Everything worth a message", Match: Match{Severities: []anomaly.Severity{anomaly.SeverityCritical, anomaly.SeverityWarning}},
		Channels: []string{everyChannel}, RepeatMinutes: 4 * 60}}}
	_ = r.check(nil) // fills in empty lists
	return r
}

// check refuses what cannot be followed, and makes lists empty rather than missing. channels are the ids there are.
func (r *Routing) check(channels []string) error {
	r.Routes, r.Inhibit = listed(r.Routes), listed(r.Inhibit)
	if len(r.Routes) > maxRoutes || len(r.Inhibit) > maxRoutes {
		return &InputError{"routes", fmt.Sprintf("may have at most %d entries", maxRoutes)}
	}
	if _, err := time.LoadLocation(r.Zone); err != nil || r.Zone == "Local" {
		return &InputError{"zone", "must be a time zone such as Europe/Berlin"}
	}
	for i := range r.Routes {
		if err := r.Routes[i].check(fmt.Sprintf("routes[%d]", i), channels); err != nil {
			return err
		}
	}
	for i := range r.Inhibit {
		h, at := &r.Inhibit[i], fmt.Sprintf("inhibit[%d]", i)
		h.Equal = listed(h.Equal)
		for _, e := range h.Equal {
			if e != "service" && e != "env" {
				return &InputError{at + ".equal", fmt.Sprintf("holds %q: use service, env", e)}
			}
		}
		if err := h.Source.check(at + ".source"); err != nil {
			return err
		}
		if err := h.Target.check(at + ".target"); err != nil {
			return err
		}
	}
	return nil
}

func (r *Route) check(at string, channels []string) error {
	r.Times, r.Channels = listed(r.Times), listed(r.Channels)
	for _, c := range r.Channels {
		if c != everyChannel && !slices.Contains(channels, c) {
			return &InputError{at + ".channels", fmt.Sprintf("names %q, which is no channel's id", c)}
		}
	}
	if len(r.Name) > 200 {
		return &InputError{at + ".name", "has more than 200 bytes"}
	}
	if r.GroupWaitSeconds < 0 || r.GroupWaitSeconds > 3600 {
		return &InputError{at + ".group_wait_seconds", "must be 0 to 3600"}
	}
	if r.RepeatMinutes != 0 && (r.RepeatMinutes < 5 || r.RepeatMinutes > 7*24*60) {
		return &InputError{at + ".repeat_minutes", "must be 0 (never) or 5 to 10080"}
	}
	if len(r.Times) > maxRoutes {
		return &InputError{at + ".times", fmt.Sprintf("may have at most %d entries", maxRoutes)}
	}
	for i := range r.Times {
		if err := r.Times[i].check(fmt.Sprintf("%s.times[%d]", at, i)); err != nil {
			return err
		}
	}
	return r.Match.check(at + ".match")
}

func (m *Match) check(at string) error {
	m.Services, m.Severities, m.Envs = listed(m.Services), listed(m.Severities), listed(m.Envs)
	if len(m.Services) > maxPatterns || len(m.Envs) > maxPatterns {
		return &InputError{at, fmt.Sprintf("may have at most %d patterns in a list", maxPatterns)}
	}
	for _, p := range slices.Concat(m.Services, m.Envs) {
		if _, err := path.Match(p, ""); err != nil || p == "" || len(p) > 200 {
			return &InputError{at + ".services", fmt.Sprintf("holds %q, which is no name or pattern such as pay*", p)}
		}
	}
	for _, s := range m.Severities {
		if s != anomaly.SeverityCritical && s != anomaly.SeverityWarning && s != anomaly.SeverityInfo {
			return &InputError{at + ".severities", fmt.Sprintf("holds %q: use critical, warning, info", s)}
		}
	}
	return nil
}

// listed is the list, empty rather than missing in JSON.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok || p == name })
}

// general reports whether severity and environment match.
func (m *Match) general(inc *anomaly.Incident) bool {
	return (len(m.Severities) == 0 || slices.Contains(m.Severities, inc.Severity)) && (len(m.Envs) == 0 || matchAny(m.Envs, inc.Env))
}

// touches reports whether the incident matches with at least one of its services.
func (m *Match) touches(inc *anomaly.Incident) bool {
	return m.general(inc) && (len(m.Services) == 0 || slices.ContainsFunc(inc.Services, func(s string) bool { return matchAny(m.Services, s) }))
}

// covers reports whether the incident's likely origin matches, or all its services while no origin is known: what
// is known to be down for maintenance explains an incident that begins there, and no other.
func (m *Match) covers(inc *anomaly.Incident) bool {
	if !m.general(inc) || len(m.Services) == 0 {
		return m.general(inc)
	}
	if len(inc.RootCauses) > 0 && inc.RootCauses[0].Service != "" {
		return matchAny(m.Services, inc.RootCauses[0].Service)
	}
	return len(inc.Services) > 0 && !slices.ContainsFunc(inc.Services, func(s string) bool { return !matchAny(m.Services, s) })
}

// targets are the channels to tell of an incident at a time, each with the first route that names it.
func (r *Routing) targets(inc *anomaly.Incident, now time.Time, enabled []string) map[string]*Route {
	out := map[string]*Route{}
	for i := range r.Routes {
		route := &r.Routes[i]
		if !route.Match.touches(inc) || !within(route.Times, now) {
			continue
		}
		for _, c := range route.Channels {
			ids := []string{c}
			if c == everyChannel {
				ids = enabled
			}
			for _, id := range ids {
				if out[id] == nil && slices.Contains(enabled, id) {
					out[id] = route
				}
			}
		}
		if !route.Continue {
			break
		}
	}
	return out
}

// inhibitor is an open incident because of which another one is not told.
func (r *Routing) inhibitor(inc *anomaly.Incident, open []*anomaly.Incident) *anomaly.Incident {
	for _, h := range r.Inhibit {
		if !h.Target.touches(inc) {
			continue
		}
		for _, o := range open {
			if o.ID != inc.ID && h.Source.touches(o) && h.equal(inc, o) && !(h.Source.touches(inc) && h.Target.touches(o) && o.ID > inc.ID) {
				return o // of two that hold each other back the one with the lower id is told
			}
		}
	}
	return nil
}

func (h *Inhibition) equal(a, b *anomaly.Incident) bool {
	if slices.Contains(h.Equal, "env") && a.Env != b.Env {
		return false
	}
	return !slices.Contains(h.Equal, "service") || slices.ContainsFunc(a.Services, func(s string) bool { return slices.Contains(b.Services, s) })
}
