package watch

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// engine judges every series of requests, step by step. It has no clock and asks nobody: what it decides depends on
// the rows it is given alone, so that a replay decides as the live product did. It is not safe for concurrent use.
type engine struct {
	step     int64   // seconds between two judgements: 10 live, 60 over rollups of a minute
	requests *engine // whose load counts, where what is judged are calls; nil: its own
	delay    int64   // seconds by which what is judged is known later than it is over
	settings Settings

	rows    map[uint64]ref // by id of the store
	series  []*series      // ordered by key
	envs    map[string]*environment
	env     *environment        // asked for last
	alarmed []*series           // when they were judged last, otherwise than in a part
	lives   map[[2]string]*life // by environment and service
	settled int64               // newest minute settled, Unix seconds / 60
	judged  int64               // newest moment judged, Unix seconds
	changed []anomaly.Alarm
	spans   []span  // reused, as is
	chain   []int32 // by row of the minute that is settled: the one before it of its series, plus one
}

// ref is where a row belongs.
type ref struct {
	s *series
	p *part
}

// environment is what the series of one deployment environment share.
type environment struct {
	name   string
	all    volume
	minute float64
	crowds map[string]*crowd // by service
	crowd  crowd             // of all services together
	flowed int64             // the newest minute of crowds, Unix seconds / 60
	habit  int64             // Unix seconds at which something went on last that does so every day at this time
}

const (
	fineReread  = 3    // steps of 10 s that are read again each time; with a minute to settle all since its beginning
	settleAfter = 30   // seconds after which no more of a minute is waited for
	youngest    = 3600 // seconds of history without which nothing is judged
	forgotten   = 7 * 86400
)

func newEngine(step time.Duration, s Settings) *engine {
	return &engine{step: int64(step / time.Second), settings: s, rows: map[uint64]ref{}, envs: map[string]*environment{}, lives: map[[2]string]*life{}}
}

// know registers a row series of the store.
func (e *engine) know(id uint64, n query.WatchSeries) {
	k := key{n.Env, n.Service, n.Name, n.Kind}
	if n.Entry {
		k.name, k.kind = "", ""
	}
	at, known := e.find(k)
	if !known {
		if e.envs[k.env] == nil {
			e.envs[k.env] = &environment{name: k.env, crowds: map[string]*crowd{}}
		}
		if at > 0 { // text that is read with each row is kept once
			before := e.series[at-1].key
			k.env, k.service, k.kind = same(k.env, before.env), same(k.service, before.service), same(k.kind, before.kind)
		}
		e.series = slices.Insert(e.series, at, &series{key: k, life: e.lifeOf(k.env, k.service)})
	}
	s := e.series[at]
	r := ref{s: s}
	version, instance := n.Version, ""
	if n.Entry {
		version, instance = "", n.Instance
	}
	if version+instance != "" {
		i := slices.IndexFunc(s.parts, func(p *part) bool { return p.version == version && p.instance == instance })
		if i < 0 {
			s.parts = append(s.parts, &part{version: version, instance: instance})
			i = len(s.parts) - 1
		}
		r.p = s.parts[i]
	}
	e.rows[id] = r
}

// find is where a series is or belongs.
func (e *engine) find(k key) (at int, known bool) {
	return slices.BinarySearchFunc(e.series, k, func(s *series, k key) int { return compare(s.key, k) })
}

// same is text, or what equals it and is kept already.
func same(text, kept string) string {
	if text == kept {
		return kept
	}
	return text
}

