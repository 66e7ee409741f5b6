package watch

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// suspicion is that something in a service costs more than it did. It says which profiles are to be compared; what it is
// stands in their call trees.
type suspicion struct {
	series   *costSeries
	version  *costVersion
	now      []stretch // the oldest first
	before   []stretch
	previous *costVersion // version that is compared with; the same one: with what it did before
	beside   bool         // in the same minutes
	score    float64
	noise    map[anomaly.Function][2]float64 // with what it calls, and without
}

// stretch is a block or an hour.
type stretch struct {
	at, length int64
	c          *costCell
}

func (x *suspicion) name() string { return x.version.name + "\x00" + x.previous.name }

// costs are cells added up.
type costs struct {
	costCell
	n int
}

func addUp(list []stretch) (out costs) {
	for _, s := range list {
		out.add(s.c)
		out.n++
	}
	return out
}

// exposure is what cells stand for; where requests are not known, the share of the whole takes their place.
func (c *costCell) exposure() anomaly.Exposure {
	e := c.Exposure
	if e.Requests == 0 {
		e.Requests = c.whole
	}
	return e
}

// suspicions looks at every version that is running, and gives at most one suspicion each. now is the end of what has
// been read, Unix seconds.
func (f *functions) suspicions(now int64) []suspicion {
	var out []suspicion
	for _, s := range f.order {
		threshold := f.threshold(s.key.service)
		for _, v := range s.versions {
			if now-v.seen > 2*costBlock || now-s.since < youngest/2 {
				continue
			}
			var best *suspicion
			for _, n := range costSpans {
				x := s.suspect(v, now, n, threshold)
				if x != nil && (best == nil || x.score > 1.5*best.score) {
					best = x
				}
			}
			if best != nil && now >= s.retry[best.name()].after {
				out = append(out, *best)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b suspicion) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return strings.Compare(a.series.key.service, b.series.key.service)
	})
	return out
}

// leastBlocks is how many blocks a rise must be seen in, so that what a process does when it starts is none.
const leastBlocks = 3

// What a rise must be to be told, and what makes it worth a message.
const (
	leastRise   = 0.01 // of what the service takes a request
	pagingRise  = 0.05
	leastGrowth = 1.1 // of the function itself
	shareGrowth = 1.3 // where only shares of the whole are known
)

// suspect compares the newest n blocks of a version with what it is to be compared with.
func (s *costSeries) suspect(v *costVersion, now int64, n int, threshold float64) *suspicion {
	window := s.newest(v, now, n)
	cur := addUp(window)
	if cur.samples < leastProfile || cur.whole <= 0 || cur.n < max(leastBlocks, n*2/3) {
		return nil
	}
	x := &suspicion{series: s, version: v, now: window}
	x.previous, x.before, x.beside = s.reference(v, window, &cur.costCell)
	ref := addUp(x.before)
	if x.previous == nil || ref.samples < leastProfile || ref.whole <= 0 {
		return nil
	}
	if cur.Requests == 0 && x.previous == v { // shares change with what a service is asked to do: only versions are compared
		return nil
	}
	scale := anomaly.Lenient(cur.exposure(), ref.exposure())
	per := cur.whole / cur.samples
	for id := range s.functions {
		id := int32(id)
		for own, pick := range [2]func(*costCell) float64{func(c *costCell) float64 { return valueAt(c.total, id) }, func(c *costCell) float64 { return valueAt(c.self, id) }} {
			a, b := pick(&cur.costCell), pick(&ref.costCell)
			if a-b*scale < leastRise*ref.whole*scale || a < leastGrowth*b*scale || !s.lasts(window, pick, b/ref.exposure().Requests) {
				continue
			}
			noise := s.noise(x, pick)
			score := anomaly.RiseSurprise(a/per, b/per, scale, [2]float64{a, b * scale}, noise)
			if score < threshold || s.usual(now, pick, a/cur.exposure().Requests) || s.adopted(s.functions[id], own == 0, a/cur.exposure().Requests) {
				continue
			}
			x.score = max(x.score, score)
		}
	}
	if x.score < threshold {
		return nil
	}
	x.noise = map[anomaly.Function][2]float64{}
	for id, f := range s.functions {
		id := int32(id)
		x.noise[identity(f)] = [2]float64{s.noise(x, func(c *costCell) float64 { return valueAt(c.total, id) }), s.noise(x, func(c *costCell) float64 { return valueAt(c.self, id) })}
	}
	return x
}

// newest are the last n blocks of a version.
func (s *costSeries) newest(v *costVersion, now int64, n int) []stretch {
	first := now - now%costBlock - int64(n-1)*costBlock
	var out []stretch
	for i := range v.blocks {
		if c := &v.blocks[i]; c.at >= first && c.at < now && c.Seconds > 0 {
			out = append(out, stretch{c.at, costBlock, c})
		}
	}
	return out
}

// lasts says that what rose has not gone again, and did not only flare up, as when a process starts: the newest third of a
// window has it as well, and the oldest. usual is the cost a request before.
func (s *costSeries) lasts(window []stretch, pick func(*costCell) float64, usual float64) bool {
	n := max(1, len(window)/3)
	rise := func(list []stretch) float64 {
		sum := addUp(list)
		return pick(&sum.costCell)/max(sum.exposure().Requests, 1e-9) - usual
	}
	all := rise(window)
	return rise(window[len(window)-n:]) >= .5*all && rise(window[:n]) >= .25*all
}

