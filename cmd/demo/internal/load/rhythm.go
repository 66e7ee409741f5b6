package load

import (
	"math"
	"time"
)

// Rhythm is the shape of a day of visitors, pressed into a shorter time: quiet
// nights and busy afternoons.
type Rhythm struct {
	Mean float64       // entry requests a second, averaged over a day
	Day  time.Duration // how long a "day" takes
}

// dawn is the time of day at which the demo starts, as a share of the day:
// nine in the morning, when traffic is near its mean and rising.
const dawn = 9.0 / 24

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
	// Lowest at four in the morning; the second wave makes two humps of the day,
	// after lunch and in the evening.
	sinceLow := 2 * math.Pi * (clock - 4.0/24)
	return r.Mean * (1 - 0.65*math.Cos(sinceLow) - 0.2*math.Cos(2*sinceLow))
}
