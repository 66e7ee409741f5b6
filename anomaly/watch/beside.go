package watch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// beside is what is watched beside the requests that services get: their calls to one another, to databases, queues
// and hosts, as the callers see them, and the metrics they are known by. All of it is judged by the minute.
type beside struct {
	requests *engine // of the services themselves
	edges    *engine
	ids      map[query.WatchEdge]uint64
	minute   int64 // the newest minute of calls taken, Unix seconds
	heard    int64 // the same of what was logged
	meters   *meters
}

// edgeLag is how many seconds after a minute who called whom is known: the calls are computed from spans once these
// have come.
const edgeLag = 50

func newBeside(requests *engine, s Settings) *beside {
	e := newEngine(time.Minute, s)
	e.requests, e.delay = requests, edgeLag
	return &beside{requests: requests, edges: e, ids: map[query.WatchEdge]uint64{}, meters: newMeters(s, requests.lifeOf)}
}

// each calls f for everything that is in alarm.
func (b *beside) each(f func(*open)) {
	b.edges.each(f)
	b.meters.each(f)
}

// besideRows is what is stored of all that in a window, in the order of time.
type besideRows struct {
	edges   []query.WatchEdge
	calls   []query.WatchRow
	metrics metricRows
	life    []query.WatchLife
}

// fromQueue begins the client of an edge from a queue to what takes its messages: the taker's own series say it.
const fromQueue = "messaging:"

// callsAt judges the calls of the minute that begins at a time.
func (b *beside) callsAt(at int64, edges []query.WatchEdge, rows []query.WatchRow) []anomaly.Alarm {
	b.minute = at
	mine := make([]query.WatchRow, 0, len(rows))
	for _, r := range rows {
		e := edges[r.Series]
		if strings.HasPrefix(e.Client, fromQueue) || e.Client == e.Target && e.Kind == "service" {
			continue
		}
		id, ok := b.ids[e]
		if !ok {
			id = uint64(len(b.ids))
			b.ids[e] = id
			b.edges.know(id, query.WatchSeries{Env: e.Env, Service: e.Client, Name: e.Target, Kind: e.Kind})
		}
		r.Series = id
		mine = append(mine, r)
	}
	alarms := b.edges.advance(at+60, mine)
	excused := b.excuse()
	return slices.DeleteFunc(alarms, func(a anomaly.Alarm) bool { return excused[a.ID] })
}

// excuse follows without telling what shows at a call while the requests behind it do what they do every day, and
// gives the ids of such alarms.
func (b *beside) excuse() map[string]bool {
	daily := map[anomaly.Subject]bool{} // whose requests, in which direction and symptom
	note := func(env, service, direction string, s anomaly.Symptom) anomaly.Subject {
		return anomaly.Subject{Env: env, Service: service, SpanKind: direction, Metric: string(s)}
	}
	for _, s := range b.requests.series {
		for c := range s.watch {
			if s.watch[c].alarm != nil && s.watch[c].usual {
				direction := "out"
				if s.incoming() {
					direction = "in"
				}
				daily[note(s.env, s.service, direction, symptoms[c])] = true
			}
		}
	}
	if len(daily) == 0 {
		return nil
	}
	out := map[string]bool{}
	b.edges.each(func(o *open) {
		a := o.alarm
		if daily[note(a.Subject.Env, a.Subject.Service, "out", a.Symptom)] || a.Subject.PeerKind == "service" && daily[note(a.Subject.Env, a.Subject.Peer, "in", a.Symptom)] {
			o.usual, out[a.ID] = true, true
		}
	})
	return out
}

// take judges one minute of history and shortens what is left of it.
func (b *beside) take(at int64, rows *besideRows) []anomaly.Alarm {
	b.meters.learn(rows.metrics.names)
	rows.metrics.names = nil
	n := 0
	for n < len(rows.calls) && rows.calls[n].At < at+60 {
		n++
	}
	alarms := b.callsAt(at, rows.edges, rows.calls[:n])
	rows.calls = rows.calls[n:]
	n = 0
	for n < len(rows.metrics.samples) && rows.metrics.samples[n].At < at+60 {
		n++
	}
	rows.life = b.requests.signs(at, rows.life)
	alarms = append(alarms, b.meters.take(at, rows.metrics.samples[:n])...)
	rows.metrics.samples = rows.metrics.samples[n:]
	return alarms
}

// readBeside reads a window of history; metrics only where wanted.
func (w *Watch) readBeside(ctx context.Context, win query.Window, metrics bool) (out besideRows, err error) {
	if out.edges, out.calls, err = w.o.DB.WatchEdges(ctx, win); err != nil {
		return out, fmt.Errorf("read who called whom: %w", err)
	}
	if out.life, err = w.o.DB.WatchLogs(ctx, win); err != nil {
		return out, fmt.Errorf("read who logged: %w", err)
	}
	if metrics {
		out.metrics, err = w.readMetrics(ctx, win, func(uint64) bool { return false })
	}
	return out, err
}

// judgeCalls takes the minutes whose calls are known by now.
func (w *Watch) judgeCalls(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	w.mu.Lock()
	b := w.beside
	b.edges.settings = w.taught.settings
	from, due := b.minute+60, (now.Unix()-edgeLag)/60*60-60
	w.mu.Unlock()
	if due < from {
		return nil, nil
	}
	from = max(from, due-60*metricCatchUp)
	edges, rows, err := w.o.DB.WatchEdges(ctx, query.Window{From: time.Unix(from, 0), To: time.Unix(due+60, 0)})
	if err != nil {
		return nil, fmt.Errorf("read who called whom: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []anomaly.Alarm
	for at := from; at <= due; at += 60 {
		n := 0
		for n < len(rows) && rows[n].At < at+60 {
			n++
		}
		out = append(out, b.callsAt(at, edges, rows[:n])...)
		rows = rows[n:]
	}
	return out, nil
}

// repeats says whether an alarm about a call says no more than one that an incident has: the same caller's own calls,
// or what is called, show the same.
func repeats(a anomaly.Alarm, incidents []anomaly.Incident) bool {
	if a.Subject.Peer == "" || a.Subject.Metric != "" || a.Subject.Rule != "" {
		return false
	}
	for _, inc := range incidents {
		for _, b := range inc.Alarms {
			if b.Symptom != a.Symptom || b.Subject.Env != a.Subject.Env || b.Subject.Peer != "" || !b.Ended.IsZero() && b.Ended.Before(a.Began) {
				continue
			}
			outgoing := b.Subject.SpanKind == "client" || b.Subject.SpanKind == "producer"
			if b.Subject.Service == a.Subject.Service && outgoing || a.Subject.PeerKind == "service" && b.Subject.Service == a.Subject.Peer && !outgoing {
				return true
			}
		}
	}
	return false
}

// since has what is judged live begin where history ends.
func (b *beside) since(to time.Time) {
	b.minute, b.heard, b.meters.minute = to.Unix()-60, to.Unix()-60, to.Unix()-60
}
