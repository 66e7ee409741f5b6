package anomaly

import "math"

// Histogram counts latencies in buckets of equal width in ln(latency): bucket i
// holds those between e^(i·w) and e^((i+1)·w). It is what a rollup adds up to.
type Histogram []float64

// Count is the number of requests in h.
func (h Histogram) Count() float64 {
	n := 0.0
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile is the position, in buckets, below which a share q of h lies.
func (h Histogram) Quantile(q float64) float64 {
	left := q * h.Count()
	for i, c := range h {
		if c > 0 && left <= c {
			return float64(i) + left/c
		}
		left -= c
	}
	return float64(len(h))
}

// LatencyShift compares two latency distributions.
type LatencyShift struct {
	Score  float64 `json:"score"`  // nats: Mann-Whitney, slower or faster as Factor says
	Factor float64 `json:"factor"` // typical change: 1.25 is a quarter slower
	N      float64 `json:"n"`      // requests judged
}

const (
	// MinLatencyCount is the least number of requests that a latency
	// distribution is judged on; with fewer, widen the window.
	MinLatencyCount = 20
	// MinLatencyShift is the least typical change worth an alarm: 20 %.
	MinLatencyShift = 0.20
)

// CompareLatency tells how surprising it is that the requests in now were drawn
// from the distribution usual. Both have buckets width wide in ln(latency) and
// begin at the same latency. The score is that of a Mann-Whitney test with ties
// (no assumption on the shape, and one very slow request does not matter), and
// 0 where the typical shift e^W1 − 1 is under 20 %, W1 being the earth mover's
// distance of the two in ln(latency), or where there are too few requests.
func CompareLatency(now, usual Histogram, width float64) LatencyShift {
	n, m := now.Count(), usual.Count()
	s := LatencyShift{N: n, Factor: 1}
	if n < MinLatencyCount || m < MinLatencyCount {
		return s
	}
	var below, wins, ties, moved, signed, fNow, fUsual float64
	for i := range max(len(now), len(usual)) {
		a, b := at(now, i), at(usual, i)
		wins += a * (below + b/2)
		below += b
		t := a + b
		ties += t * t * t
		fNow += a / n
		fUsual += b / m
		moved += math.Abs(fUsual-fNow) * width
		signed += (fUsual - fNow) * width
	}
	total := n + m
	variance := n * m / 12 * (total + 1 - (ties-total)/(total*(total-1)))
	slower := signed >= 0
	s.Factor = math.Exp(moved)
	if !slower {
		s.Factor = 1 / s.Factor
	}
	if math.Exp(moved)-1 < MinLatencyShift || variance <= 0 {
		return s
	}
	z := (wins - n*m/2) / math.Sqrt(variance)
	if !slower {
		z = -z
	}
	s.Score = nats(z)
	return s
}

func at(h Histogram, i int) float64 {
	if i < len(h) {
		return h[i]
	}
	return 0
}

// Latency keeps the usual latency distribution of one operation by time of day
// and widens its window until there are requests enough to judge. The zero
// value with Width set is ready to use. It holds latencySlots histograms of
// float32: 64 buckets are 2.3 KB.
type Latency struct {
	Width   float64                 `json:"width"` // of a bucket in ln(latency)
	Slots   [latencySlots][]float32 `json:"slots"` // decayed counts by time of day
	All     []float32               `json:"all"`   // decayed counts at any time of day
	Pending Histogram               `json:"pending"`
	From    int64                   `json:"from"` // Unix seconds at which Pending begins
}

const (
	latencySlots = 8 // of three hours
	// A slot counts as known from this many requests on; before, the whole
	// day is the comparison.
	knownLatency = 500
	// Old requests fade as new ones come: a slot never weighs more than this
	// many, so about the last few days of a busy operation matter.
	maxLatencyCount = 20000
	// A window of requests too few to judge is given up after half an hour.
	maxLatencyWindow = 1800
)

// Observe judges the requests in h, which ended at t (Unix seconds), together
// with those before it that were too few by themselves, and learns them unless
// frozen. The score is 0 while the window is still too small.
func (l *Latency) Observe(t int64, h Histogram, frozen bool) LatencyShift {
	if l.Pending == nil || t-l.From > maxLatencyWindow {
		l.Pending, l.From = make(Histogram, len(h)), t
	}
	for i, c := range h {
		if i >= len(l.Pending) {
			l.Pending = append(l.Pending, h[i:]...)
			break
		}
		l.Pending[i] += c
	}
	if l.Pending.Count() < MinLatencyCount {
		return LatencyShift{Factor: 1, N: l.Pending.Count()}
	}
	now := l.Pending
	l.Pending = nil
	s := CompareLatency(now, l.Usual(t), l.Width)
	if !frozen {
		slot := &l.Slots[latencySlot(t)]
		*slot = addFading(*slot, now)
		l.All = addFading(l.All, now)
	}
	return s
}

// Usual is the distribution that requests at t are compared with.
func (l *Latency) Usual(t int64) Histogram {
	if slot := widened(l.Slots[latencySlot(t)]); slot.Count() >= knownLatency {
		return slot
	}
	return widened(l.All)
}

func latencySlot(t int64) int { return int((t%day + day) % day * latencySlots / day) }

func widened(x []float32) Histogram {
	h := make(Histogram, len(x))
	for i, c := range x {
		h[i] = float64(c)
	}
	return h
}

// addFading adds h to sum and scales the result down to what it may weigh.
func addFading(sum []float32, h Histogram) []float32 {
	for len(sum) < len(h) {
		sum = append(sum, 0)
	}
	total := 0.0
	for i := range sum {
		sum[i] += float32(at(h, i))
		total += float64(sum[i])
	}
	if total > maxLatencyCount {
		scale := float32(maxLatencyCount / total)
		for i := range sum {
			sum[i] *= scale
		}
	}
	return sum
}
