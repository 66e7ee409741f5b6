package watch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	// costLag is how long after a minute its profiles are waited for: they come once they have been taken.
	costLag   = 90 * time.Second
	costEvery = time.Minute
	costTime  = 40 * time.Second // that one round may take
	// mostVerified is how many suspicions are looked into in one round: each reads two call trees.
	mostVerified = 4
	costLearn    = 6 * time.Hour // hours read in one go
	costQuiet    = 15 * 60       // seconds at the old level after which an alarm is over
	costGone     = 30 * 60       // seconds without the version after which an alarm is over
)

// codeAlarm is a function whose cost has risen.
type codeAlarm struct {
	alarm *anomaly.Alarm
	high  int64 // the last time that it cost more, Unix seconds
	told  bool
}

// codeCounts are the metrics of what is watched in profiles.
type codeCounts struct {
	functions, left prometheus.Gauge
	failures        prometheus.Counter
	took            prometheus.Histogram
}

func newCodeCounts() codeCounts {
	return codeCounts{
		functions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_detection_functions", Help: "Functions of services whose cost is watched in profiles."}),
		left:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_detection_functions_left_out", Help: "Services whose profiles are not watched because there are more than are watched at most, in the last round."}),
		failures:  prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_detection_functions_failures_total", Help: "Rounds of watching profiles that failed."}),
		took:      prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tidemark_detection_functions_seconds", Help: "Time of a round of watching profiles.", Buckets: prometheus.ExponentialBuckets(.005, 2, 14)}),
	}
}

func (c codeCounts) all() []prometheus.Collector {
	return []prometheus.Collector{c.functions, c.left, c.failures, c.took}
}

// codeOnly says that profiles alone know of an incident. Of another one they only say why.
func codeOnly(inc anomaly.Incident) bool {
	return !slices.ContainsFunc(inc.Alarms, func(a anomaly.Alarm) bool { return a.Code == nil })
}

// runFunctions watches what functions cost, once a minute, while this process runs detection. Its rounds take longer
// than those of requests and do not hold them up.
func (w *Watch) runFunctions() {
	var f *functions
	var since time.Time
	for wait := time.Second; w.pause(wait); {
		wait = costEvery
		at, ready := w.ready()
		if !ready {
			f, wait = nil, time.Second
			continue
		}
		if f == nil || !at.Equal(since) { // history that came late is learned as well
			learned := newFunctions(w.Sensitivity())
			if err := w.learnFunctions(learned, w.o.Now().Add(-costLag).Truncate(time.Minute)); err != nil {
				if w.ctx.Err() == nil {
					w.code.failures.Inc()
					w.o.Logger.Warn("what functions cost is not learned yet", "error", err)
				}
				continue
			}
			f, since = learned, at
		}
		w.roundOfFunctions(f, w.o.Now().Add(-costLag).Truncate(time.Minute))
	}
}

// ready says that this process has learned what is stored, and when, and that it opens incidents.
func (w *Watch) ready() (learned time.Time, ready bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.learned, w.engine != nil && w.leading
}

// learnFunctions reads the hours and blocks before a moment, and takes up the alarms that were open.
func (w *Watch) learnFunctions(f *functions, to time.Time) error {
	ctx := query.Batch(w.ctx)
	blocks := to.Add(-costBlocks * costBlock * time.Second).Truncate(time.Hour)
	for from := blocks.Add(-costHours * time.Hour); from.Before(blocks); from = from.Add(costLearn) {
		if err := w.takeCosts(ctx, f, query.Window{From: from, To: minTime(from.Add(costLearn), blocks)}, time.Hour); err != nil {
			return err
		}
	}
	if err := w.takeCosts(ctx, f, query.Window{From: blocks, To: to}, costBlock*time.Second); err != nil {
		return err
	}
	incidents, err := w.List(ctx, Filter{Window: query.Window{From: to.Add(-costHours * time.Hour), To: to.Add(time.Hour)}})
	if err != nil {
		return err
	}
	f.settle(to.Unix())
	f.resume(incidents)
	return nil
}

