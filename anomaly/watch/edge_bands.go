package watch

import (
	"context"
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// edgeSeries reads what the chart of an alarm about calls shows around it, by the minute as it was judged, with what
// was expected.
func (w *Watch) edgeSeries(ctx context.Context, a anomaly.Alarm, from, to time.Time) (Affected, error) {
	out := Affected{Subject: a.Subject, Symptom: a.Symptom, Unit: a.Unit, Began: a.Began, TS: []int64{}, Value: []*float64{}, Expected: []*float64{}, Lower: []*float64{}, Upper: []*float64{}}
	if !a.Ended.IsZero() {
		out.Ended = &a.Ended
	}
	s := a.Subject
	edges, rows, err := w.o.DB.WatchEdges(ctx, query.Window{From: from.Truncate(time.Minute), To: to})
	if err != nil {
		return out, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var x *series
	if w.beside != nil {
		if at, known := w.beside.edges.find(key{s.Env, s.Service, s.Peer, s.PeerKind}); known {
			x = w.beside.edges.series[at]
		}
	}
	minute := from.Truncate(time.Minute).UnixMilli()
	for _, r := range rows {
		if edges[r.Series] != (query.WatchEdge{Env: s.Env, Client: s.Service, Target: s.Peer, Kind: s.PeerKind}) || r.Calls == 0 {
			continue
		}
		for ; minute < r.At*1000; minute += 60_000 { // without calls
			out.add(minute, math.NaN(), math.NaN(), math.NaN(), math.NaN())
		}
		v := float64(r.Errors) / float64(r.Calls)
		if a.Symptom == anomaly.SymptomLatency {
			v = typical(r)
		}
		e, lo, hi := a.Expected, a.Lower, a.Upper
		if x != nil {
			e, lo, hi = x.band(a.Symptom, r.At, 1, w.beside.edges.envs[x.env])
		}
		out.add(minute, v, e, lo, hi)
		minute += 60_000
	}
	return out, nil
}

func (a *Affected) add(at int64, v, expected, lower, upper float64) {
	a.TS = append(a.TS, at)
	a.Value, a.Expected = append(a.Value, number(v)), append(a.Expected, number(expected))
	a.Lower, a.Upper = append(a.Lower, number(lower)), append(a.Upper, number(upper))
}

// typical is the median latency of a row, in ns.
func typical(r query.WatchRow) float64 {
	var n, seen uint64
	for _, c := range r.Counts {
		n += c
	}
	best := math.NaN()
	for i, b := range r.Buckets { // in order
		if seen += r.Counts[i]; 2*seen >= n {
			best = math.Exp2((float64(b) - 0.5) / 32)
			break
		}
	}
	return best
}
