package anomaly

import "math"

// habit is how often a series reaches high scores while nothing is wrong with
// it: p-values are as good as the tails they come from, and where these are too
// light, the series' own record says so long before it has alarmed too often.
type habit struct {
	N, High float64 // values, and those that scored more than HabitFrom
}

const (
	habitMemory = 20000 // values
	habitPrior  = 1000  // values at the usual rate, to begin with
)

func (h *habit) learn(score float64) {
	h.N *= 1 - 1.0/habitMemory
	h.High *= 1 - 1.0/habitMemory
	h.N++
	if score > settings.HabitFrom {
		h.High++
	}
}

// takesOff is by how many nats its habit discounts a score of the series; less
// than nothing for a series that hardly ever has high ones.
func (h *habit) takesOff() float64 {
	rate := (h.High + habitPrior*settings.HabitRate) / (h.N + habitPrior)
	return settings.Habit * math.Log(rate/settings.HabitRate)
}
