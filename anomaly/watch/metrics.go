package watch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// metricKey names one watched quantity of a service.
type metricKey struct{ env, service, metric, label, queue string }

// meters judge what services are known by beside their requests: CPU, memory, runtime, pools, queues and caches. They
// take a minute at a time, and like the engine have no clock and ask nobody. Not safe for concurrent use.
type meters struct {
	settings Settings
	rows     map[uint64]*source
	unnamed  map[uint64]uint8 // minutes in which a series had no name
	index    map[metricKey]*metric
	series   []*metric
	minute   int64 // the newest minute taken, Unix seconds
	changed  []anomaly.Alarm
	alive    func(env, service string) *life              // nil: nobody asks
	record   func(m *metric, at int64, v anomaly.Verdict) // of each verdict; nil: nobody asks
}

// source is one stored series of a metric. One that is not watched has no metric.
type source struct {
	of     *metric
	life   *life // of its service
	meter  *meter
	as     role
	take   taking
	scale  float64
	last   float64 // of a counter, the last value
	count  uint64  // of a histogram, its observations by then
	lastMS int64   // Unix milliseconds
	seen   int64   // Unix seconds
}

// taking is what is read off the points of a source.
type taking uint8

const (
	levels    taking = iota // their mean
	increases               // of a cumulative counter: what it grew by, a second
	amounts                 // of a delta counter: what came, a second
	means                   // of a cumulative histogram: the mean of its observations
	sums                    // of a delta histogram: the same
)

// meter is what one instance says about a quantity.
type meter struct {
	instance            string
	sum, most, rest     float64 // of the minute being filled: values, limits, what does not count
	level, limit, share float64 // of the minute taken last
	at                  int64   // Unix seconds of it
	filled              bool
}

// metric is one watched quantity of a service.
type metric struct {
	metricKey
	of          *quantity
	detector    *anomaly.Detector
	meters      []*meter
	since, seen int64 // Unix seconds of the first and the last minute
	open        open
	edge        edge
	before      float64 // what it was a while ago, while it is in alarm
	full        int16   // minutes in a row in which it was exhausted, or grew without end
	instance    string  // the worst one now
	limit       float64 // of that one; 0: none is known
}

// edge is what was expected when a metric went beyond it. A value is new only once: as long as the metric stays there
// it says what it said then.
type edge struct{ expected, lower, upper, score float64 }

func newMeters(s Settings, alive func(env, service string) *life) *meters {
	return &meters{settings: s, alive: alive, rows: map[uint64]*source{}, unnamed: map[uint64]uint8{}, index: map[metricKey]*metric{}}
}

const (
	meterFresh = 120 // seconds for which what an instance said stands: exporters send once a minute
	counterGap = 900 // seconds between two points of a counter that still are one increase
	meterGone  = 86400
	// wantFull is for how many minutes something must be exhausted to be harm, and not a moment's peak.
	wantFull = 5
	// climbWindow is over how many minutes what piles up must have grown by a fifth.
	climbWindow = 10
)

// know registers a stored series.
func (m *meters) know(id uint64, n query.WatchMetric) {
	if _, ok := m.rows[id]; ok {
		return
	}
	src := &source{}
	m.rows[id] = src
	if m.alive != nil {
		src.life = m.alive(n.Env, n.Service)
	}
	for _, in := range known[n.Name] {
		if !in.matches(n.Attributes) {
			continue
		}
		src.as, src.scale = in.as, in.of.scaleOf(n.Unit, n.Name)
		src.take = takingOf(n, in)
		src.of = m.metric(n, in)
		src.meter = src.of.meter(n.Instance)
		return
	}
}

// takingOf is how the points of a series are read.
func takingOf(n query.WatchMetric, in input) taking {
	counts := n.Type == "sum" && n.Monotonic || in.rate && n.Type != "gauge" && n.Type != "sum"
	distribution := n.Type == "histogram" || n.Type == "exponential_histogram" || n.Type == "summary"
	switch {
	case distribution && !in.rate && n.Temporality == "delta":
		return sums
	case distribution && !in.rate:
		return means
	case (counts || in.rate) && n.Temporality == "delta":
		return amounts
	case counts || in.rate:
		return increases
	}
	return levels
}