func compare(a, b key) int {
	return cmp.Or(cmp.Compare(a.env, b.env), cmp.Compare(a.service, b.service), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
}

// fine says whether steps are shorter than a minute.
func (e *engine) fine() bool { return e.step < 60 }

// advance judges the moment now (Unix seconds). rows are those of the steps before it: of the minute that ends, or of
// the last steps of 10 s, as many as reread says. It gives the alarms that began, changed or ended.
func (e *engine) advance(now int64, rows []query.WatchRow) []anomaly.Alarm {
	e.changed = nil
	settle := now/60 - 1
	if e.fine() {
		settle = (now-settleAfter)/60 - 1
		if now <= e.judged { // the clock was set back: rings do not tell what is of this round
			e.clear(now, e.reread(now))
		}
	}
	e.judged = now
	due := settle > e.settled
	any := e.put(now, settle, rows, due)
	lives := any || len(rows) > 0 || e.lively(now)
	if due {
		e.settled = settle
		if lives {
			e.settle(settle)
		}
	}
	if lives {
		e.judge(now, due)
	}
	if due && any {
		e.learn(settle, rows)
	}
	return e.changed
}

// reread is how many steps of 10 s before now are to be read, the newest included: a few for what comes late, and
// once a minute all since the beginning of the minute that is settled then.
func (e *engine) reread(now int64) int64 {
	if settle := (now-settleAfter)/60 - 1; settle > e.settled {
		return min((now-settle*60)/fineStep, fineCells)
	}
	return fineReread
}

// clear empties the fine steps that are about to be read again.
func (e *engine) clear(now, steps int64) {
	last := now/fineStep - 1
	for _, s := range e.series {
		s.ring.clear(last, steps)
		for _, p := range s.parts {
			p.ring.clear(last, steps)
		}
	}
}

// put adds rows where they belong. any says whether the minute to settle had some. Rows of one series that follow one
// another are put faster.
func (e *engine) put(now, settle int64, rows []query.WatchRow, due bool) (any bool) {
	if due {
		e.chain = slices.Grow(e.chain[:0], len(rows))[:len(rows)]
	}
	fine, last, steps := e.fine(), now/fineStep-1, e.reread(now)
	var at ref
	var id uint64
	for i := range rows {
		r := &rows[i]
		if r.Series != id || at.s == nil {
			id, at = r.Series, e.rows[r.Series]
			if fine && at.s != nil {
				at.again(last, steps)
			}
		}
		if at.s == nil || r.Calls == 0 {
			continue
		}
		s := at.s
		if !s.usual.known {
			s.usual.begin(r.Buckets, r.Counts)
			s.since = r.At
		}
		s.seen = max(s.seen, r.At)
		s.life.speak(r.At, r.At+e.step)
		c := s.usual.judge(r.Calls, r.Errors, r.Buckets, r.Counts)
		s.add(r.At, c, at.p, fine)
		if due && r.At/60 == settle {
			any = true
			e.chain[i], s.due = s.due, int32(i)+1
			if s.name == "" && s.kind == "" {
				e.envOf(s).minute += float64(r.Calls)
			}
		}
	}
	return any
}

// again empties the fine steps that are read again, of a series whose rows of this round begin to come. Until then its
// ring has not reached the newest step. A series without rows has nothing to be emptied: what is stored stays.
func (r ref) again(last, steps int64) {
	if r.s.ring.newest < last {
		r.s.ring.clear(last, steps)
	}
	if r.p != nil && r.p.ring.newest < last {
		r.p.ring.clear(last, steps)
	}
}

// envOf is the environment of a series.
func (e *engine) envOf(s *series) *environment {
	if e.env == nil || e.env.name != s.env {
		e.env = e.envs[s.env]
	}
	return e.env
}

// settle closes a minute for every series.
func (e *engine) settle(minute int64) {
	at := minute * 60
	for _, env := range e.envs {
		env.each(func(own, _ *flow) { own.reach(env.flowed, minute) })
		env.flowed = minute
	}
	for _, s := range e.series {
		env := e.envOf(s)
		mu, drop := s.volume.expected(at+30, &env.all)
		c := s.pending
		if e.fine() {
			c = s.ring.fineMinute(minute)
		}
		s.pending = cell{}
		s.expects, s.drop = mu, drop
		s.ring.settle(minute, c, drop)
		for _, p := range s.parts {
			c := p.pending
			if e.fine() {
				c = p.ring.fineMinute(minute)
			}
			p.pending = cell{}
			if c.n > 0 {
				p.seen = at
			}
			p.ring.settle(minute, c, 0)
		}
		if s.name == "" && s.kind == "" {
			s.life.expects = s.expects
		}
		if own, all := env.flowOf(s); own != nil {
			usual := s.steadily()
			own.settle(minute, float64(c.n), usual)
			all.settle(minute, float64(c.n), usual)
		}
	}
}

// judge asks every channel of every series: of a service's operations before the service. Windows of ten minutes and
// more say hardly anything new within a minute, and are asked when one is settled, or while the service is in alarm.
func (e *engine) judge(now int64, due bool) {
	e.habits(now)
	e.gather(now)
	e.alarmed = e.alarmed[:0]
	var entry *series
	var spoken speech
	flush := func() {
		if entry != nil {
			e.judgeOne(now, entry, &spoken, due)
		}
		entry, spoken = nil, speech{}
	}
	for _, s := range e.series {
		if entry != nil && (s.service != entry.service || s.env != entry.env) {
			flush()
		}
		if now-s.since < youngest || now-s.seen > forgotten {
			continue
		}
		if s.name == "" && s.kind == "" {
			entry = s
			continue
		}
		e.judgeOne(now, s, &spoken, due)
	}
	flush()
}

// speech is what the operations of a service say of their latencies: how much the most surprising one, and how many
// requests a minute usually come to those that can say something.
type speech struct{ score, requests float64 }

const (
	speaks    = 2       // requests a minute that an operation takes to be judged by itself
	mostSpeak = 0.8     // of a service's requests: then it is known what its operations say
	seconded  = 1.0 / 3 // of the threshold
)

func (e *engine) judgeOne(now int64, s *series, spoken *speech, due bool) {
	longest := spans[len(spans)-1]
	if !due && now-s.life.alarmed > closeAfter {
		longest = shortSpan
	}
	threshold := e.threshold(s)
	e.judgeSeries(now, longest, s, threshold, spoken)
	if len(s.parts) > 1 {
		e.judgeParts(now, longest, s, partly*threshold)
	}
	for c := range s.watch {
		if s.watch[c].alarm != nil {
			e.alarmed = append(e.alarmed, s)
			break
		}
	}
}

// shortSpan is the longest window, in minutes, that is judged in every round.
const shortSpan = 3

// hears lets a service be slow only if one of its operations is: else slower ones are asked for more often than usual,
// which is nobody's fault. The operations have been judged before.
func (p *speech) hears(s *series, f finding, threshold float64) finding {
	if s.name == "" && s.kind == "" {
		if p.requests >= mostSpeak*s.expects && p.score < seconded*threshold {
			return finding{}
		}
		return f
	}
	if s.incoming() && s.expects >= speaks {
		p.score = max(p.score, f.score)
		p.requests += s.expects
	}
	return f
}

// threshold is the surprise that an alarm takes, for the budget of false alarms a day of all series together: about
// 400 windows a day of each of three channels are independent of one another.
func (e *engine) threshold(s *series) float64 {
	return alike * math.Log(float64(max(len(e.series), 20))*channels*400/e.settings.budget(s.service, s.name))
}

const (
	alike       = 1.25 // requests of one moment share caches, neighbours and users, and say less than as many apart
	outgoing    = 1.5  // calls that one request makes resemble one another: they count for less
	partly      = 1.4  // so do those that one instance happens to get
	duringHabit = 2.5  // while something daily goes on, its consequences need not be the same each day
)

// credit is what surprise counts for in a window: less where something daily went on in it.
func (env *environment) credit(now int64, w span) float64 {
	if now-env.habit <= 60*max(w.minutes, 1) {
		return 1 / duringHabit
	}
	return 1
}

// daily says whether something goes on that does so every day at this time, or did within the longest window: its
// consequences show on some days and not on others, and need not begin with it.
func (env *environment) daily(now int64) bool { return now-env.habit < 60*spans[len(spans)-1] }

// habits notes of each environment when something daily went on in it last.
func (e *engine) habits(now int64) {
	for _, s := range e.alarmed {
		for c := range s.watch {
			if s.watch[c].alarm != nil && s.watch[c].usual {
				e.envOf(s).habit = now
			}
		}
	}
}

func (e *engine) judgeSeries(now, longest int64, s *series, threshold float64, spoken *speech) {
	env := e.envOf(s)
	load := e.loads(s)
	e.spans = s.ring.windows(now, longest, e.fine(), s.drop, e.spans[:0])
	var best [channels]finding
	for i, w := range e.spans {
		k, credit := window(i, e.fine()), env.credit(now, w)
		if s.watch[latency].usable(now, w) {
			best[latency].strongest(s.slow(w, s.spread[k], load[k], 0).times(credit))
		}
		if s.watch[failures].usable(now, w) {
			best[failures].strongest(s.failing(w).times(credit))
		}
		if !w.fine && s.incoming() && s.watch[traffic].usable(now, w) && now-60*w.minutes >= s.life.back {
			best[traffic].strongest(s.missing(w, k).times(credit))
		}
	}
	best[latency] = spoken.hears(s, best[latency], threshold)
	best[traffic] = e.silence(now, s, best[traffic])
	for c := range best {
		e.move(now, s, nil, c, best[c], threshold)
	}
}

// incoming says whether a series is of requests that come in. How many calls go out depends on those, and one request
// may make a hundred at once: that they do not come is no news by itself.
func (s *series) incoming() bool { return s.kind == "" || s.kind == "server" || s.kind == "consumer" }

// judgeParts compares versions and instances with what is usual for the whole and with one another.
func (e *engine) judgeParts(now, longest int64, s *series, threshold float64) {
	active := 0
	for _, p := range s.parts {
		if now-p.seen < 1800 {
			active++
		}
	}
	if active < 2 {
		e.quieten(now, s, s.parts, threshold)
		return
	}
	load, env := e.loads(s), e.envOf(s)
	whole := s.ring.windows(now, longest, e.fine(), 0, nil)
	penalty := math.Log(float64(active))
	for _, p := range s.parts {
		if now-p.seen > forgotten/7 {
			e.quieten(now, s, []*part{p}, threshold)
			continue
		}
		e.spans = p.ring.windows(now, longest, e.fine(), 0, e.spans[:0])
		var best [channels]finding
		for i, w := range e.spans {
			k, credit := window(i, e.fine()), env.credit(now, w)
			rest := whole[i].cell
			rest.n -= w.n
			shift := 0.0
			if rest.n >= leastRequests {
				shift = max(0, float64(rest.rank-w.rank)/float64(rest.n))
			}
			if w.minutes >= patience && p.watch[latency].usable(now, w) {
				best[latency].strongest(s.slow(w, s.spread[k].wider(p.spread[k]), load[k], shift).times(credit))
			}
			if p.watch[failures].usable(now, w) {
				best[failures].strongest(s.failing(w).times(credit))
			}
		}
		for c := range best {
			if s.watch[c].alarm != nil && p.watch[c].alarm == nil { // the whole says it, and when it is over it is over
				p.watch[c].closed = now
				continue
			}
			best[c].score -= penalty
			e.move(now, s, p, c, best[c], threshold)
		}
	}
}

// patience is for how many minutes one of several instances or versions has to be slower than the others. A queue that
// one of them happens to have for a moment drains by itself; what matters more shows in the whole.
const patience = 10

// quieten lets alarms of parts that are not judged any more end.
func (e *engine) quieten(now int64, s *series, parts []*part, threshold float64) {
	for _, p := range parts {
		for c := range p.watch {
			if p.watch[c].alarm != nil {
				e.move(now, s, p, c, finding{}, threshold)
			}
		}
	}
}

var symptoms = [channels]anomaly.Symptom{anomaly.SymptomLatency, anomaly.SymptomErrors, anomaly.SymptomTraffic}
var names = [channels]anomaly.Channel{anomaly.ChannelLatency, anomaly.ChannelErrors, anomaly.ChannelThroughput}
var units = [channels]string{"ns", "1", "/s"}

// move lets a channel take in what was found and keeps the alarm that came of it.
func (e *engine) move(now int64, s *series, p *part, c int, f finding, threshold float64) {
	o := &s.watch[c]
	if p != nil {
		o = &p.watch[c]
	}
	if c == latency && !s.incoming() {
		threshold *= outgoing
	}
	was := o.alarm
	changed, ended := o.move(now, f, threshold, e.envOf(s).daily(now), func(f finding) *anomaly.Alarm { return e.raise(now, s, p, c, f) })
	if o.alarm != nil {
		s.life.alarmed = now
		if c == failures {
			s.life.failed = now
		}
	}
	if was != nil && o.alarm == nil && s.life.failed >= was.Began.Unix() {
		o.habit.drop(was.Began.Unix(), now)
	}
	if changed == nil {
		return
	}
	if ended && p == nil && now-changed.Began.Unix() >= adoptAfter {
		s.adopt(c)
	}
	e.changed = append(e.changed, *changed)
}

// raise makes the alarm of a finding.
func (e *engine) raise(now int64, s *series, p *part, c int, f finding) *anomaly.Alarm {
	subject := s.subject()
	r := &s.ring
	if p != nil {
		subject.Version, subject.Instance, r = p.version, p.instance, &p.ring
	}
	badness := func(x cell, mu float64) (float64, float64) { return s.badness(c, x, mu) }
	var began int64
	if e.fine() && f.minutes <= briefWindow && c != traffic {
		began = r.onsetFine(now, badness)
	} else {
		began = r.onset(now, max(f.minutes, 1), badness)
	}
	a := &anomaly.Alarm{Subject: subject, Symptom: symptoms[c], Channel: names[c], Began: time.Unix(began, 0).UTC(), Detected: time.Unix(now+e.delay, 0).UTC(),
		Unit: units[c], Observed: f.observed, Expected: f.expected, Lower: f.lower, Upper: finite(f.upper), Score: f.score, Once: onceInDays(f.score),
		Sample: f.sample, History: float64(now-s.since) / 86400, Paging: e.pages(s)}
	if f.noData {
		a.Channel, a.Paging = anomaly.ChannelNoData, a.Paging && !e.gap(now, s.env)
	}
	a.ID = alarmID(subject, a.Symptom, a.Began)
	return a
}

// subject is what a series is about: a service, its operation, or whom it calls.
func (k key) subject() anomaly.Subject {
	switch k.kind {
	case "service", "database", "messaging", "external":
		return anomaly.Subject{Env: k.env, Service: k.service, Peer: k.name, PeerKind: k.kind}
	}
	return anomaly.Subject{Env: k.env, Service: k.service, Operation: k.name, SpanKind: k.kind}
}

// finite replaces what JSON has no number for: there is no upper limit.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return 0
	}
	return v
}

// badness is what onset looks for.
func (s *series) badness(c int, x cell, mu float64) (sum, weight float64) {
	switch c {
	case latency:
		return float64(x.rank), float64(x.n) * max(s.usual.variance, 1e-3)
	case failures:
		p := s.failures.Usual()
		return float64(x.bad) - p*float64(x.n), p*float64(x.n) + 1e-6
	}
	return mu - float64(x.n), mu + 1e-6
}

// pages says whether an alarm of a series is worth a message by itself: calls that come in, often enough to matter.
func (e *engine) pages(s *series) bool {
	return (s.kind == "" || s.kind == "server") && s.expects >= 3
}

// adopt takes as normal what has gone on for so long.
func (s *series) adopt(c int) {
	switch c {
	case latency:
		s.usual.forget()
		s.usual.refresh(s.seen)
	case failures:
		s.failures.Good, s.failures.Bad = s.failures.Good*0.02, s.failures.Bad*0.02
	case traffic:
		s.volume.slow *= 0.3
		s.volume.fast *= 0.3
	}
}