// resume takes up what incidents say of functions: alarms that are open, and levels that have become normal.
func (f *functions) resume(incidents []anomaly.Incident) {
	for _, inc := range incidents {
		for _, a := range inc.Alarms {
			if a.Code == nil {
				continue
			}
			s := f.series[costKey{a.Subject.Env, a.Subject.Service, a.Code.Cost, a.Code.Type}]
			switch {
			case s == nil:
			case a.Ended.IsZero():
				s.track(a.Code.Function)
				s.open = append(s.open, &codeAlarm{alarm: &a, high: a.Detected.Unix(), told: true})
			case a.Ended.Sub(a.Began) >= adoptAfter*time.Second:
				s.levels = append(s.levels, adoptedLevel{identity(a.Code.Function), a.Observed})
			}
		}
	}
}

// takeCosts reads what functions cost in a window.
func (w *Watch) takeCosts(ctx context.Context, f *functions, window query.Window, step time.Duration) error {
	b, err := w.readCosts(ctx, window, step, "")
	if err != nil {
		return err
	}
	f.take(b, step == time.Hour)
	return nil
}

// costBatch is what was read of a window.
type costBatch struct {
	exposures map[query.CostStep]query.Exposure
	rows      []*query.CostRows
	names     map[string]stackNames
}

// readCosts asks the store: which profiles there are, how many requests they stand for, and what their stacks took, each
// in one query for all services, or for one.
func (w *Watch) readCosts(ctx context.Context, window query.Window, step time.Duration, service string) (*costBatch, error) {
	b := &costBatch{names: map[string]stackNames{}}
	db := w.o.DB
	profiles, err := db.CostProfiles(ctx, window, step, service)
	if err != nil {
		return nil, fmt.Errorf("read which profiles there are: %w", err)
	}
	if len(profiles) == 0 {
		return b, nil
	}
	var services []string
	for _, p := range profiles {
		if i, ok := slices.BinarySearch(services, p.Service); !ok {
			services = slices.Insert(services, i, p.Service)
		}
	}
	requests, err := db.CostRequests(ctx, window, step, services)
	if err != nil {
		return nil, fmt.Errorf("count the requests of what was profiled: %w", err)
	}
	b.exposures = query.Expose(profiles, requests, step, window.To)
	need := map[string]map[uint64]bool{}
	for _, cost := range []string{query.CostCPU, query.CostAlloc} {
		rows, err := db.CostSamples(ctx, window, step, cost, service, profiles)
		if err != nil {
			return nil, fmt.Errorf("read what functions cost: %w", err)
		}
		for _, r := range rows.Samples {
			service := rows.Groups[r.Group].Service
			if need[service] == nil {
				need[service] = map[uint64]bool{}
			}
			need[service][r.Stack] = true
		}
		b.rows = append(b.rows, rows)
	}
	for service, stacks := range need {
		hashes := make([]uint64, 0, len(stacks))
		for h := range stacks {
			hashes = append(hashes, h)
		}
		slices.Sort(hashes)
		frames, paths, err := db.StackFunctions(ctx, service, hashes)
		if err != nil {
			return nil, fmt.Errorf("read the stacks of %s: %w", service, err)
		}
		b.names[service] = stackNames{frames, paths}
	}
	return b, nil
}

// take takes in what was read.
func (f *functions) take(b *costBatch, hours bool) {
	f.exposed(b.exposures, hours)
	for _, rows := range b.rows {
		f.sampled(rows, b.names, hours)
	}
}

// roundOfFunctions reads the newest blocks again and judges.
func (w *Watch) roundOfFunctions(f *functions, to time.Time) {
	ctx, cancel := context.WithTimeout(query.Batch(w.ctx), costTime)
	defer cancel()
	began := time.Now()
	now := to.Unix()
	f.settings = w.Sensitivity()
	window := query.Window{From: time.Unix(now-now%costBlock-costReread, 0), To: to}
	b, err := w.readCosts(ctx, window, costBlock*time.Second, "")
	if err == nil {
		f.clear(window.From.Unix(), now)
		f.take(b, false)
		f.settle(now)
		var alarms []anomaly.Alarm
		alarms, err = f.judge(ctx, now, w.o.Now(), w.o.Explain.Code)
		w.code.functions.Set(float64(f.tracked()))
		w.code.left.Set(float64(f.left))
		w.tellFunctions(f, to, alarms)
	}
	if err != nil && w.ctx.Err() == nil {
		w.code.failures.Inc()
		w.o.Logger.Warn("a round of what functions cost failed", "error", err)
	}
	w.code.took.Observe(time.Since(began).Seconds())
}