// metric finds or makes the quantity that a series belongs to.
func (m *meters) metric(n query.WatchMetric, in input) *metric {
	k := metricKey{env: n.Env, service: n.Service, metric: in.group}
	if k.metric == "" {
		k.metric = n.Name
	}
	k.label, _ = first(n.Attributes, in.label)
	k.queue, _ = first(n.Attributes, in.queue)
	x := m.index[k]
	if x == nil {
		x = &metric{metricKey: k, of: in.of, detector: anomaly.New(anomaly.Config{Kind: in.of.kind})}
		m.index[k] = x
		at, _ := slices.BinarySearchFunc(m.series, x, func(a, b *metric) int { return a.compare(b.metricKey) })
		m.series = slices.Insert(m.series, at, x)
	}
	return x
}

func (k metricKey) compare(o metricKey) int {
	return cmp.Or(cmp.Compare(k.env, o.env), cmp.Compare(k.service, o.service), cmp.Compare(k.metric, o.metric), cmp.Compare(k.label, o.label), cmp.Compare(k.queue, o.queue))
}

// meter finds or makes what an instance says.
func (x *metric) meter(instance string) *meter {
	if x.of.pooled {
		instance = ""
	}
	for _, y := range x.meters {
		if y.instance == instance {
			return y
		}
	}
	y := &meter{instance: instance}
	x.meters = append(x.meters, y)
	return y
}

// take judges the minute that begins at a time, with what came in it, and gives the alarms that began, changed or
// ended. A minute in which nothing of anything came is a gap in telemetry, and says nothing.
func (m *meters) take(at int64, samples []query.WatchSample) []anomaly.Alarm {
	m.changed, m.minute = nil, at
	if len(samples) == 0 {
		return nil
	}
	for i := range samples {
		if src := m.rows[samples[i].Series]; src != nil {
			src.put(&samples[i])
			if src.life != nil {
				src.life.sign(at)
			}
		}
	}
	for _, x := range m.series {
		m.settle(at, x)
	}
	if at%3600 == 0 {
		m.forget(at)
	}
	return m.changed
}

// put reads one minute of a series.
func (src *source) put(s *query.WatchSample) {
	src.seen = s.At
	if src.of == nil || s.N == 0 {
		return
	}
	v, n, ok := src.read(s)
	src.last, src.count, src.lastMS = s.Last, s.Count, s.LastMS
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	y := src.meter
	switch src.as {
	case limit:
		y.most += v * src.scale
		return // alone it says nothing
	case other:
		y.rest += v
	default:
		y.sum += v * src.scale
		y.rest += n
	}
	y.filled = true
}

// read gives the value of a minute; of a histogram the sum of what was observed, and how often.
func (src *source) read(s *query.WatchSample) (v, n float64, ok bool) {
	seconds := float64(s.LastMS-src.lastMS) / 1000
	follows := src.lastMS > 0 && seconds > 0 && seconds <= counterGap
	switch src.take {
	case amounts:
		return s.Sum / 60, 0, true
	case increases:
		grown := s.Last - src.last
		if grown < 0 { // it began anew
			grown = s.Last
		}
		return grown / seconds, 0, follows
	case means:
		grown, count := s.Last-src.last, float64(s.Count)-float64(src.count)
		return grown, count, follows && count > 0 && grown >= 0
	case sums:
		return s.Sum, float64(s.CountSum), s.CountSum > 0
	}
	return s.Sum / float64(s.N), 0, true
}

