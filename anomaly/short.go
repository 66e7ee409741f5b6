package anomaly

import "math"

const shortRing = 3

// short expects a value to be like the last few: a sudden change shows against
// the noise of minutes even where the day is hard to foresee.
type short struct {
	Ring  [shortRing]float64
	N     int32
	Sigma float64
	Abs   float64 // mean deviation, unclipped
	Noise power
	Tail  tail
	Jump  float64 // surprise of late, with the sign of the jump
}

func shortShape() tailShape {
	return tailShape{Own: settings.ShortOwn, Gate: settings.ShortGate, PoolXi: settings.PoolXi}
}

// observe gives the surprise of x after the last values and learns it. residual
// is how far x is from what the day leads one to expect, level that of the
// series, incident how many points the incident lasts.
func (s *short) observe(x, residual, level, n float64, incident int32) (surprise float64, ok bool) {
	ok = s.N >= shortRing
	if ok {
		middle := median3(s.Ring)
		r := math.Abs(x - middle)
		scale := s.Noise.scale(middle)
		s.Noise.learn(middle, r)
		sigma := max(s.Sigma, settings.ShortFloor*math.Abs(level)+1e-9) * scale
		s.Abs += max(settings.SpreadRate, 1/n) * (min(r, settings.MostError*sigma) - s.Abs)
		surprise = s.hold(math.Copysign(s.Tail.surprise(r/sigma, shortShape()), x-middle), residual)
		switch {
		case incident == 0:
			s.Tail.learn(r/sigma, 1)
		case incident < 3:
			s.Tail.learn(r/sigma, settings.ShortInIncident)
		}
		s.Sigma += max(settings.ShortNoiseRate, 1/n) * (min(r, 5*sigma)/scale - s.Sigma)
	}
	s.Ring[s.N%shortRing] = x
	if s.N++; s.N == 2*shortRing {
		s.N = shortRing
	}
	return surprise, ok
}

// hold is the surprise of a jump, or what is left of that of the one before as
// long as values stay on the side that it went to: a jump that is followed by a
// slide is one event, not two halves.
func (s *short) hold(jump, residual float64) float64 {
	if kept := s.Jump * settings.Hold; kept*residual > 0 && math.Abs(kept) > math.Abs(jump) {
		jump = kept
	}
	s.Jump = jump
	return math.Abs(jump)
}

// forget drops the last values, as after a gap.
func (s *short) forget() { s.N, s.Jump = 0, 0 }

func median3(v [shortRing]float64) float64 {
	return max(min(v[0], v[1]), min(max(v[0], v[1]), v[2]))
}
