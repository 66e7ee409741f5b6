package explain

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// How a change that comes every day is told from one that does not.
const (
	usualNodes = 12 // places looked at, those that changed most
	usualCalls = 15 // calls that a comparison of durations needs in each window
)

// usualDays are the days with which the same change is looked for, at the same time of day.
var usualDays = []time.Duration{24 * time.Hour, 48 * time.Hour}

// discountUsual says of the places that became slower or fail more how much of that happens at this time of every day,
// as a nightly batch does: such a place is no cause. A change must have come on each of the days that are known.
func (e *Explainer) discountUsual(ctx context.Context, c *investigation) error {
	windows := []query.Window{c.during, c.before}
	for _, d := range usualDays {
		windows = append(windows, shifted(c.during, d), shifted(c.before, d))
	}
	grown, failing := map[query.OperationKey][]*grown{}, map[query.OperationKey][]*failures{}
	var keys []query.OperationKey
	know := func(spans []*span) (k query.OperationKey, ok bool) {
		if len(spans) == 0 {
			return k, false
		}
		k = query.OperationKey{Service: spans[0].Service, Name: spans[0].Name, Kind: spans[0].Kind}
		if grown[k] == nil && failing[k] == nil {
			keys = append(keys, k)
		}
		return k, true
	}
	for _, g := range c.latency.nodes[:min(len(c.latency.nodes), usualNodes)] {
		if k, ok := know(g.spans); ok && g.delta > 0 {
			grown[k] = append(grown[k], g)
		}
	}
	for _, f := range c.failures[:min(len(c.failures), usualNodes)] {
		if k, ok := know(f.spans); ok && f.excess() > 0 {
			failing[k] = append(failing[k], f)
		}
	}
	m, err := e.o.DB.OperationMoments(ctx, windows, keys, c.inc.Env)
	if err != nil {
		return fmt.Errorf("read what is usual at this time of day: %w", err)
	}
	for k, list := range grown {
		for _, g := range list {
			g.usual = usualShare(m, k, slowerBy)
		}
	}
	for k, list := range failing {
		for _, f := range list {
			f.usual = usualShare(m, k, failsMoreBy)
		}
	}
	return nil
}

func shifted(w query.Window, by time.Duration) query.Window {
	return query.Window{From: w.From.Add(-by), To: w.To.Add(-by)}
}

// usualShare says how much of a change is what comes on other days as well: 1 from three quarters on, 0 below one. m
// holds during and before, of today and of each earlier day in turn.
func usualShare(m []map[query.OperationKey]query.Moments, k query.OperationKey, change func(during, before query.Moments) (float64, bool)) float64 {
	now, ok := change(m[0][k], m[1][k])
	if !ok || now <= 0 {
		return 0
	}
	least := math.Inf(1)
	for i := 2; i+1 < len(m); i += 2 {
		if was, ok := change(m[i][k], m[i+1][k]); ok {
			least = min(least, was)
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return gate(least/now, 0.25, 0.75)
}

// slowerBy is by how much calls take longer, as a logarithm.
func slowerBy(during, before query.Moments) (float64, bool) {
	return during.MeanLog - before.MeanLog, during.Calls >= usualCalls && before.Calls >= usualCalls
}

// failsMoreBy is by how much the share of failing calls is greater, with half a failure for what is not known.
func failsMoreBy(during, before query.Moments) (float64, bool) {
	return (during.Errors+0.5)/(during.Calls+1) - (before.Errors+0.5)/(before.Calls+1), during.Calls >= usualCalls && before.Calls >= usualCalls
}
