package watch

import (
	"context"
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Bands is what is expected of a series of requests in each step of a window, as far as it is known now. nil where
// nothing is.
type Bands struct {
	Unit     string     `json:"unit"`  // ns, 1 for ratios, /s for rates
	TS       []int64    `json:"ts"`    // milliseconds at which the steps begin
	Value    []*float64 `json:"value"` // of a watched metric what was judged; of requests nothing, their charts have it
	Expected []*float64 `json:"expected"`
	Lower    []*float64 `json:"lower"`
	Upper    []*float64 `json:"upper"`
	History  float64    `json:"history_days"`
}

// BandsOf is what is expected of a service, or one of its operations. Without an environment the busiest one counts.
func (w *Watch) BandsOf(s anomaly.Subject, symptom anomaly.Symptom, r query.Range) Bands {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := Bands{Unit: units[latency], TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	switch symptom {
	case anomaly.SymptomErrors:
		out.Unit = units[failures]
	case anomaly.SymptomTraffic:
		out.Unit = units[traffic]
	}
	x := w.seriesOf(s)
	if x == nil {
		return out
	}
	out.History = float64(w.o.Now().Unix()-x.since) / 86400
	env := w.engine.envs[x.env]
	for at := r.FromMS; at < r.ToMS; at += r.StepMS {
		e, lo, hi := x.band(symptom, at/1000, float64(r.StepMS)/60000, env)
		out.TS = append(out.TS, at)
		out.Expected, out.Lower, out.Upper = append(out.Expected, number(e)), append(out.Lower, number(lo)), append(out.Upper, number(hi))
	}
	return out
}

func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// seriesOf finds the series of a subject, nil before history has been learned. Called with mu held.
func (w *Watch) seriesOf(s anomaly.Subject) *series {
	if w.engine == nil {
		return nil
	}
	if s.Env != "" {
		if at, known := w.engine.find(key{s.Env, s.Service, s.Operation, s.SpanKind}); known {
			return w.engine.series[at]
		}
		return nil
	}
	var best *series
	for _, x := range w.engine.series {
		if x.service != s.Service || x.name != s.Operation || s.SpanKind != "" && x.kind != s.SpanKind || s.Operation == "" && x.kind != "" {
			continue
		}
		if best == nil || x.expects > best.expects {
			best = x
		}
	}
	return best
}

// deviations is how many standard deviations a band is wide: what one step in about a thousand leaves by chance.
const deviations = 3.3

// band is what a step of so many minutes lets expect. NaN: nothing is known.
func (s *series) band(symptom anomaly.Symptom, at int64, minutes float64, env *environment) (expected, lower, upper float64) {
	nan := math.NaN()
	mu, drop := s.volume.expected(at+int64(30*minutes), &env.all)
	n := math.Max(mu*minutes, 1)
	k := 0
	for k+1 < len(spans) && float64(spans[k+1]) <= minutes {
		k++
	}
	switch symptom {
	case anomaly.SymptomTraffic:
		if mu <= 0 {
			return nan, nan, nan
		}
		shape := s.volume.noise[k].Shape()
		sd := math.Sqrt(n + n*n/math.Max(shape, 1e-3))
		return mu / 60, math.Max(0, math.Min(drop*minutes, n)-deviations*sd) / minutes / 60, (n + deviations*sd) / minutes / 60
	case anomaly.SymptomErrors:
		v := s.failures.Judge(n, s.failures.Usual()*n, 1)
		return s.failures.Usual(), 0, v.Upper
	}
	if s.usual.n < latencyKnown/4 {
		return nan, nan, nan
	}
	// The band of the typical latency, as the median shows it.
	typical := s.usual.quantile(0.5)
	sd := math.Sqrt(s.usual.variance/n + s.spread[k].variance())
	width := math.Max(deviations*sd, 0.02)
	return typical, s.usual.quantile(math.Max(0.02, 0.5-width)), s.usual.quantile(math.Min(0.98, 0.5+width))
}

// Series reads what an alarm's chart shows around it, with what was expected.
func (w *Watch) Series(ctx context.Context, a anomaly.Alarm, from, to time.Time) (Affected, error) {
	out := Affected{Subject: a.Subject, Symptom: a.Symptom, What: a.What, Unit: a.Unit, Began: a.Began, TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	if !a.Ended.IsZero() {
		out.Ended = &a.Ended
	}
	if a.Code != nil {
		err := w.codeSeries(ctx, a, from, to, &out)
		return out, err
	}
	if a.Subject.Metric != "" && a.Subject.Rule == "" && IsWatched(a.Subject.Metric) {
		m, err := w.metricSeries(ctx, a.Subject, from.Truncate(time.Minute).UnixMilli(), minTime(to, w.o.Now()).UnixMilli(), max(60_000, to.Sub(from).Milliseconds()/240/60_000*60_000))
		if err != nil || len(m.TS) == 0 {
			return out, err
		}
		out.TS, out.Value, out.Expected, out.Lower, out.Upper = m.TS, m.Value, m.Expected, m.Lower, m.Upper
		return out, nil
	}
	if a.Subject.Metric != "" || a.Subject.Service == "" {
		return out, nil
	}
	if a.Subject.Peer != "" {
		return w.edgeSeries(ctx, a, from, to)
	}
	s := a.Subject
	sel := query.Selection{Service: s.Service, Operation: s.Operation, Kind: s.SpanKind, Env: s.Env, Version: s.Version, Instance: s.Instance}
	ans, err := w.o.DB.Red(ctx, query.Window{From: from, To: to}, sel, "", 0)
	if err != nil || len(ans.Series) == 0 {
		return out, err
	}
	values := ans.Series[0].P50
	switch a.Symptom {
	case anomaly.SymptomErrors:
		values = ans.Series[0].ErrorRatio
	case anomaly.SymptomTraffic:
		values = ans.Series[0].Rate
	}
	for i, v := range values {
		at := ans.Range.FromMS + int64(i)*ans.Range.StepMS
		if at >= ans.Range.CompleteToMS {
			break
		}
		out.TS, out.Value = append(out.TS, at), append(out.Value, v)
	}
	ans.Range.ToMS = ans.Range.FromMS + int64(len(out.TS))*ans.Range.StepMS
	whole := s
	whole.Version, whole.Instance = "", ""
	b := w.BandsOf(whole, a.Symptom, ans.Range)
	if len(b.TS) == len(out.TS) && anyNumber(b.Expected) {
		out.Expected, out.Lower, out.Upper = b.Expected, b.Lower, b.Upper
		return out, nil
	}
	for range out.TS { // what the alarm itself knew
		e, lo, hi := a.Expected, a.Lower, a.Upper
		out.Expected, out.Lower = append(out.Expected, &e), append(out.Lower, &lo)
		if hi < e {
			out.Upper = append(out.Upper, nil)
		} else {
			out.Upper = append(out.Upper, &hi)
		}
	}
	return out, nil
}

func anyNumber(list []*float64) bool {
	for _, v := range list {
		if v != nil {
			return true
		}
	}
	return false
}

// Affected is one series that an incident shows in.
type Affected struct {
	Subject  anomaly.Subject `json:"subject"`
	Symptom  anomaly.Symptom `json:"symptom"`
	What     string          `json:"what,omitempty"` // of a metric, in words
	Unit     string          `json:"unit"`
	TS       []int64         `json:"ts"` // milliseconds
	Value    []*float64      `json:"value"`
	Expected []*float64      `json:"expected"`
	Lower    []*float64      `json:"lower"`
	Upper    []*float64      `json:"upper"`
	Began    time.Time       `json:"began"`
	Ended    *time.Time      `json:"ended"`
}
