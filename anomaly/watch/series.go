package watch

import (
	"math"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// key names a series of requests: the entry spans of a service (name and kind empty), or one operation.
type key struct{ env, service, name, kind string }

// part is what a series consists of: one version of an operation, or one instance of a service. Parts are compared
// with what is usual for the whole.
type part struct {
	version, instance string
	ring              ring
	pending           cell  // of the minute being filled, where steps are minutes
	seen              int64 // Unix seconds
	watch             [channels]open
	spread            [len(spans)]spread
	gone              bool // from the parts of its series, having been silent
}

// channels are judged one by one.
const (
	latency = iota
	failures
	traffic
	channels
)

// series is all that is known of one series of requests.
type series struct {
	key
	since, seen int64 // Unix seconds of the first and the last request
	ring        ring
	pending     cell
	expects     float64 // requests in the minute last settled
	drop        float64 // the least of it that is usual
	usual       usual
	due         int32 // the last of its rows of the minute that is settled, plus one
	spread      [len(spans)]spread
	failures    anomaly.Errors
	volume      volume
	watch       [channels]open
	parts       []*part
}

// finding is what a channel says about a series now.
type finding struct {
	score              float64
	observed, expected float64
	lower, upper       float64
	sample             float64
	minutes            int64
	fine               bool
}

// strongest keeps the finding that says most.
func (f *finding) strongest(o finding) {
	if o.score > f.score {
		*f = o
	}
}

const (
	leastRequests = 20 // in a window, for latencies and errors
	leastErrors   = 3
	decayErrors   = 0.99952 // a minute: half-life of a day
)

// least is the typical slowdown worth an alarm: less where it has been measured for long, more while the load is
// unusually high, because waiting grows with load and does no harm.
func least(s span, load float64) float64 {
	shift := 0.20
	if s.minutes >= 10 {
		shift = 0.12
	}
	return shift + math.Max(0, load-1.25)
}

// slow judges latencies. spread widens the test by what windows like this vary anyway; shift is the mean rank that
// the siblings of a part have, 0 for a whole series.
func (s *series) slow(w span, sp spread, load, shift float64) finding {
	n := float64(w.n)
	if n < leastRequests || s.usual.n < latencyKnown/4 {
		return finding{}
	}
	mean := float64(w.rank)/n - shift
	factor := math.Exp(float64(w.log)/n - s.usual.mean)
	typical := math.Exp(s.usual.mean)
	f := finding{sample: n, minutes: w.minutes, fine: w.fine, observed: typical * factor, expected: typical}
	edge := 1 + least(w, load)
	f.lower, f.upper = typical/edge, typical*edge
	if factor >= edge {
		f.score = nats((mean - max(0, float64(sp.bias))) / math.Sqrt(s.usual.variance/n+sp.variance()))
	}
	// A small share of requests that became very slow does not move the mean, but the tail.
	if share := float64(w.tail) / n; share >= 0.2+0.2*math.Max(0, load-1.25) && factor >= 1+least(w, load)/2 {
		more, _ := anomaly.CountSurprise(float64(w.tail), 0.1*n, 25)
		f.score = max(f.score, more)
	}
	return f
}

// failing judges failures.
func (s *series) failing(w span) finding {
	if float64(w.n) < leastRequests || w.bad < leastErrors {
		return finding{}
	}
	v := s.failures.Judge(float64(w.n), float64(w.bad), 1)
	return finding{score: v.Score, observed: v.Value, expected: v.Expected, upper: v.Upper, sample: float64(w.n), minutes: w.minutes, fine: w.fine}
}

// missing judges requests that do not come.
func (s *series) missing(w span, k int) finding {
	n, mu := float64(w.n), w.mu
	if mu < 8 || n > 0.7*mu {
		return finding{}
	}
	_, fewer := anomaly.CountSurprise(n, mu, s.volume.noise[k].Shape())
	perSecond := 1 / (60 * float64(max(w.minutes, 1)))
	return finding{score: fewer, observed: n * perSecond, expected: mu * perSecond, lower: 0.7 * mu * perSecond, upper: math.Inf(1), sample: mu, minutes: w.minutes, fine: w.fine}
}

// window is which of spans a window counts as when its spread is looked up.
func window(i int, fine bool) int {
	if fine {
		return max(i-2, 0)
	}
	return i
}

// add adds requests of one step to the series and to its part.
func (s *series) add(at int64, c cell, p *part, fine bool) {
	if fine {
		s.ring.add(at/fineStep, c)
	} else {
		s.pending.add(c)
	}
	if p == nil {
		return
	}
	if p.gone {
		p.gone = false
		s.parts = append(s.parts, p)
	}
	if fine {
		p.ring.add(at/fineStep, c)
	} else {
		p.pending.add(c)
	}
}
