package watch

import (
	"math"

	"github.com/tidemarkhq/tidemark/anomaly"
)

const (
	volumeBins  = 96 // of the day, a quarter of an hour each
	volumeWidth = 86400 / volumeBins
)

// volume expects how many requests come in a minute: the usual shape of the day times the level of late. A series
// with few requests has its shape from all requests of its environment.
type volume struct {
	season [volumeBins]float32 // requests a minute by time of day
	weight [volumeBins]small   // requests that stand behind it
	fast   float32             // level of the last hour or two: factor on season, or requests a minute in the first day
	slow   float32             // the same over days
	share  float32             // of the environment's requests
	days   float32
	bin    int32
	noise  [len(spans)]anomaly.Dispersion
}

// growth is the most requests that a minute counts for where so many are expected: a peak is neither the shape of all
// days nor the level that what comes after it falls short of. What lasts is followed within hours.
func growth(mu float64) float64 { return 1.25*mu + 3*math.Sqrt(mu) + 1 }

// expected is requests a minute at a moment; drop is the least that would still be usual: a peak that ends is no loss.
func (v *volume) expected(at int64, all *volume) (mu, drop float64) {
	s, low := v.shape(at, all)
	if s == 0 {
		return float64(v.fast), math.Min(float64(v.fast), float64(v.slow))
	}
	return s * float64(v.fast), low * math.Min(float64(v.fast), 1.1*float64(v.slow))
}

// known says that a day has been seen, so that there is a shape.
func (v *volume) known() bool { return v.days >= 1 }

// shape is what the time of day lets expect, 0 before a day is known; low is the least of it within a quarter of an
// hour: a batch that ends is no loss.
func (v *volume) shape(at int64, all *volume) (s, low float64) {
	if !v.known() {
		return 0, 0
	}
	own, least, weight := v.smooth(at)
	if all == nil || all == v || !all.known() {
		return math.Max(own, 1e-6), math.Max(least, 1e-6)
	}
	common, commonLeast, _ := all.smooth(at)
	w, share := weight/(weight+100), float64(v.share)
	return math.Max(w*own+(1-w)*share*common, 1e-6), math.Max(w*least+(1-w)*share*commonLeast, 1e-6)
}

// smooth interpolates the season between the middles of its bins.
func (v *volume) smooth(at int64) (value, least, weight float64) {
	pos := float64(at%86400)/volumeWidth - 0.5
	i := int(math.Floor(pos))
	f := pos - float64(i)
	a, b := (i+volumeBins)%volumeBins, (i+1)%volumeBins
	value = (1-f)*float64(v.season[a]) + f*float64(v.season[b])
	least = value
	for k := range 3 {
		bin := (int(at%86400/volumeWidth) + k - 1 + volumeBins) % volumeBins
		least = math.Min(least, float64(v.season[bin]))
	}
	return value, least, (1-f)*float64(v.weight[a].float()) + f*float64(v.weight[b].float())
}

// learn takes in a minute with n requests. Unusual minutes teach the level only a little.
func (v *volume) learn(at int64, n float64, all *volume, allN float64, steady bool) {
	if v.days == 0 && v.fast == 0 {
		v.fast, v.slow = float32(n), float32(n)
	}
	s, _ := v.shape(at, all)
	x := n
	if s > 0 {
		x = n / s
	}
	fast, slow := 1/60.0, 1/2880.0
	if s == 0 {
		fast, slow = 1/30.0, 1/240.0
	}
	if !steady {
		fast = 0
	}
	v.slow += float32((math.Min(x, 3*float64(v.slow)+1e-3) - float64(v.slow)) * math.Max(slow, 1/(1440*float64(v.days)+60)))
	most := 3*float64(v.fast) + 1e-3
	if s > 0 {
		most = growth(float64(v.fast)*s) / s
	}
	v.fast += float32((math.Min(x, most) - float64(v.fast)) * fast)
	if allN > 0 {
		v.share += float32((n/allN - float64(v.share)) / math.Min(1440*float64(v.days)+1, 2880))
	}
	bin := int32(at % 86400 / volumeWidth)
	rate := math.Max(0.25, 1/(math.Floor(float64(v.days))+1)) / 15
	if v.days < 1 {
		rate = 1 / (float64(at%volumeWidth/60) + 1) // the first day is taken as it is
	}
	if v.days >= 2 { // a peak of one day is not the shape of all days
		n = math.Min(n, growth(float64(v.season[bin])))
	}
	v.season[bin] += float32(rate * (n - float64(v.season[bin])))
	v.weight[bin] = pack(float32(math.Min(float64(v.weight[bin].float())*(1-rate/4)+n, 20*float64(v.season[bin])*15+n)))
	before := v.days
	v.days += 1.0 / 1440
	if before < 1 && v.days >= 1 { // from here on the level is a factor
		if s, _ := v.shape(at, all); s > 0 {
			v.fast, v.slow = 1, 1
		}
	}
}
