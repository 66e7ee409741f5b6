package explain

import (
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// blame is what speaks for one deployment being the cause.
type blame struct {
	query.Deployment
	confidence float64
	same       bool    // the new version was compared with the old in the same minutes
	now, was   float64 // share of bad requests with the new version, and with the old
}

// How deployments are weighed.
const (
	deployBefore  = 90 * time.Minute // how long before the incident a deployment may have been
	deployAfter   = 10 * time.Minute // how long after its first alarm: a rollout takes a while to show
	deployRecency = 25 * time.Minute // by then a deployment is 1/e as suspicious as one just before
	mostBlame     = 0.97
)

// whichDeploy says which of a service's deployments, if any, the bad requests came with: how much likelier they are
// when split at it, times how recent it was. Where both versions served in the same minutes, their own difference
// decides, and one that is no worse than its predecessor is cleared.
func whichDeploy(items []item, deployments []query.Deployment, began time.Time) *blame {
	var best *blame
	for _, d := range deployments {
		ago := began.Sub(d.TS)
		if ago > deployBefore || ago < -deployAfter {
			continue
		}
		b := judgeDeploy(items, d)
		recency := math.Exp(-max(0, ago.Minutes()-3) / deployRecency.Minutes())
		if b.same {
			recency = math.Sqrt(recency) // seen side by side: the moment matters less
		}
		b.confidence *= recency
		if best == nil || b.confidence > best.confidence {
			best = &b
		}
	}
	if best == nil || best.confidence < 0.15 {
		return nil
	}
	return best
}

func judgeDeploy(items []item, d query.Deployment) blame {
	var fresh, old, before [2]float64 // bad and all
	for _, it := range items {
		side := &before
		switch {
		case it.during && it.attributes["service.version"] == d.Version:
			side = &fresh
		case it.during:
			side = &old
		case it.attributes["service.version"] == d.Version:
			continue // the new version before the incident says nothing about the old
		}
		side[1]++
		if it.bad {
			side[0]++
		}
	}
	b := blame{Deployment: d, now: share(fresh), was: share(before)}
	if fresh[1] < 3 {
		return b
	}
	// Both versions at once, for long enough: a rollout that is over leaves too few requests of the old one.
	if old[1] >= 10 && old[1] >= 0.1*fresh[1] {
		b.same, b.was = true, share(old)
		if gain := split(fresh, old); b.now > 1.3*b.was {
			b.confidence = mostBlame * (1 - math.Exp(-gain/2))
		}
		return b
	}
	if gain := split(fresh, before); b.now > 1.3*b.was {
		b.confidence = 0.92 * (1 - math.Exp(-gain/3))
	}
	return b
}

// share is the smoothed share of bad requests.
func share(c [2]float64) float64 { return (c[0] + 0.5) / (c[1] + 1) }

// split is how much likelier two groups are with a share of bad requests each than with one together, nats.
func split(a, b [2]float64) float64 {
	l := func(c [2]float64, p float64) float64 {
		return c[0]*math.Log(max(p, 1e-9)) + (c[1]-c[0])*math.Log(max(1-p, 1e-9))
	}
	own := func(c [2]float64) float64 { return l(c, c[0]/max(c[1], 1)) }
	p := (a[0] + b[0]) / max(a[1]+b[1], 1)
	return own(a) + own(b) - l(a, p) - l(b, p)
}
