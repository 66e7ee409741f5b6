package watch

import "math"

// latencyBuckets of a quarter of a doubling each hold 16 doublings, from 64 times under the first median seen to
// 1,000 times over it. store.LatencyBucket has eight for each of ours.
const (
	latencyBuckets = 64
	latencyFine    = 8
	latencyBelow   = 24
	latencySlots   = 4 // of the day, six hours each
	latencyKnown   = 400
	latencyMost    = 20000 // requests that a slot weighs: a few days of a busy operation
	bucketWidth    = math.Ln2 / 4
)

// usual is the latency distribution that a series has at this time of day, and what is read off it for each bucket.
type usual struct {
	offset int32
	known  bool
	slots  [latencySlots]histogram

	// Tables, made by refresh.
	below    [latencyBuckets]uint16 // usual share of requests in faster buckets, of 1/65,535
	last     uint8                  // the slowest bucket in use: whatever is beyond it is the slowest
	variance float64                // of the rank of a request
	mean     float64                // of ln(latency in ns)
	n        float64
}

// histogram counts requests by latency. It is halved when it has twice latencyMost: what came long ago fades.
type histogram [latencyBuckets]uint16

// bucket is our bucket for one of the store's.
func (u *usual) bucket(b int16) int {
	return int(min(max((int32(b)-u.offset)/latencyFine, 0), latencyBuckets-1))
}

// center is ln(latency) in the middle of a bucket.
func (u *usual) center(i int) float64 {
	return (float64(u.offset)/latencyFine + float64(i) + 0.5) * bucketWidth
}

// begin places the buckets around the first requests seen.
func (u *usual) begin(buckets []int16, counts []uint64) {
	var n, seen uint64
	for _, c := range counts {
		n += c
	}
	for i, c := range counts {
		if seen += c; 2*seen >= n {
			u.offset, u.known = max(0, int32(buckets[i])-latencyBelow*latencyFine), true
			return
		}
	}
}

// slotOf is the part of the day that a moment (Unix seconds) lies in.
func slotOf(at int64) int { return int(at % 86400 * latencySlots / 86400) }

// refresh reads the tables off the distribution for a moment.
func (u *usual) refresh(at int64) {
	var h [latencyBuckets]float64
	u.slots[slotOf(at)].into(&h)
	if u.n = total(&h); u.n < latencyKnown {
		h = [latencyBuckets]float64{}
		for i := range u.slots {
			u.slots[i].into(&h)
		}
		u.n = total(&h)
	}
	if u.n == 0 {
		return
	}
	var below, cubes, mean float64
	for i, c := range h {
		f := c / u.n
		u.below[i] = uint16(math.Round(below * 65535))
		if c > 0 {
			u.last = uint8(i)
		}
		below += f
		cubes += f * f * f
		mean += f * u.center(i)
	}
	u.variance, u.mean = (1-cubes)/12, mean
}

// place is the usual share of faster requests less ½ for a bucket, and the share of it that lies beyond the 90th
// percentile.
func (u *usual) place(i int) (rank, beyond float32) {
	if u.n == 0 {
		return 0, 0
	}
	const unit = 1.0 / 65535
	from, to := float32(u.below[i])*unit, float32(1)
	if i < int(u.last) {
		to = float32(u.below[i+1]) * unit
	}
	switch {
	case to <= 0.9:
	case from >= 0.9:
		beyond = 1
	default:
		beyond = (to - 0.9) / (to - from)
	}
	return (from+to)/2 - 0.5, beyond
}

func total(h *[latencyBuckets]float64) float64 {
	n := 0.0
	for _, c := range h {
		n += c
	}
	return n
}

// judge places requests in the usual distribution.
func (u *usual) judge(calls, errors uint64, buckets []int16, counts []uint64) cell {
	c := cell{n: float32(calls), bad: float32(errors)}
	for i, b := range buckets {
		k, n := u.bucket(b), float32(counts[i])
		rank, beyond := u.place(k)
		c.rank += n * rank
		c.tail += n * beyond
		c.log += n * float32(u.center(k))
	}
	return c
}

// learn adds what came at a time of day.
func (u *usual) learn(at int64, h *[latencyBuckets]float32) { u.slots[slotOf(at)].add(h) }

func (h *histogram) into(sum *[latencyBuckets]float64) {
	for i, c := range h {
		sum[i] += float64(c)
	}
}

func (h *histogram) add(more *[latencyBuckets]float32) {
	sum := float32(0)
	for i, c := range more {
		sum += c + float32(h[i])
	}
	if sum <= 2*latencyMost {
		for i, c := range more {
			h[i] += uint16(c)
		}
		return
	}
	for i, c := range more {
		h[i] = uint16((c+float32(h[i]))*latencyMost/sum + 0.5)
	}
}

// forget lets what comes next count for most: a new level was adopted as normal.
func (u *usual) forget() {
	for s := range u.slots {
		for i := range u.slots[s] {
			u.slots[s][i] /= 50
		}
	}
}

// quantile is a latency in ns of the distribution last refreshed.
func (u *usual) quantile(q float64) float64 {
	best := 0
	for i := range latencyBuckets {
		if rank, _ := u.place(i); float64(rank)+0.5 <= q {
			best = i
		}
	}
	return math.Exp(u.center(best))
}

// spread learns how much the mean rank of a window varies beyond what its number of requests explains: load, caches
// and neighbours move every latency a little, and a busy service would otherwise find each of these certain.
type spread struct{ n, tau, bias float32 }

const (
	spreadPrior  = 0.02 // standard deviation of a mean rank before anything is known
	spreadCounts = 30   // windows for which that counts
)

func (s spread) variance() float64 {
	return max(0, (float64(s.tau)*float64(s.n)+spreadPrior*spreadPrior*spreadCounts)/(float64(s.n)+spreadCounts))
}

// wider is the one of two that explains more.
func (s spread) wider(o spread) spread {
	if o.variance() > s.variance() {
		return o
	}
	return s
}

func (s *spread) learn(mean, sampling float64) {
	d := mean - float64(s.bias)
	excess := min(d*d, 9*(sampling+s.variance())) - sampling
	s.n = min(s.n+1, 1e6)
	s.tau += (float32(excess) - s.tau) * max(0.01, 1/s.n)
	s.bias += float32(min(max(d, -0.05), 0.05)) * max(0.02, 1/(s.n+5))
}

// nats is −ln of the upper tail of a standard normal distribution.
func nats(z float64) float64 {
	switch {
	case z <= 0:
		return 0
	case z > 30:
		return z*z/2 + math.Log(z) + 0.919
	}
	return -math.Log(math.Erfc(z/math.Sqrt2) / 2)
}
