package load

import (
	"math"
	"time"
)

// Rhythm is the shape of a day of visitors, pressed into a shorter time: quiet
// nights, a busy noon and a busier evening.
type Rhythm struct {
	Mean float64       // entry requests a second, averaged over a day
	Day  time.Duration // how long a "day" takes
}

// dawn is the time of day at which the demo starts, as a share of the day:
// ten in the morning, when traffic is near its mean and rising.
const dawn = 10.0 / 24

// Clock tells the time of the pressed day after the demo ran for so long, as a
// share of the day in [0, 1): 0 is midnight.
func (r Rhythm) Clock(elapsed time.Duration) float64 {
	_, share := math.Modf(dawn + elapsed.Seconds()/r.Day.Seconds())
	return share
}

// Rate is the expected number of entry requests a second at that moment. It
// averages to Mean over a whole day.
func (r Rhythm) Rate(elapsed time.Duration) float64 { return r.At(r.Clock(elapsed)) }

// At is the rate at a time of the pressed day, given as Clock tells it.
func (r Rhythm) At(clock float64) float64 {
	day := 2 * math.Pi * clock
	// Lowest at four in the morning; the second wave makes the noon dip.
	const low = 2 * math.Pi * 4 / 24
	return r.Mean * (1 - 0.6*math.Cos(day-low) + 0.2*math.Sin(2*day-low))
}
