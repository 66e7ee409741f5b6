package anomaly

import (
	"math"
	"time"
)

// Config is what may be said about a series; nothing has to be.
type Config struct {
	Kind   Kind    // empty: KindAuto
	Budget float64 // expected false alarms a day; 0: DefaultBudget
}

// Detector judges one series online. It is not safe for concurrent use.
type Detector struct {
	config Config
	state  state
}

// state is all that a Detector has learned; only fixed-size fields, so that it
// can be stored as it is.
type state struct {
	N           float64 // values learned
	First, Last int64   // Unix seconds
	Step        stepper
	Base        baseline
	Short       short
	Residual    tail
	Trust       trust
	Habit       habit
	Peaks       peaks
	Value, Hour novelty // of the value, and of its mean over about an hour
	HourMean    float64
	Previous    float64 // value
	Negative    bool    // a value below zero was seen
	Ties        float64 // decayed share of values equal to the one before
	Tired       float64 // contextual alarms of late, 7-day half-life
	Rested      float64 // values since the last of them
	Recent      [2]float64
	Settle      float64 // values since the last long gap
	Incident    incident
	Alarms      float64 // verdicts of late, 7-day half-life: one for each run of them
	Calm        float64 // values since the last anomalous one
}

// New gives a Detector that knows nothing yet.
func New(c Config) *Detector {
	if c.Kind == "" {
		c.Kind = KindAuto
	}
	if !(c.Budget > 0) {
		c.Budget = DefaultBudget
	}
	d := &Detector{config: c}
	d.state.Step.Step = defaultStep
	d.state.Base.Bin = -1
	return d
}

// Observe judges the value v at t, then learns it. Times should not go back:
// a value from the past is judged, not learned. NaN and infinities are neither.
func (d *Detector) Observe(t time.Time, v float64) Verdict {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return d.silent(v)
	}
	s, at, x := &d.state, t.Unix(), d.transform(v)
	if s.N == 0 {
		d.begin(at, x)
		return d.silent(v)
	}
	if at < s.Last {
		past := *d
		past.state.Last = at
		return past.judge(at, v, x)
	}
	return d.judge(at, v, x)
}

// Step is the distance of the points in seconds, as learned.
func (d *Detector) Step() float64 { return d.state.Step.Step }

// transform takes a value to where its noise is even.
func (d *Detector) transform(v float64) float64 {
	switch d.config.Kind {
	case KindLatency:
		return math.Log(max(v, 1e-9))
	case KindCount:
		v = 2 * math.Sqrt(max(v, 0)+3.0/8)
	}
	return clamp(v, -largest, largest) // what float32 holds, squares included
}

const largest = 1e18

// restore is the inverse of transform.
func (d *Detector) restore(x float64) float64 {
	switch d.config.Kind {
	case KindLatency:
		return math.Exp(min(x, 700))
	case KindCount:
		x = max(x, 0)
		return max(0, x*x/4-3.0/8)
	case KindRatio:
		return clamp(x, 0, 1)
	}
	return x
}

func (d *Detector) begin(at int64, x float64) {
	s := &d.state
	s.N, s.First, s.Last, s.Previous, s.HourMean = 1, at, at, x, x
	s.Base.Level, s.Base.Base, s.Base.Slow = x, x, x
	s.Base.Sigma = max(0.1*math.Abs(x), 1e-9)
	s.Negative = x < 0
	s.Base.enter(at, s.Step.Step)
	s.Value.observe(x, hourOf(at), noveltyShape())
	s.Short.observe(x, 0, x, 1, 0)
	s.Trust.Mean = x
}

// silent is the verdict on what cannot be judged.
func (d *Detector) silent(v float64) Verdict {
	e := d.restore(d.state.Base.Level)
	if d.state.N <= 1 && !math.IsNaN(v) {
		e = v
	}
	return Verdict{Value: v, Expected: e, Lower: e, Upper: e, Threshold: d.threshold(), Open: d.state.Incident.Open}
}

func (d *Detector) threshold() float64 { return Threshold(d.state.Step.Step, d.config.Budget) }

