package anomaly

import "math"

// habit is how often a series reaches high scores while nothing is wrong with
// it: p-values are as good as the tails they come from, and where these are too
// light, the series' own record says so long before it has alarmed too often.
type habit struct {
	N, High float64             // values, and those that scored more than HabitFrom
	Jobs    [habitSlots]float32 // those by five minutes of the hour, at which jobs begin
}

const (
	habitMemory = 20000 // values
	habitSlots  = 12    // of five minutes in an hour
	habitPrior  = 1000  // values at the usual rate, to begin with
)

func (h *habit) learn(at int64, score float64) {
	slot := h.slot(at)
	h.N *= 1 - 1.0/habitMemory
	h.High *= 1 - 1.0/habitMemory
	*slot *= 1 - float32(habitSlots)/habitMemory
	h.N++
	if score > settings.HabitFrom {
		h.High++
		*slot++
	}
}

func (h *habit) slot(at int64) *float32 { return &h.Jobs[at/300%habitSlots] }

// takesOff is by how many nats its habit discounts a score of the series; less
// than nothing for a series that hardly ever has high ones. What begins with
// every hour or half hour is discounted at those minutes only.
func (h *habit) takesOff(at int64, step float64) float64 {
	rate := (h.High + habitPrior*settings.HabitRate) / (h.N + habitPrior)
	off := settings.Habit * math.Log(rate/settings.HabitRate)
	if step > 300 {
		return off
	}
	now := (float64(*h.slot(at)) + settings.HabitJobsPrior*rate) / (h.N/habitSlots + settings.HabitJobsPrior)
	return off + settings.HabitJobs*max(0, math.Log(now/rate))
}