// settle closes a minute of one quantity.
func (m *meters) settle(at int64, x *metric) {
	v, ok := x.close(at)
	if !ok {
		if x.open.alarm != nil {
			m.move(at, x, finding{}, math.Inf(1))
		}
		return
	}
	if x.since == 0 {
		x.since = at
	}
	x.seen = at
	verdict := x.detector.Observe(time.Unix(at, 0), v)
	if at-x.since < youngest {
		m.note(x, at, verdict)
		return
	}
	f := x.find(v, verdict)
	verdict.Expected, verdict.Lower, verdict.Upper = f.expected, f.lower, f.upper
	m.note(x, at, verdict)
	x.exhaust(v, f)
	m.move(at, x, f, verdict.Threshold)
}

// note tells who asks how a minute was judged.
func (m *meters) note(x *metric, at int64, v anomaly.Verdict) {
	if m.record != nil {
		m.record(x, at, v)
	}
}

// find says how surprising a value is, in view of what was expected when the metric went off.
func (x *metric) find(v float64, e anomaly.Verdict) finding {
	if x.of.off(v, e.Expected, e.Lower, e.Upper) && e.Score >= e.Threshold && e.Score > x.edge.score {
		if x.edge.score > 0 { // it was off already
			e.Expected, e.Lower, e.Upper = x.edge.expected, x.edge.lower, x.edge.upper
		}
		x.edge = edge{e.Expected, e.Lower, e.Upper, e.Score}
	}
	f := finding{observed: v, expected: e.Expected, lower: e.Lower, upper: e.Upper, sample: 1, minutes: 1}
	if x.edge.score > 0 && x.of.off(v, x.edge.expected, x.edge.lower, x.edge.upper) {
		f.expected, f.lower, f.upper, f.score = x.edge.expected, x.edge.lower, x.edge.upper, x.edge.score
	} else if x.open.alarm == nil {
		x.edge = edge{}
	}
	return f
}

// close adds up what the instances said and gives the quantity's value: of the worst instance, or of all.
func (x *metric) close(at int64) (v float64, ok bool) {
	for _, y := range x.meters {
		if y.filled {
			y.level, y.share, y.at = y.sum, y.rest, at
		}
		if y.most > 0 {
			y.limit = y.most
		}
		y.sum, y.most, y.rest, y.filled = 0, 0, 0, false
		if y.at == 0 || at-y.at >= meterFresh {
			continue
		}
		level, said := x.of.level(y)
		if said && (!ok || level > v != x.of.fewer) {
			v, ok, x.instance, x.limit = level, true, y.instance, y.limit
		}
	}
	return v, ok
}

// level is the value that one instance says.
func (q *quantity) level(y *meter) (v float64, ok bool) {
	switch q {
	case cacheHits:
		if y.level+y.share < 0.1 { // lookups a second: of a few, the share says nothing
			return 0, false
		}
		return y.level / (y.level + y.share), true
	case poolWait:
		if y.share <= 0 {
			return y.level, true
		}
		return y.level / y.share, true
	}
	return y.level, true
}

// off says whether a value is far enough on the bad side to be worth telling.
func (q *quantity) off(v, expected, lower, upper float64) bool {
	if q.fewer {
		return v < lower && v*q.factor <= expected && expected-v >= q.more
	}
	return v > upper && v >= q.factor*expected && v-expected >= q.more
}

// exhaust counts the minutes in which a quantity was at its limit, or piled up.
func (x *metric) exhaust(v float64, f finding) {
	at := x.of.full > 0 && x.limit > 0 && v >= x.of.full*x.limit && f.score > 0
	if x.of.climbs && x.open.alarm != nil {
		if x.full == 0 {
			x.before = max(v, f.upper)
		}
		x.full++
		if x.full < climbWindow {
			return
		}
		if at = v >= 1.2*x.before; !at {
			x.full = 0
		}
		return
	}
	if !at {
		x.full = 0
		return
	}
	x.full = min(x.full+1, 1000)
}

// harm says whether what is not normal would be noticed: a pool or a memory that has nothing left, a queue whose work
// comes ever later.
func (x *metric) harm() bool {
	if x.of.climbs {
		return x.full >= climbWindow
	}
	return x.full >= wantFull
}

