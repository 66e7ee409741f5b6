package anomaly

import "math"

// trust knows how much of a series' spread its contexts leave unexplained. One
// value counts only so far on either side: a burst a hundred times as high as
// anything else would else make every expectation look worthless for days, in
// which the next burst counts for less.
type trust struct {
	Error        float64 // mean error of level and time of day
	Mean, Spread float64 // of the values
}

func (t *trust) learn(x float64, e expectation, n float64) {
	rate := max(settings.SpreadRate, 1/n)
	t.Error += rate * (min(math.Abs(e.residual), settings.MostError*e.sigma) - t.Error)
	most := settings.MostSpread*(t.Spread+t.Error) + 1e-12
	t.Mean += rate * clamp(x-t.Mean, -most, most)
	t.Spread += rate * (min(math.Abs(x-t.Mean), most) - t.Spread)
}

// of is how much a context that leaves a mean error is believed.
func (t *trust) of(err float64) float64 {
	if t.Spread <= 0 {
		return 1
	}
	lo, hi := settings.TrustLow, settings.TrustHigh
	return clamp((hi-err/t.Spread)/(hi-lo), settings.TrustLeast, 1)
}

// smooth tells series of which the last few values foretell the next nearly
// exactly: there, these values alone are evidence.
func (t *trust) smooth(err float64) float64 {
	if t.Spread <= 0 {
		return 0
	}
	return clamp(2*(1-err/t.Spread/settings.SmoothBelow), 0, 1)
}
