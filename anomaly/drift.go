package anomaly

import (
	"math"
	"time"
)

// Drift adds up small deviations that all point the same way (a two-sided
// CUSUM): a leak or a slow degradation that no single point gives away. The
// zero value is ready to use.
type Drift struct {
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
}

const (
	driftAllowance = 0.5 // deviations: shifts under half a deviation never add up
	driftClip      = 3   // one point adds at most this, so that a spike is no drift
	// DriftRunLength is how long a CUSUM of pure noise runs on average until
	// it raises a false alarm.
	DriftRunLength = 30 * 24 * time.Hour
)

// Observe takes in a deviation of z deviations and gives the surprise in nats:
// the tail of the CUSUM falls off as e^(−2·allowance·sum).
func (d *Drift) Observe(z float64) float64 {
	z = clamp(z, -driftClip, driftClip)
	d.Up = max(0, d.Up+z-driftAllowance)
	d.Down = max(0, d.Down-z-driftAllowance)
	return 2 * driftAllowance * max(d.Up, d.Down)
}

// Reset forgets the sum, as after an alarm or once a new level is adopted.
func (d *Drift) Reset() { *d = Drift{} }

// DriftLimit is the sum at which a CUSUM of points step apart alarms, so that
// noise does so once in DriftRunLength on average (Siegmund's approximation,
// solved by bisection; both sides together).
func DriftLimit(step time.Duration) float64 {
	want := 2 * DriftRunLength.Seconds() / max(1, step.Seconds())
	runLength := func(h float64) float64 {
		b := 2 * driftAllowance * (h + 1.166)
		return (math.Exp(b) - b - 1) / (2 * driftAllowance * driftAllowance)
	}
	lo, hi := 0.0, 60.0
	for range 60 {
		if mid := (lo + hi) / 2; runLength(mid) < want {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
