package anomaly

import "math"

// tail turns deviations into surprise. It learns where the rarest of them
// begin (u, a running quantile) and how heavy they get from there (xi, the
// Hill estimate), and mixes this own tail with one pooled over all series: an
// own tail alone is too sure of what it has not seen yet, a pooled one alone
// believes every burst of a bursty series.
type tail struct {
	U, Xi float64 // threshold and tail index
	N, K  float64 // deviations learned, those above U
}

// tailShape are the settings that one channel's tail is read with.
type tailShape struct {
	Own    float64 // share of the own tail in the mix
	Gate   float64 // the mix is at most this many times the own tail
	PoolXi float64 // tail index pooled over all series
}

const (
	tailShare = 0.02 // of the deviations lie above U
	tailRate  = 0.02 // of learning, at the least
	minU      = 0.5
	maxExcess = 3 // ln(z/U) counted at most, so that one outage is not a habit
)

// learn takes in a deviation of z with weight w.
func (t *tail) learn(z, w float64) {
	t.N++
	if t.N == 1 {
		t.U, t.Xi = clamp(z, 2, 10), settings.XiPrior
		return
	}
	eta := w * max(tailRate, 5/t.N)
	if z > t.U {
		t.K++
		t.Xi += w * max(tailRate, 1/(t.K+20)) * (min(math.Log(z/t.U), maxExcess) - t.Xi)
		t.U *= 1 + eta*(1-tailShare)
	} else {
		t.U *= 1 - eta*tailShare
	}
	t.U = max(t.U, minU)
}

// renew lets what comes next count for more than what was learned.
func (t *tail) renew() { t.N, t.K = min(t.N, 50), 0 }

// lnRare is the surprise of reaching U.
var lnRare = -math.Log(tailShare)

// surprise is −ln p of a deviation of z.
func (t *tail) surprise(z float64, s tailShape) float64 {
	if !(z > 0) || t.N == 0 {
		return 0
	}
	own := lnRare * z / t.U
	if z > t.U {
		own = lnRare + math.Log(z/t.U)/t.index()
	}
	pool := 0.0
	if z > 1 {
		pool = min(math.Log(z)/s.PoolXi, settings.PoolCap)
	}
	sure := t.N / (t.N + settings.OwnPrior)
	mix := s.Own * sure
	return min(mix*own+(1-mix)*pool, own*s.Gate/sure)
}

// reach is the deviation at which surprise gets to s0, the inverse of surprise.
func (t *tail) reach(s0 float64, s tailShape) float64 {
	if t.N == 0 {
		return math.Inf(1)
	}
	xi, sure := t.index(), t.N/(t.N+settings.OwnPrior)
	mix := s.Own * sure
	lnU := math.Log(t.U)
	mixed := (s0 - mix*(lnRare-lnU/xi)) / (mix/xi + (1-mix)/s.PoolXi)
	gated := lnU + xi*(s0*sure/s.Gate-lnRare)
	return math.Exp(min(max(mixed, gated), 30))
}

func (t *tail) index() float64 { return clamp(t.Xi, settings.XiMin, settings.XiMax) }