// judge gives the verdict on the value v, x once transformed, and learns it.
func (d *Detector) judge(at int64, v, x float64) Verdict {
	s := &d.state
	elapsed := float64(at - s.Last)
	d.pass(at, elapsed, x)
	e := s.Base.expect(x)
	z := math.Abs(e.excess) / e.sigma

	contextual, weight := d.contextual(x, z, e)
	usualPeak := s.Peaks.observe(x, e.value, hourOf(at), contextual)
	contextual, weight = contextual*usualPeak, weight*usualPeak
	novel := d.novel(at, x) / (1 + settings.NovelFatigue*max(0, s.Alarms-settings.NovelFatigueFrom))
	score, channel := contextual, ChannelResidual
	if novel > contextual {
		score, channel = novel, ChannelNovelty
	}
	damp := d.damping()
	score = (score + settings.Agree*min(novel, contextual)) * damp

	threshold := d.threshold()
	score = d.persistent(score)
	usual := s.Habit.takesOff(at, s.Step.Step)
	if !s.Incident.Open && s.N > settings.Warm {
		s.Habit.learn(at, score)
	}
	if score > settings.HabitFrom {
		score = max(settings.HabitFrom, score-usual)
	}
	d.count(score >= threshold)
	out := Verdict{
		Value: v, Expected: d.restore(e.value), Score: score, Threshold: threshold,
		Anomalous: score >= threshold, Channel: channel, Confidence: d.confidence(at),
	}
	reach := s.Residual.reach((threshold+usual)/max(damp*weight, 0.01), residualShape()) * e.sigma
	s.Negative = s.Negative || x < 0
	out.Lower, out.Upper = d.band(x, e, reach, score/threshold)

	out.ChangePoint = d.learn(at, elapsed, x, z, e, score, threshold)
	out.Open = s.Incident.Open
	return out
}

// pass moves time on to a value that came elapsed seconds after the last one.
func (d *Detector) pass(at int64, elapsed, x float64) {
	s := &d.state
	if elapsed > 0 {
		s.Step.observe(elapsed)
	}
	if elapsed > max(3600, 10*s.Step.Step) {
		s.Short.forget()
		s.Settle = 0
	}
	fade := math.Exp2(-elapsed / (7 * day))
	s.Tired, s.Alarms = s.Tired*fade, s.Alarms*fade
	same := 0.0
	if x == s.Previous {
		same = 1
	}
	s.Ties += 0.005 * (same - s.Ties)
	s.Previous, s.Last = x, at
	s.N++
	s.Settle++
	s.Base.enter(at, s.Step.Step)
}

// contextual is the surprise in view of the level, the time of day and the last
// few values, and the share that the residual's own surprise has in it. It
// counts as far as these contexts explain the series at all, and less or not at
// all for series that mostly repeat one value.
func (d *Detector) contextual(x, z float64, e expectation) (surprise, weight float64) {
	s := &d.state
	s.Trust.learn(x, e, s.N)
	weight = s.Trust.of(s.Trust.Error)
	long := s.Residual.surprise(z, residualShape()) * weight
	brief, ok := s.Short.observe(x, e.residual, s.Base.Level, s.N, s.Incident.points())
	varies := clamp((settings.Ties+settings.TiesWidth-s.Ties)/(2*settings.TiesWidth), 0, 1)
	if varies == 0 {
		return 0, 0
	}
	if ok {
		w := settings.ShortShare * math.Pow(60/max(60, s.Step.Step), settings.ShortShareStep)
		brief *= s.Trust.of(s.Short.Abs) * e.unexcused()
		long = max((1-w)*long+w*brief, settings.ShortAlone*s.Trust.smooth(s.Short.Abs)*brief)
	}
	rest := varies / (1 + settings.Fatigue*max(0, s.Tired-settings.FatigueFrom))
	d.tire(long * rest)
	return long * rest, weight * rest
}

// tire counts alarms of the contextual channel: a series that alarms day after
// day has to say more to be heard.
func (d *Detector) tire(surprise float64) {
	s := &d.state
	s.Rested++
	if surprise < d.threshold() {
		return
	}
	if s.Rested > 8 {
		s.Tired++
	}
	s.Rested = 0
}

// novel is the surprise at a value, and at a mean over about an hour, such as
// was not seen in 14 days. The mean only adds to what the value says.
func (d *Detector) novel(at int64, x float64) float64 {
	s := &d.state
	rate := min(0.5, settings.HourRate*math.Pow(s.Step.Step/300, settings.HourRateStep))
	s.HourMean += rate * (x - s.HourMean)
	value := s.Value.observe(x, hourOf(at), noveltyShape())
	mean := s.Hour.observe(s.HourMean, hourOf(at), noveltyShape())
	return settings.Novel * (value + min(value, settings.HourShare*mean))
}

