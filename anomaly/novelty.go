package anomaly

import "math"

const (
	sketchSize = 80
	sketchDays = 14
)

// sketch remembers which values were seen in the last 14 days, as up to
// sketchSize sorted representatives with the hour at which each was last seen.
// A value closer to a representative than a small part of the range, or of the
// spread (a range may be that of one outage), refreshes it; when full, what is older than 14 days goes, else the closest two become
// one.
type sketch struct {
	Len   int32
	Value [sketchSize]float32
	Seen  [sketchSize]uint16 // hours since 1970, modulo 2^16
}

// find is the first index whose value is not below x.
func (k *sketch) find(x float32) int {
	lo, hi := 0, int(k.Len)
	for lo < hi {
		if m := (lo + hi) / 2; k.Value[m] < x {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// nearest is the value closest to x; not ok while nothing was seen.
func (k *sketch) nearest(x float64) (v float64, ok bool) {
	i, n := k.find(float32(x)), int(k.Len)
	if n == 0 {
		return 0, false
	}
	if i == n || i > 0 && x-float64(k.Value[i-1]) < float64(k.Value[i])-x {
		i--
	}
	return float64(k.Value[i]), true
}

// add takes in that x was seen in this hour. Values no more than grain apart may
// be told apart.
func (k *sketch) add(x float64, hour uint16, grain float64) {
	v := float32(x)
	i, n := k.find(v), int(k.Len)
	same := float32(0)
	if n >= sketchSize/2 {
		same = min((k.Value[n-1]-k.Value[0])/(2*sketchSize), float32(grain))
	}
	switch {
	case i < n && k.Value[i]-v <= same:
		k.Seen[i] = hour
		return
	case i > 0 && v-k.Value[i-1] <= same:
		k.Seen[i-1] = hour
		return
	}
	if n == sketchSize {
		k.makeRoom(hour)
		i, n = k.find(v), int(k.Len)
	}
	copy(k.Value[i+1:n+1], k.Value[i:n])
	copy(k.Seen[i+1:n+1], k.Seen[i:n])
	k.Value[i], k.Seen[i] = v, hour
	k.Len++
}

// makeRoom drops what is too old, or else merges the closest two. The ends stay
// as they are: they say how far the values ever went.
func (k *sketch) makeRoom(hour uint16) {
	n := 0
	for i := range int(k.Len) {
		if hour-k.Seen[i] < sketchDays*24 {
			k.Value[n], k.Seen[n] = k.Value[i], k.Seen[i]
			n++
		}
	}
	k.Len = int32(n)
	if n < sketchSize {
		return
	}
	drop := 1
	for i := 2; i < n-1; i++ {
		if k.Value[i]-k.Value[i-1] < k.Value[drop]-k.Value[drop-1] {
			drop = i
		}
	}
	if age := hour - k.Seen[drop]; age < hour-k.Seen[drop-1] {
		k.Seen[drop-1] = k.Seen[drop]
	}
	copy(k.Value[drop:], k.Value[drop+1:n])
	copy(k.Seen[drop:], k.Seen[drop+1:n])
	k.Len--
}

// novelty judges how far a value is from any seen in the last 14 days, measured
// in the spread of the series. It learns at once and through incidents: what
// was new stops being so.
type novelty struct {
	Mean, Spread float64
	N            float64
	Tail         tail
	Sketch       sketch
}

// observe gives the surprise of x and learns x.
func (k *novelty) observe(x float64, hour uint16, shape tailShape) (surprise float64) {
	closest, seen := k.Sketch.nearest(x)
	z := 0.0
	if seen {
		if d := math.Abs(x - closest); d > 1e-6*math.Abs(x) {
			z = settings.NovelUnit
			if unit := k.unit(); unit > 0 {
				z *= d / unit
			}
		}
		surprise = k.Tail.surprise(z, shape)
		k.Tail.learn(z, 1)
	}
	k.N++
	rate := max(settings.SpreadRate, 1/k.N)
	k.Mean += rate * (x - k.Mean)
	if k.N > 1 {
		k.Spread += rate * (math.Abs(x-k.Mean) - k.Spread)
	}
	k.Sketch.add(x, hour, settings.Grain*k.unit())
	return surprise
}

// unit is what distances are measured in.
func (k *novelty) unit() float64 { return max(k.Spread, settings.SpreadFloor*math.Abs(k.Mean)) }
