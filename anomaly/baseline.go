package anomaly

import "math"

const (
	seasonBins  = 288 // of five minutes, or fewer of one step each
	seasonWidth = day / seasonBins
)

// baseline expects a value as a slowly moving level plus what the time of day
// adds to it, and knows how far values usually are from that. One value moves
// it only so far: what lies beyond a few deviations is clipped, so that
// yesterday's outage does not become today's normal.
type baseline struct {
	Level     float64 // of the values, if the time of day says nothing
	Base      float64 // of the values less their season
	Slow      float64 // over about a day; the season is what comes on top
	Sigma     float64
	Season    [seasonBins]float32 // added to Level by time of day
	Yesterday [seasonBins]int8    // largest deviation at that time of late, in steps of usualUnit
	Bin       int32               // of the last value
	Width     int32               // of a bin in seconds
	Today     [2]float64          // largest deviation in Bin and the one before it
	TodayBin  [2]int32            // which bins those are, -1 for none
	ErrLevel  float64             // decayed error of the level alone
	ErrSeason float64             // and of level and season
	Noise     power
}

// expectation is what a baseline holds at one moment.
type expectation struct {
	value    float64 // expected
	season   float64 // part of the bin, used or not
	scale    float64 // factor on sigma at this level
	sigma    float64 // of a deviation, with scale
	residual float64 // value − expected
	excess   float64 // residual beyond what came at this time of late
}

// unexcused is the part of a deviation that did not come at this time of late.
func (e expectation) unexcused() float64 {
	if e.residual == 0 || e.residual == e.excess {
		return 1
	}
	return e.excess / e.residual
}

// enter moves the baseline to the bin of t. A width that changes (the step was
// taken for another at first) starts the season afresh.
func (b *baseline) enter(t int64, step float64) {
	if width := int32(max(seasonWidth, min(step, day))); width != b.Width {
		b.Width, b.Bin, b.TodayBin = width, -1, [2]int32{-1, -1}
		b.Season, b.Yesterday = [seasonBins]float32{}, [seasonBins]int8{}
	}
	bin := int32((t%day + day) % day / int64(b.Width))
	if bin == b.Bin {
		return
	}
	b.remember(1)
	b.Today[1], b.TodayBin[1] = b.Today[0], b.TodayBin[0]
	b.Today[0], b.TodayBin[0] = 0, bin
	b.Bin = bin
}

// bins is how many bins a day has.
func (b *baseline) bins() int { return (day + int(b.Width) - 1) / int(b.Width) }

// expect says what b expects of x, which comes in the bin entered.
func (b *baseline) expect(x float64) expectation {
	e := expectation{season: float64(b.Season[b.Bin]), value: b.Level}
	if b.ErrSeason <= settings.SeasonBias*b.ErrLevel {
		e.value = b.Base + e.season
	}
	e.scale = b.Noise.scale(e.value)
	e.sigma = b.floorSigma() * e.scale
	e.residual = x - e.value
	lo, hi := b.usual()
	e.excess = e.residual
	if e.residual > 0 {
		e.excess = max(0, e.residual-hi)
	} else {
		e.excess = min(0, e.residual-lo)
	}
	return e
}

func (b *baseline) floorSigma() float64 {
	return max(b.Sigma, settings.LevelFloor*math.Abs(b.Level)+1e-9)
}

// lesson is what it takes to learn a value.
type lesson struct {
	x        float64
	e        expectation
	spread   float64 // of the series
	n        float64 // values that the level rests on
	days     float64 // of history
	step     float64 // seconds
	elapsed  float64 // seconds since the value before
	incident bool
}

// learn takes in a value. During an incident only the season goes on learning,
// clipped: it has to find out what comes every night.
func (b *baseline) learn(l lesson) {
	sigma := b.floorSigma()
	flat, seasonal := l.x-b.Level, l.x-b.Base-l.e.season
	most := max(10*sigma, l.spread)
	b.ErrLevel += 0.002 * (min(math.Abs(flat), most) - b.ErrLevel)
	b.ErrSeason += 0.002 * (min(math.Abs(seasonal), most) - b.ErrSeason)
	b.Slow += clamp(max(l.elapsed/day, 1/l.n), 0, 1) * (l.x - b.Slow)
	b.learnSeason(l, max(settings.Clip*sigma, settings.SeasonClip*l.spread))
	if l.incident {
		return
	}
	b.Noise.learn(l.e.value, l.e.residual)
	if r := math.Abs(l.e.residual); l.n < 10 {
		b.Sigma += 0.3 * (r/l.e.scale - b.Sigma)
	} else {
		b.Sigma += max(settings.NoiseRate, 1/l.n) * (min(r, 5*l.e.sigma)/l.e.scale - b.Sigma)
	}
	if l.n >= 30 {
		most := settings.Clip * l.e.sigma
		flat, seasonal = clamp(flat, -most, most), clamp(seasonal, -most, most)
	}
	alpha := clamp(max(settings.LevelRate*math.Pow(l.step/60, settings.LevelRateStep), 1/l.n), 0, 1)
	b.Level += alpha * flat
	b.Base += alpha * seasonal
}

