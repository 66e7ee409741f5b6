package watch

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	// metricMemory is how much of the past what is expected of a metric is learned from, for a chart.
	metricMemory = 2 * 24 * time.Hour
	// mostMetricBand is how long a range with an expected band may be.
	mostMetricBand = 14 * 24 * time.Hour
)

// IsWatched says whether a metric is one that services are known by.
func IsWatched(metric string) bool {
	_, ok := known[metric]
	return ok
}

// judged is one minute of a metric, as it was judged.
type judged struct {
	at      int64 // Unix seconds
	verdict anomaly.Verdict
}

// pointsOf judges a metric of a service once more over what is stored, as detection did, from two days before a range
// to its end. Nothing is kept of a metric's past but what it takes to judge the next minute.
func (w *Watch) pointsOf(ctx context.Context, s anomaly.Subject, from, to time.Time) (q *quantity, points []judged, err error) {
	if to.Sub(from) > mostMetricBand {
		from = to.Add(-mostMetricBand)
	}
	in, ok := known[s.Metric]
	if !ok {
		return nil, nil, nil
	}
	names := []string{s.Metric}
	for n, list := range known {
		if n != s.Metric && list[0].group == groupOf(s.Metric, in[0]) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	win := query.Window{From: from.Add(-metricMemory).Truncate(time.Minute), To: to}
	all, _, err := w.o.DB.WatchMetricNames(ctx, names, win, w.o.MetricSeries)
	if err != nil {
		return nil, nil, err
	}
	m := newMeters(Settings{Default: DefaultBudget}, nil)
	m.record = func(_ *metric, at int64, v anomaly.Verdict) {
		if at >= from.Unix() {
			points = append(points, judged{at, v})
		}
	}
	ids := []uint64{}
	for _, id := range sortedIDs(all) {
		if n := all[id]; n.Service != s.Service || s.Env != "" && n.Env != s.Env {
			continue
		}
		m.know(id, all[id])
		src := m.rows[id]
		if src.of == nil || src.of.metric != groupOf(s.Metric, in[0]) || s.Label != "" && src.of.label != s.Label || s.Peer != "" && src.of.queue != s.Peer {
			delete(m.rows, id)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return in[0].of, nil, nil
	}
	m.only()
	samples, err := w.o.DB.WatchSamplesOf(ctx, names, ids, win)
	if err == nil && in[0].of == poolWait {
		err = w.o.DB.WatchCounts(ctx, names, win, samples)
	}
	for at := win.From.Unix(); at < to.Unix() && len(samples) > 0; at += 60 {
		n := 0
		for n < len(samples) && samples[n].At < at+60 {
			n++
		}
		m.take(at, samples[:n])
		samples = samples[n:]
	}
	return in[0].of, points, err
}

// groupOf is the name under which a metric's quantity is watched.
func groupOf(metric string, in input) string {
	if in.group != "" {
		return in.group
	}
	return metric
}

// only keeps the first quantity that has sources, where a subject does not say which of several is meant.
func (m *meters) only() {
	used := map[*metric]bool{}
	for _, src := range m.rows {
		used[src.of] = true
	}
	m.series = slices.DeleteFunc(m.series, func(x *metric) bool { return !used[x] })
	if len(m.series) > 1 {
		m.series = m.series[:1]
	}
}

// MetricBands is what was expected of a metric of a service in each step of a range.
func (w *Watch) MetricBands(ctx context.Context, s anomaly.Subject, r query.Range) (Bands, error) {
	out := Bands{TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	a, err := w.metricSeries(ctx, s, r.FromMS, r.ToMS, r.StepMS)
	if err != nil {
		return out, err
	}
	out.Unit, out.TS, out.Value, out.Expected, out.Lower, out.Upper = a.Unit, a.TS, a.Value, a.Expected, a.Lower, a.Upper
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.beside == nil {
		return out, nil
	}
	for _, x := range w.beside.meters.series {
		if x.service == s.Service && x.metric == s.Metric && (s.Env == "" || x.env == s.Env) && x.since > 0 {
			out.History = max(out.History, float64(w.o.Now().Unix()-x.since)/86400)
		}
	}
	return out, nil
}

// metricSeries is a metric with its band in steps: of a step the mean of its minutes.
func (w *Watch) metricSeries(ctx context.Context, s anomaly.Subject, fromMS, toMS, stepMS int64) (Affected, error) {
	out := Affected{Subject: s, Symptom: anomaly.SymptomSaturation, TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	q, points, err := w.pointsOf(ctx, s, time.UnixMilli(fromMS), time.UnixMilli(toMS))
	if err != nil || q == nil {
		return out, err
	}
	out.Unit = q.unit
	var last judged
	for at := fromMS; at < toMS; at += stepMS {
		var n float64
		var sum anomaly.Verdict
		for len(points) > 0 && points[0].at*1000 < at+stepMS {
			v := points[0].verdict
			last = points[0]
			points, n = points[1:], n+1
			sum.Value, sum.Expected, sum.Lower, sum.Upper = sum.Value+v.Value, sum.Expected+v.Expected, sum.Lower+v.Lower, sum.Upper+v.Upper
		}
		if n == 0 && at < (last.at+60)*1000 { // a step within a minute
			v := last.verdict
			n, sum = 1, anomaly.Verdict{Value: math.NaN(), Expected: v.Expected, Lower: v.Lower, Upper: v.Upper}
		}
		out.TS = append(out.TS, at)
		for _, x := range []struct {
			into *[]*float64
			v    float64
		}{{&out.Value, sum.Value / n}, {&out.Expected, sum.Expected / n}, {&out.Lower, sum.Lower / n}, {&out.Upper, sum.Upper / n}} {
			*x.into = append(*x.into, number(x.v)) // of no points there is no number
		}
	}
	return out, nil
}
