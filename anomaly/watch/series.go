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
	due         int32   // the last of its rows of the minute that is settled, plus one
	expects     float64 // requests in the minute last settled
	drop        float64 // the least of it that is usual
	usual       usual
	spread      [len(spans)]spread
	failures    anomaly.Errors
	clump       clump
	volume      volume
	watch       [channels]open
	parts       []*part
	life        *life // of its service
}

// finding is what a channel says about a series now.
type finding struct {
	score              float64
	observed, expected float64
	lower, upper       float64
	sample             float64
	noData             bool // nothing at all is heard of the service
	minutes            int64
}

// strongest keeps the finding that says most.
func (f *finding) strongest(o finding) {
	if o.score > f.score {
		*f = o
	}
}

// times has a finding count for more or less.
func (f finding) times(by float64) finding {
	f.score *= by
	return f
}

const (
	leastRequests = 20 // in a window, for latencies and errors
	leastErrors   = 3
	decayErrors   = 0.99952 // a minute: half-life of a day
)

// least is the typical slowdown worth an alarm, as a factor: less where it has been measured for long.
func least(s span) float64 {
	if s.minutes >= 10 {
		return 1.12
	}
	return 1.20
}

// What is slower by less than leastNanoseconds is nobody's trouble, unless it is leastTimes slower: a busy neighbour on the
// machine makes 50 µs 70.
const (
	leastNanoseconds = 200_000
	leastTimes       = 3
)

// leastSlower is ln of what is below any slowdown worth an alarm; see slow.
const leastSlower = 0.058

// queued is how much slower requests are under a load, and no harm done: waiting grows with load, here as for a server
// that is busy for 45 % of the time as a rule.
func queued(load float64) float64 {
	return max(1, min((1-usuallyBusy)/max(1-usuallyBusy*load, 1e-9), mostQueued))
}

const (
	usuallyBusy = 0.45
	mostQueued  = 4 // whatever the load, what takes longer than this is harm
)

// slow judges latencies. spread widens the test by what windows like this vary anyway; shift is the mean rank that
// the siblings of a part have, 0 for a whole series.
func (s *series) slow(w span, sp spread, load, shift float64) finding {
	n, apart := float64(w.n), s.clump.apart(float64(w.n))
	if n < leastRequests || s.usual.n < latencyKnown/4 {
		return finding{}
	}
	slower := float64(w.log)/n - s.usual.mean
	if slower <= leastSlower { // most windows
		return finding{}
	}
	mean := float64(w.rank)/n - shift
	factor := math.Exp(slower)
	typical := math.Exp(s.usual.mean)
	f := finding{sample: n, minutes: w.minutes, observed: typical * factor, expected: typical}
	excused := queued(load)
	matters := min(1+leastNanoseconds/typical, leastTimes)
	edge := max(least(w), excused, matters)
	f.lower, f.upper = typical/edge, typical*edge
	if factor >= edge {
		f.score = nats((mean - max(0, float64(sp.bias))) / math.Sqrt(s.usual.variance/apart+sp.variance()))
	}
	// A small share of requests that became very slow does not move the mean, but the tail.
	if share := float64(w.tail) / n; share >= 0.2+0.2*math.Max(0, load-1.25) && factor >= max((1+least(w))/2, excused, (1+matters)/2) {
		more, _ := anomaly.CountSurprise(share*apart, 0.1*apart, 25)
		f.score = max(f.score, more)
	}
	return f
}

// failing judges failures.
func (s *series) failing(w span) finding {
	apart := s.clump.apart(float64(w.n))
	bad := float64(w.bad) / float64(w.n) * apart
	if float64(w.n) < leastRequests || bad < leastErrors {
		return finding{}
	}
	v := s.failures.Judge(apart, bad, 1)
	return finding{score: v.Score, observed: v.Value, expected: v.Expected, upper: v.Upper, sample: float64(w.n), minutes: w.minutes}
}

// missing judges requests that do not come.
func (s *series) missing(w span, k int) finding {
	n, mu := float64(w.n), w.mu
	if mu < 8 || n > 0.7*mu {
		return finding{}
	}
	_, fewer := anomaly.CountSurprise(n, mu, s.volume.noise[k].Shape())
	perSecond := 1 / (60 * float64(max(w.minutes, 1)))
	return finding{score: fewer, observed: n * perSecond, expected: mu * perSecond, lower: 0.7 * mu * perSecond, upper: math.Inf(1), sample: mu, minutes: w.minutes}
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