// reference is what a version is compared with: the version before it in the same minutes, if both run for long enough;
// else the version before it; else itself, before. Of its cells those with about as much traffic are taken.
func (s *costSeries) reference(v *costVersion, window []stretch, cur *costCell) (*costVersion, []stretch, bool) {
	if len(window) == 0 {
		return nil, nil, false
	}
	begin := window[0].at
	var before *costVersion
	for _, o := range s.versions {
		if o == v || o.since+costBlock >= v.since || v.since < begin-costHours*costHour {
			continue
		}
		if before == nil || o.seen > before.seen || o.seen == before.seen && o.since > before.since {
			before = o
		}
	}
	if before != nil {
		var same []stretch
		for i := range before.blocks {
			if c := &before.blocks[i]; slices.ContainsFunc(window, func(w stretch) bool { return w.at == c.at }) && c.Seconds > 0 {
				same = append(same, stretch{c.at, costBlock, c})
			}
		}
		sum := addUp(same)
		if sum.samples >= 2*leastProfile && sum.Seconds >= .2*cur.Seconds && sum.n*2 >= len(window) {
			return before, same, true
		}
		if past := near(before.past(begin), cur); addUp(past).samples >= 2*leastProfile {
			return before, past, false
		}
	}
	past := v.past(begin - int64(len(window))*costBlock)
	if len(past) < 2 || begin-past[0].at < youngest/2 {
		return nil, nil, false
	}
	return v, near(past, cur), false
}

// past are the cells of a version that ended before a time.
func (v *costVersion) past(before int64) []stretch {
	var out []stretch
	for i := range v.hours {
		if c := &v.hours[i]; c.at+costHour <= before && c.Seconds > 0 {
			out = append(out, stretch{c.at, costHour, c})
		}
	}
	for i := range v.blocks {
		if c := &v.blocks[i]; c.at+costBlock <= before && c.Seconds > 0 {
			out = append(out, stretch{c.at, costBlock, c})
		}
	}
	return out
}

// nearTraffic is how many times as much traffic as now cells may have had, or as little; mostReference how many cells are
// looked at, the newest of them.
const (
	nearTraffic   = 1.35
	mostReference = 48
)

// near keeps the cells in which a process had about as many requests a second as now, where those are enough.
func near(list []stretch, cur *costCell) []stretch {
	var out []stretch
	now := cur.Requests / cur.Seconds
	for _, s := range list {
		if r := s.c.Requests / s.c.Seconds; now > 0 && r > 0 && math.Abs(math.Log(r/now)) <= math.Log(nearTraffic) {
			out = append(out, s)
		}
	}
	if addUp(out).samples < max(4*leastProfile, cur.samples) {
		out = list
	}
	return out[max(0, len(out)-mostReference):]
}

// noise is by how much a function's cost varies between windows as long as the one that is judged.
func (s *costSeries) noise(x *suspicion, pick func(*costCell) float64) float64 {
	var list []anomaly.Observation
	group := func(cells []stretch, n int) {
		for i := 0; i+n <= len(cells); i += n {
			sum := addUp(cells[i : i+n])
			if sum.whole > 0 {
				v := pick(&sum.costCell)
				list = append(list, anomaly.Observation{Value: v, Samples: v * sum.samples / sum.whole, Exposure: sum.exposure().Requests})
			}
		}
	}
	first := x.now[0].at
	if x.beside {
		first += int64(len(x.now)) * costBlock // side by side, both see what the minutes bring
	}
	var blocks, hours []stretch
	for _, c := range x.previous.past(first) {
		if c.length == costBlock {
			blocks = append(blocks, c)
		} else {
			hours = append(hours, c)
		}
	}
	if n := len(x.now); n < 12 {
		group(blocks, n)
	}
	group(hours, 1)
	ref := addUp(x.before)
	cur := addUp(x.now)
	share := max(pick(&ref.costCell)/ref.whole, .3*pick(&cur.costCell)/cur.whole, leastRise)
	chance := runs(&cur.costCell, share) + runs(&ref.costCell, share)
	if x.previous != x.version {
		chance *= releaseChance
	}
	return math.Hypot(anomaly.Variation(list), math.Sqrt(chance))
}

// releaseChance is how much of that counts against a new version, which is a reason by itself.
const releaseChance = 0.2

// runs is what the number of requests that a function ran for leaves to chance: a function that takes a tenth of the cost
// may well be one that runs for a tenth of the requests, and where those are few, how many came is chance by itself.
func runs(c *costCell, share float64) float64 {
	if c.Requests == 0 {
		return 0
	}
	return 1 / max(c.Requests*share, 1)
}

// usual says that a function cost about as much at this time of one of the days before.
func (s *costSeries) usual(now int64, pick func(*costCell) float64, level float64) bool {
	for days := int64(1); days <= 2; days++ {
		then := now - days*86400
		var sum costs
		for _, v := range s.versions {
			for i := range v.hours {
				if c := &v.hours[i]; c.at+costHour > then-costHour && c.at < then+costHour/2 {
					sum.add(c)
					if e := c.exposure().Requests; e > 0 && c.samples >= leastProfile && pick(c)/e*1.3 >= level {
						return true
					}
				}
			}
		}
	}
	return false
}

// adopted says that a function's level has become normal.
func (s *costSeries) adopted(f anomaly.Function, whole bool, level float64) bool {
	return whole && slices.ContainsFunc(s.levels, func(a adoptedLevel) bool { return a.function == identity(f) && level <= worse*a.level })
}

// costWindows are cells as stretches of time up to an end, neighbours joined.
func costWindows(list []stretch, end int64) []query.Window {
	var out []query.Window
	for _, s := range list {
		from, to := time.Unix(s.at, 0).UTC(), time.Unix(min(s.at+s.length, end), 0).UTC()
		if n := len(out) - 1; n >= 0 && out[n].To.Equal(from) {
			out[n].To = to
			continue
		}
		out = append(out, query.Window{From: from, To: to})
	}
	return out
}