// learnSeason moves the bin by what the expectation misses, at most by most. In
// the first days there is no such expectation: then the season is what comes on
// top of the day's level, and the first day is taken as it is.
func (b *baseline) learnSeason(l lesson, most float64) {
	move := l.x - b.Base - l.e.season
	if l.days < settings.SeasonDays {
		move = l.x - b.Slow - l.e.season
	}
	if l.days >= 1 {
		move = clamp(move, -most, most)
	}
	rate := max(settings.SeasonRate, 1/(math.Floor(l.days)+2)) * min(1, l.step/60)
	b.Season[b.Bin] = float32(l.e.season + rate*move)
}

// adopt takes what lately came instead, shift off the expectation, as normal.
func (b *baseline) adopt(shift float64, e expectation) {
	b.Level = e.value + shift
	b.Base = e.value + shift - e.season
}

// usualUnit is the logarithmic resolution of Yesterday: a deviation of k sigma
// is kept as 16·log2(1 + k).
const usualUnit = 16

// note takes in the deviation of the value that just came, for tomorrow.
func (b *baseline) note(residual float64) {
	if math.Abs(residual) > math.Abs(b.Today[0]) {
		b.Today[0] = residual
	}
}

// remember moves a bin of today, two bins after it began, into Yesterday, where
// what came on earlier days fades. What came once excuses a quarter of itself;
// what came twice is usual.
func (b *baseline) remember(i int) {
	if b.TodayBin[i] < 0 {
		return
	}
	bin, sigma := b.TodayBin[i], b.floorSigma()
	before, today := b.past(int(bin), sigma), b.Today[i]
	once := today * settings.Once
	k := before * settings.YesterdayFade
	if math.Abs(once) > math.Abs(k) {
		k = once
	}
	if before*today > 0 { // again
		k = math.Copysign(max(math.Abs(k), min(math.Abs(today), math.Abs(before)/settings.Once)), today)
	}
	code := math.Round(usualUnit * math.Log2(1+math.Abs(k)/sigma))
	b.Yesterday[bin] = int8(math.Copysign(min(code, 127), k))
}

// past is the deviation kept for a bin.
func (b *baseline) past(bin int, sigma float64) float64 {
	c := float64(b.Yesterday[bin])
	if c == 0 {
		return 0
	}
	return math.Copysign(math.Exp2(math.Abs(c)/usualUnit)-1, c) * sigma
}

// usual is the range of deviations that came at this time of day of late, one bin
// to either side: a batch that runs every night is no surprise.
func (b *baseline) usual() (lo, hi float64) {
	if b.Width > 3*seasonWidth {
		return 0, 0 // so few points a day that what came once is too easily met again
	}
	n, sigma := b.bins(), b.floorSigma()
	for i := -1; i <= 1; i++ {
		bin := (int(b.Bin) + i + n) % n // the one before is not overwritten yet
		if b.Yesterday[bin] != 0 {
			y := b.past(bin, sigma)
			lo, hi = min(lo, y), max(hi, y)
		}
	}
	return lo * settings.Yesterday, hi * settings.Yesterday
}

// power learns how the noise grows with the level: not at all (a gauge), like
// its root (a count) or in proportion (a latency), as the slope of ln|residual|
// over ln|level|.
type power struct{ N, A, B, VarA, CovAB float64 }

const (
	powerRate  = 0.001
	powerRange = 3 // ln: levels 20 times higher or lower than usual count as that
	powerFew   = 60
)

// scale is the factor on sigma where y is expected.
func (p *power) scale(y float64) float64 {
	if p.N < powerFew {
		return 1
	}
	slope := clamp(p.CovAB/(p.VarA+settings.PowerPrior), 0, 1) * settings.Power
	if slope < 0.01 {
		return 1
	}
	return math.Exp(slope * clamp(math.Log(math.Abs(y)+1e-9)-p.A, -powerRange, powerRange))
}

func (p *power) learn(y, residual float64) {
	if residual == 0 {
		return
	}
	p.N++
	w := max(powerRate, 1/p.N)
	a, b := math.Log(math.Abs(y)+1e-9), math.Log(math.Abs(residual))
	p.A += w * (a - p.A)
	p.B += w * (b - p.B)
	da, db := clamp(a-p.A, -powerRange, powerRange), clamp(b-p.B, -powerRange, powerRange)
	p.VarA += w * (da*da - p.VarA)
	p.CovAB += w * (da*db - p.CovAB)
}
