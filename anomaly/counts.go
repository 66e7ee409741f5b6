package anomaly

import "math"

// CountSurprise tells in nats how surprising it is to count at least n, and at
// most n, where mu were expected: the two tails of a negative binomial with
// shape k, whose variance is mu + mu²/k. A large k is a Poisson count. Nothing
// at all where mu were expected has p = (1 + mu/k)^−k, so silence is only
// surprising where there is usually enough to hear.
func CountSurprise(n, mu, k float64) (more, fewer float64) {
	if !(mu > 0) || !(k > 0) || n < 0 || math.IsNaN(n) {
		return 0, 0
	}
	p := k / (k + mu)
	if n > 0 {
		more = -logBetaInc(n, k, 1-p)
	}
	return max(0, more), max(0, -logBetaInc(k, n+1, p))
}

// Dispersion learns online how much a count varies beyond Poisson. The zero
// value is ready to use.
type Dispersion struct {
	N float64 `json:"n"` // counts learned
	R float64 `json:"r"` // decayed mean of ((x − mu)² − mu) / mu², which is 1/k
}

// shapes allowed for a negative binomial: from wildly bursty to Poisson, and
// the shape assumed before anything is known (15 % beyond Poisson).
const (
	minShape, maxShape = 0.5, 1e5
	priorRelVariance   = 0.0225
	priorCounts        = 20
)

// Learn takes in that x was counted where mu were expected. A single count
// moves the estimate by at most five deviations, so that an outage does not
// teach that outages are usual.
func (d *Dispersion) Learn(x, mu float64) {
	if !(mu > 0) {
		return
	}
	limit := 25 * (1/mu + d.relVariance())
	excess := min((x-mu)*(x-mu)/(mu*mu), limit) - 1/mu
	d.N++
	d.R += (excess - d.R) * max(0.01, 1/d.N)
}

// relVariance is 1/k, shrunk to the prior while little is known.
func (d *Dispersion) relVariance() float64 {
	return max(0, (d.R*d.N+priorRelVariance*priorCounts)/(d.N+priorCounts))
}

// Shape is the k of CountSurprise.
func (d *Dispersion) Shape() float64 {
	return clamp(1/max(d.relVariance(), 1/maxShape), minShape, maxShape)
}