// damping is what the surprise is multiplied with while little is known.
func (d *Detector) damping() float64 {
	s := &d.state
	f := 1.0
	if s.N < settings.Warm {
		f *= s.N / settings.Warm / 2
	}
	if few := 10.0; s.Settle < few && s.N > settings.Warm {
		f *= (1 + s.Settle/few) / 2
	}
	return f
}

// count counts runs of anomalous values: a series that alarms day after day has
// to show something newer than what was new before.
func (d *Detector) count(anomalous bool) {
	s := &d.state
	s.Calm++
	if !anomalous {
		return
	}
	if s.Calm > runGap {
		s.Alarms++
	}
	s.Calm = 0
}

const runGap = 10 // values without alarm that separate two runs

// persistent asks for two surprises in three where points come so densely that
// a single one means little. Three in a row that are all surprising say more
// than the last of them alone: what is off by a moderate amount and stays so is
// found by that.
func (d *Detector) persistent(score float64) float64 {
	r := &d.state.Recent
	out := score
	if d.state.Step.Step < persistBelow {
		out = median3([3]float64{r[0], r[1], score})
	}
	out += settings.Sustained * max(0, min(r[0], r[1], score)-settings.SustainedFrom)
	r[0], r[1] = r[1], score
	return out
}

const persistBelow = 30 // seconds between points

// confidence grows with history: .1 after an hour, .5 after a day, .9 after a
// week, 1 after two.
func (d *Detector) confidence(at int64) float64 {
	hours := float64(at-d.state.First) / 3600
	return clamp(math.Log1p(hours)/math.Log1p(14*24), 0, 1)
}

// band is the range around the expectation in which the residual alone alarms
// for nothing. Where a value inside is anomalous for what the last few values
// were, or because it is new, the band is drawn in far enough to show it:
// tightness is how far its score is above the threshold.
func (d *Detector) band(x float64, e expectation, reach, tightness float64) (lower, upper float64) {
	reach = min(reach, widest*e.sigma)
	lo, hi := e.value-reach, e.value+reach
	if slack := math.Abs(e.residual - e.excess); e.residual > 0 {
		hi += slack
	} else {
		lo -= slack
	}
	if tightness >= 1 && x >= lo && x <= hi {
		edge := e.value + 0.99*(x-e.value)/tightness
		if x > e.value {
			hi = edge
		} else {
			lo = edge
		}
	}
	if !d.state.Negative && x >= 0 && d.config.Kind != KindLatency {
		lo = max(lo, 0)
	}
	return d.restore(lo), d.restore(hi)
}

const widest = 50 // deviations that a band reaches at most

// learn moves the incident on and everything else that v teaches. It tells
// whether a new level was adopted.
func (d *Detector) learn(at int64, elapsed, x, z float64, e expectation, score, threshold float64) (adopted bool) {
	s := &d.state
	adopted = s.Incident.observe(at, e.residual, score, threshold)
	if adopted {
		s.Base.adopt(s.Incident.Shift, e)
	}
	s.Base.note(e.residual)
	days := float64(at-s.First) / day
	open := s.Incident.Open
	if whole := math.Floor(days); whole >= 1 && whole <= 2 && days-whole < elapsed/day && s.N >= 200 {
		s.Residual.renew() // until now it was the tail of a baseline that did not know the day
	}
	n := min(s.N, max(s.Settle, 3)+20) // a level is found again quickly after a gap
	if s.Settle == s.N {
		n = s.N
	}
	s.Base.learn(lesson{x: x, e: e, spread: s.Value.Spread, n: n, days: days, step: s.Step.Step, elapsed: elapsed, incident: open})
	switch {
	case open && s.Incident.Points == 1:
		s.Residual.learn(z, settings.TailFirst)
	case !open && s.N > 30:
		s.Residual.learn(z, 1)
	case open:
		s.Residual.learn(z, settings.TailInIncident)
	}
	return adopted
}

func residualShape() tailShape {
	return tailShape{Own: settings.Own, Gate: settings.Gate, PoolXi: settings.PoolXi}
}

func noveltyShape() tailShape {
	return tailShape{Own: settings.NovelOwn, Gate: 100, PoolXi: settings.NovelXi}
}

func hourOf(at int64) uint16 { return uint16(at / 3600) }
