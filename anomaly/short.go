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
}

func shortShape() tailShape {
	return tailShape{Own: settings.ShortOwn, Gate: settings.ShortGate, PoolXi: settings.PoolXi}
}

// observe gives the surprise of x after the last values and learns it. level
// is that of the series, incident how many points the incident lasts.
func (s *short) observe(x, level, n float64, incident int32) (surprise float64, ok bool) {
	ok = s.N >= shortRing
	if ok {
		middle := median3(s.Ring)
		r := math.Abs(x - middle)
		s.Abs += max(settings.SpreadRate, 1/n) * (r - s.Abs)
		scale := s.Noise.scale(middle)
		s.Noise.learn(middle, r)
		sigma := max(s.Sigma, settings.ShortFloor*math.Abs(level)+1e-9) * scale
		surprise = s.Tail.surprise(r/sigma, shortShape())
		if incident < 3 {
			s.Tail.learn(r/sigma, 1)
		}
		s.Sigma += max(settings.ShortNoiseRate, 1/n) * (min(r, 5*sigma)/scale - s.Sigma)
	}
	s.Ring[s.N%shortRing] = x
	if s.N++; s.N == 2*shortRing {
		s.N = shortRing
	}
	return surprise, ok
}

// forget drops the last values, as after a gap.
func (s *short) forget() { s.N = 0 }

func median3(v [shortRing]float64) float64 {
	return max(min(v[0], v[1]), min(max(v[0], v[1]), v[2]))
}
