package anomaly

import "slices"

const stepMemory = 15

// stepper learns the distance in time of the points of a series as the median
// of the last few distances: a gap does not matter, a changed resolution does.
type stepper struct {
	Last [stepMemory]float32
	N    int64
	Step float64 // seconds
}

const defaultStep = 60 // seconds, until there are two points

// observe takes in that a point came dt seconds after the one before it.
func (s *stepper) observe(dt float64) {
	s.Last[s.N%stepMemory] = float32(dt)
	s.N++
	if s.N > stepMemory && s.N%stepMemory != 0 {
		return
	}
	kept := s.Last
	seen := kept[:min(s.N, stepMemory)]
	slices.Sort(seen)
	now := float64(seen[len(seen)/2])
	if s.N <= stepMemory || now > 1.5*s.Step || now < s.Step/1.5 {
		s.Step = now
	}
}