// tellFunctions lets alarms change incidents; what is muted waits until it no longer is.
func (w *Watch) tellFunctions(f *functions, now time.Time, changed []anomaly.Alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []anomaly.Alarm
	for _, a := range changed {
		if !a.Ended.IsZero() {
			out = append(out, a)
		}
	}
	for _, s := range f.order {
		for _, o := range s.open {
			if !o.told && !w.taught.silent(*o.alarm) {
				o.told = true
				out = append(out, *o.alarm)
			}
		}
	}
	if len(out) > 0 && w.leading {
		w.handle(w.o.Now(), out)
	}
}

// verify compares two selections of profiles; explain.Explainer.Code does.
type verify func(context.Context, explain.CodeQuestion) ([]anomaly.CodeChange, error)

// judge gives the alarms that began or ended. now is the end of what was read, Unix seconds; known is the time at which it
// is judged.
func (f *functions) judge(ctx context.Context, now int64, known time.Time, verify verify) ([]anomaly.Alarm, error) {
	var out []anomaly.Alarm
	for _, s := range f.order {
		out = append(out, s.over(now)...)
	}
	looked := 0
	for _, x := range f.suspicions(now) {
		if looked == mostVerified {
			break
		}
		looked++
		changes, err := verify(ctx, x.question(now, f.threshold(x.series.key.service)))
		if err != nil {
			return out, fmt.Errorf("compare profiles of %s: %w", x.series.key.service, err)
		}
		fresh := false
		for _, c := range changes {
			if a := x.raise(now, known, c); a != nil {
				fresh = true
				out = append(out, *a)
			}
		}
		x.series.again(&x, now, fresh)
	}
	return out, nil
}

// again says when a suspicion is worth another look: after an hour at most.
func (s *costSeries) again(x *suspicion, now int64, found bool) {
	r := s.retry[x.name()]
	r.wait = min(max(2*r.wait, costBlock), costHour)
	if found {
		r.wait = costBlock
	}
	r.after = now + r.wait
	s.retry[x.name()] = r
}

// question is what verify is asked.
func (x *suspicion) question(now int64, threshold float64) explain.CodeQuestion {
	k := x.series.key
	side := func(v *costVersion, list []stretch) query.CostSelection {
		return query.CostSelection{Cost: k.cost, Type: k.kind, Env: k.env, Service: k.service, Version: v.name, Windows: costWindows(list, now)}
	}
	o := explain.CodeOptions(threshold)
	o.Noise = func(fn anomaly.Function, self bool) float64 {
		n, ok := x.noise[identity(fn)]
		switch {
		case !ok:
			return 0.1
		case self:
			return n[1]
		}
		return n[0]
	}
	return explain.CodeQuestion{Now: side(x.version, x.now), Before: side(x.previous, x.before), RegressionOptions: o, Beside: x.beside, Deployed: x.previous != x.version}
}

