package watch

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// mostCostPoints is how many points a chart of a function has at most.
const mostCostPoints = 180

// codeSeries reads what the function of an alarm cost over time, with what it cost before as the band. Where the version
// that the alarm is about has profiles, those count, else those of the others.
func (w *Watch) codeSeries(ctx context.Context, a anomaly.Alarm, from, to time.Time, out *Affected) error {
	step := max(time.Minute, to.Sub(from)/mostCostPoints).Truncate(time.Minute)
	if now := w.o.Now().Truncate(time.Minute); to.After(now) {
		to = now
	}
	window := query.Window{From: from.Truncate(step), To: to}
	b, err := w.readCosts(ctx, window, step, a.Subject.Service)
	if err != nil {
		return err
	}
	f := newFunctions(Settings{Default: DefaultBudget})
	k := costKey{a.Subject.Env, a.Subject.Service, a.Code.Cost, a.Code.Type}
	s := f.of(query.CostGroup{Env: k.env, Service: k.service, Cost: k.cost, Type: k.kind})
	id, _ := s.track(a.Code.Function)
	f.take(b, false)
	points := map[int64]*costCell{}
	for _, v := range s.versions {
		for i := range v.blocks {
			c := &v.blocks[i]
			if c.exposure().Requests > 0 && (points[c.at] == nil || v.name == a.Subject.Version) {
				points[c.at] = c
			}
		}
	}
	for at, c := range points {
		if c.samples == 0 {
			delete(points, at)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(points)) {
		c := points[at]
		v := valueAt(c.total, id) / c.exposure().Requests
		e, lo, hi := a.Expected, a.Lower, a.Upper
		out.TS, out.Value = append(out.TS, at*1000), append(out.Value, &v)
		out.Expected, out.Lower, out.Upper = append(out.Expected, &e), append(out.Lower, &lo), append(out.Upper, &hi)
	}
	return nil
}