// move lets the alarm of a quantity begin, change or end.
func (m *meters) move(at int64, x *metric, f finding, threshold float64) {
	now := at + 60
	was := x.open.alarm
	changed, _ := x.open.move(now, f, threshold, false, func(f finding) *anomaly.Alarm { return m.raise(now, x, f) })
	if a := x.open.alarm; a != nil {
		if f.score > 0 && (f.observed > a.Observed) != x.of.fewer {
			a.Observed = f.observed
		}
		if !a.Paging && x.harm() && a.Score >= m.threshold(x) && !x.open.usual {
			a.Paging, a.Detected = true, time.Unix(now+metricLag, 0).UTC()
			changed = a
		}
	} else if was != nil {
		x.full, x.edge = 0, edge{}
	}
	if changed != nil {
		m.changed = append(m.changed, *changed)
	}
}

// threshold is the surprise from which on a quantity that is exhausted is told by itself: the budget of false alarms a
// day is for all series together.
func (m *meters) threshold(x *metric) float64 {
	return math.Log(450 * float64(max(len(m.series), 20)) / m.settings.budget(x.service, ""))
}

// what names a quantity in words.
func (x *metric) what() string {
	switch {
	case x.label == "" && x.queue == "":
		return x.of.what
	case x.of == lagging && x.label != "" && x.queue != "" && x.label != x.service:
		return x.of.what + " in queue " + x.queue + " of group " + x.label
	case x.queue != "":
		return x.of.what + " in queue " + x.queue
	case x.of == cacheHits:
		return x.of.what + " of " + x.label
	case strings.HasPrefix(x.of.what, "messages"):
		return x.of.what + " of group " + x.label
	}
	what := x.of.what + " of pool " + x.label
	if x.of == poolUse && x.limit > 0 {
		what += fmt.Sprintf(" (%.0f at most)", x.limit)
	}
	return what
}

// raise makes the alarm of a finding.
func (m *meters) raise(now int64, x *metric, f finding) *anomaly.Alarm {
	s := anomaly.Subject{Env: x.env, Service: x.service, Metric: x.metric, Label: x.label}
	if x.queue != "" {
		s.Peer, s.PeerKind = x.queue, "messaging"
	}
	began := time.Unix(now-60*int64(x.open.over), 0).UTC()
	a := &anomaly.Alarm{Subject: s, Symptom: anomaly.SymptomSaturation, Channel: anomaly.ChannelResidual, Began: began, Detected: time.Unix(now+metricLag, 0).UTC(),
		What: x.what(), Unit: x.of.unit, Observed: f.observed, Expected: f.expected, Lower: f.lower, Upper: f.upper, Score: f.score, Once: anomaly.OnceInDays(f.score, 60),
		Sample: f.sample, History: float64(now-x.since) / 86400}
	if x.instance != "" && len(x.meters) > 1 {
		a.Subject.Instance = x.instance
	}
	a.ID = alarmID(a.Subject, a.Symptom, began)
	return a
}

// forget drops what has not been heard of for a day, at the turn of an hour.
func (m *meters) forget(at int64) {
	for id, src := range m.rows {
		if src.seen > 0 && at-src.seen > meterGone {
			delete(m.rows, id)
		}
	}
	clear(m.unnamed)
	for _, x := range m.series {
		x.meters = slices.DeleteFunc(x.meters, func(y *meter) bool { return y.at > 0 && at-y.at > meterGone })
	}
	m.series = slices.DeleteFunc(m.series, func(x *metric) bool {
		gone := x.seen > 0 && at-x.seen > forgotten && x.open.alarm == nil
		if gone {
			delete(m.index, x.metricKey)
		}
		return gone
	})
}

// each calls f for every quantity that is in alarm.
func (m *meters) each(f func(*open)) {
	for _, x := range m.series {
		if x.open.alarm != nil {
			f(&x.open)
		}
	}
}
