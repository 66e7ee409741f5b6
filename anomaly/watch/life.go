package watch

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// life is when a service was last heard of: by spans of any kind, and by its metrics or logs. It tells a service that
// gets no requests from one of which nothing is heard any more.
type life struct {
	env, service string
	spans, signs int64   // Unix seconds of the end of the last step with spans, and of the last other sign
	failed       int64   // Unix seconds at which its requests failed unusually last
	alarmed      int64   // Unix seconds at which one of its series was in alarm last
	back         int64   // Unix seconds at which spans came again after nothing had been heard: what was before is no news
	gap          float64 // seconds between two signs, at most, of late
	expects      float64 // requests a minute that usually come in
}

const (
	// silentAfter is how many seconds without spans are a silence; a step of ten seconds may be empty by chance.
	silentAfter = 60
	// leastSilent is how many requests must have been expected meanwhile.
	leastSilent = 5
	// noDataAfter is how long nothing may be heard of a service before it is told: a restart takes less.
	noDataAfter = 180
	// mostSignGap bounds what is waited for metrics that come rarely.
	mostSignGap = 600
	// sureSilence is the surprise in nats from which on a silence is shown, told or not.
	sureSilence = 7
)

// lifeOf finds or makes the life of a service.
func (e *engine) lifeOf(env, service string) *life {
	k := [2]string{env, service}
	l := e.lives[k]
	if l == nil {
		l = &life{env: env, service: service}
		e.lives[k] = l
	}
	return l
}

// sign takes in that a service was heard of otherwise than by spans in the minute that begins at a time.
func (l *life) sign(at int64) {
	if at <= l.signs {
		return
	}
	if l.signs > 0 {
		l.gap = max(min(float64(at-l.signs), mostSignGap), 0.999*l.gap)
	}
	l.signs = at
}

// speak takes in that spans came in a step.
func (l *life) speak(from, to int64) {
	if l.quiet(from) && !(l.heard() && l.signs+60 <= from) { // a sign of the minute in which it is back says nothing of before
		l.back = from
	}
	l.spans = max(l.spans, to)
}

// quiet says whether no spans of a service come though there should have been some.
func (l *life) quiet(now int64) bool {
	gap := now - l.spans
	return l.spans > 0 && gap >= silentAfter && float64(gap)/60*l.expects >= leastSilent
}

// heard says whether a service that sends no spans was heard of since: it gets no requests.
func (l *life) heard() bool { return l.signs > l.spans }

// lively says whether a service is heard of although no spans come: then requests are missing, and not telemetry.
func (e *engine) lively(now int64) bool {
	for _, l := range e.lives {
		if l.quiet(now) && l.heard() && now-l.signs < noDataAfter {
			return true
		}
	}
	return false
}

// lost says whether nothing of a service has been heard for so long that a restart does not explain it.
func (l *life) lost(now int64) bool {
	return l.quiet(now) && !l.heard() && now-l.spans >= noDataAfter && float64(now-l.signs) >= min(2*l.gap, mostSignGap)
}

// silence says what requests that do not come mean. While it is open whether a service that is silent gets none, or
// nothing is heard of it, nothing is said; then the service says it, and not each of its operations.
func (e *engine) silence(now int64, s *series, f finding) finding {
	l := s.life
	if f.score == 0 || l == nil || !l.quiet(now) || l.heard() {
		return f
	}
	if !l.lost(now) || s.name != "" || s.kind != "" {
		return finding{}
	}
	f.noData = true
	return f
}

// gap says whether most services of an environment are lost at once: what brings their telemetry is, and they are not.
func (e *engine) gap(now int64, env string) bool {
	lost, all := 0, 0
	for _, l := range e.lives {
		if l.env != env || l.expects < 1 || now-l.spans > forgotten/7 {
			continue
		}
		all++
		if l.lost(now) {
			lost++
		}
	}
	return all > 1 && 2*lost > all
}

// Silence is a service that usually gets requests and sends no spans.
type Silence struct {
	Env     string    `json:"env"`
	Service string    `json:"service"`
	State   string    `json:"state"` // no_data: nothing of it is heard; no_traffic: it lives, and gets no requests
	Since   time.Time `json:"since"`
}

// silences lists the services whose silence is no chance.
func (e *engine) silences(now int64) []Silence {
	out := []Silence{}
	for _, s := range e.series {
		if s.name != "" || s.kind != "" || s.life == nil || !s.life.quiet(now) || now-s.since < youngest || now-s.life.spans > forgotten {
			continue
		}
		_, fewer := anomaly.CountSurprise(0, s.drop*float64(now-s.life.spans)/60, math.Max(s.volume.noise[0].Shape(), 1))
		if fewer < sureSilence {
			continue
		}
		x := Silence{Env: s.env, Service: s.service, State: "no_data", Since: time.Unix(s.life.spans, 0).UTC()}
		if s.life.heard() {
			x.State = "no_traffic"
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Silence) int { return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Env, b.Env)) })
	return out
}

// signs takes in which services logged in a minute, and shortens what is left.
func (e *engine) signs(at int64, signs []query.WatchLife) []query.WatchLife {
	n := 0
	for n < len(signs) && signs[n].At < at+60 {
		e.lifeOf(signs[n].Env, signs[n].Service).sign(signs[n].At)
		n++
	}
	return signs[n:]
}

// judgeLife reads which services logged anything in the minutes that are over.
func (w *Watch) judgeLife(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	w.mu.Lock()
	b := w.beside
	from, due := b.heard+60, (now.Unix()-metricLag)/60*60-60
	w.mu.Unlock()
	if due < from {
		return nil, nil
	}
	from = max(from, due-60*metricCatchUp)
	signs, err := w.o.DB.WatchLogs(ctx, query.Window{From: time.Unix(from, 0), To: time.Unix(due+60, 0)})
	if err != nil {
		return nil, fmt.Errorf("read who logged: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	b.heard = due
	b.requests.signs(due, signs)
	return nil, nil
}