// raise makes the alarm of a change; nil: it is known, or no news.
func (x *suspicion) raise(now int64, detected time.Time, c anomaly.CodeChange) *anomaly.Alarm {
	s := x.series
	if slices.ContainsFunc(s.open, func(o *codeAlarm) bool { return identity(o.alarm.Code.Function) == identity(c.Function) }) || s.adopted(c.Function, true, c.Now) {
		return nil
	}
	if !c.PerRequest && c.Now < shareGrowth*c.Was {
		return nil
	}
	id, known := s.track(c.Function)
	pick := func(c *costCell) float64 { return valueAt(c.total, id) }
	began := x.now[0].at
	if known {
		if s.usual(now, pick, c.Now) || !s.lasts(x.now, pick, c.Was) {
			return nil
		}
		began = x.onset(pick, c.Was+.5*(c.Now-c.Was))
	}
	c.Deployed = c.Deployed && began-x.version.since <= rolloutShows
	c.Since = time.Unix(began, 0).UTC()
	unit := "ns"
	switch {
	case !c.PerRequest:
		unit = "1"
	case c.Cost == query.CostAlloc:
		unit = "By"
	}
	symptom := anomaly.SymptomCPU
	if c.Cost == query.CostAlloc {
		symptom = anomaly.SymptomAlloc
	}
	noise := x.noise[identity(c.Function)][0]
	width := deviations * math.Sqrt(1/max(c.Samples[1], 1)+1/max(c.Samples[0], 1)+noise*noise)
	a := &anomaly.Alarm{Subject: anomaly.Subject{Env: s.key.env, Service: s.key.service, Version: c.Version, Function: c.Function.Name}, Symptom: symptom, Channel: anomaly.ChannelProfile,
		Began: c.Since, Detected: detected.UTC(), Unit: unit, Observed: c.Now, Expected: c.Was, Lower: c.Was * math.Exp(-width), Upper: min(c.Was*math.Exp(width), c.Was+.9*(c.Now-c.Was)),
		Score: x.score, Once: onceInDays(x.score), Sample: c.Samples[0], History: float64(now-s.since) / 86400, Code: &c}
	// Without a release, what is usual at this time of the day has to be known.
	a.Paging = c.PerRequest && c.Cost == query.CostCPU && c.Share >= pagingRise && (c.Deployed || a.History >= 1)
	c.Confidence *= confidence(a.History)
	a.ID = alarmID(a.Subject, a.Symptom, a.Began)
	s.open = append(s.open, &codeAlarm{alarm: a, high: now})
	return a
}

// rolloutShows is within how many seconds of a version's first profile a rise has come with it.
const rolloutShows = 45 * 60

// confidence is how far history goes: about half after an hour, nearly all after a day.
func confidence(days float64) float64 { return 1 - .5*math.Exp(-days*8) }

// onset is the first block from which on a function cost more than a level a request.
func (x *suspicion) onset(pick func(*costCell) float64, level float64) int64 {
	first := x.now[0].at
	for i := len(x.version.blocks) - 1; i >= 0; i-- {
		c := &x.version.blocks[i]
		e := c.exposure().Requests
		if c.at >= first || e <= 0 || c.samples < leastProfile/4 {
			continue
		}
		if pick(c)/e < level {
			break
		}
		first = c.at
	}
	for _, n := range x.now { // within the window: it may have begun in the middle of it
		if e := n.c.exposure().Requests; first == x.now[0].at && e > 0 && n.c.samples >= leastProfile/4 {
			if pick(n.c)/e >= level {
				return n.at
			}
		}
	}
	return first
}

// over ends the alarms of functions that cost what they did, of versions that are gone, and of what has lasted so long
// that it is normal.
func (s *costSeries) over(now int64) []anomaly.Alarm {
	var out []anomaly.Alarm
	kept := s.open[:0]
	for _, o := range s.open {
		level, running := s.level(o.alarm, now)
		a := o.alarm
		if running && level >= a.Expected+.5*(a.Observed-a.Expected) {
			o.high = now
		}
		quiet := int64(costGone)
		if running {
			quiet = costQuiet
		}
		adopted := now-a.Began.Unix() >= adoptAfter
		if now-o.high < quiet && !adopted {
			kept = append(kept, o)
			continue
		}
		if adopted && now-o.high < quiet {
			s.levels = append(s.levels, adoptedLevel{identity(a.Code.Function), a.Observed})
		}
		ended := *a
		ended.Ended = time.Unix(max(o.high, a.Began.Unix()), 0).UTC()
		if adopted {
			ended.Ended = time.Unix(max(now, a.Began.Unix()), 0).UTC()
		}
		if o.told {
			out = append(out, ended)
		}
	}
	clear(s.open[len(kept):])
	s.open = kept
	return out
}

// level is what a function costs a request of late, in the version that an alarm is about or a later one, whichever
// costs most; false if none of them runs.
func (s *costSeries) level(a *anomaly.Alarm, now int64) (level float64, running bool) {
	id, ok := s.ids[identity(a.Code.Function)]
	var since int64
	for _, v := range s.versions {
		if v.name == a.Subject.Version {
			since = v.since
		}
	}
	for _, v := range s.versions {
		if v.since < since {
			continue
		}
		sum := addUp(s.newest(v, now, 3))
		if e := sum.exposure().Requests; e > 0 && sum.samples >= leastProfile/2 {
			running = true
			if ok {
				level = max(level, valueAt(sum.total, id)/e)
			}
		}
	}
	return level, running
}
