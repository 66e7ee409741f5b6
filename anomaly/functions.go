package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// What follows finds the function that a service's requests newly spend CPU time (or allocate memory) in, given two
// merged profiles. It follows what is published on the matter:
//
//   - D. Y. Yoon et al., FBDetect: Catching Tiny Performance Regressions at Hyperscale through In-Production Monitoring
//     (SOSP 2024): the cost of a subroutine instead of the process's; a rise whose cost domain (callers, siblings) costs
//     what it did is a cost shift and not told; what went away again is not told; deployments explain change points.
//   - G. Ren et al., Google-Wide Profiling (IEEE Micro 2010): samples of a profile are counts, so that the noise of a
//     function's part is known from how many samples it stands on.
//   - B. Gregg, The Flame Graph (ACM Queue 14(2), 2016): differences are attributed on the merged call tree.

// Function is a function as profiles name it.
type Function struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int64  `json:"line,omitempty"` // where it begins, or where most of its time is spent; 0: not known
}

// CallTree is two merged profiles of one service: side 0 is now, side 1 before.
type CallTree struct {
	Functions []Function
	Nodes     []CallNode // a parent comes before its children; node 0 is the root
}

// CallNode is a function as called on one path.
type CallNode struct {
	Parent   int32 // -1 for the root
	Function int32 // -1 for the root
	Self     [2]float64
	Samples  [2]float64 // that Self stands on
}

// Exposure is what the profiles of one side stand for.
type Exposure struct {
	Requests float64 // answered by what was profiled while it was; 0: not known
	Seconds  float64 // that profiles cover, summed over processes
}

// Lenient is by what the values before are multiplied to be comparable with those now: by requests, and by seconds
// covered where that makes more of them. Work that does not depend on requests (collection of garbage, health checks)
// costs more a request when traffic falls; what rose by either measure alone is no regression.
func Lenient(now, before Exposure) float64 {
	requests, seconds := scales(now, before)
	return max(requests, seconds)
}

// Strict is the lesser of the two: what fell by either measure alone did not surely fall.
func Strict(now, before Exposure) float64 {
	requests, seconds := scales(now, before)
	return min(requests, seconds)
}

func scales(now, before Exposure) (requests, seconds float64) {
	if before.Seconds > 0 {
		seconds = now.Seconds / before.Seconds
	}
	requests = seconds
	if now.Requests > 0 && before.Requests > 0 {
		requests = now.Requests / before.Requests
	}
	return requests, seconds
}

// RegressionOptions bound what is told.
type RegressionOptions struct {
	Scale     float64                             // of values before, see Lenient
	Fallen    float64                             // the same for what fell, see Strict (Scale)
	Threshold float64                             // surprise that a rise must have, nats
	Least     float64                             // rise worth telling, as a share of all that the service took before
	Growth    float64                             // least factor by which the function's own cost rose
	Noise     func(f Function, self bool) float64 // how much a function's cost varies between such windows beyond its samples (relative standard deviation)
	Most      int                                 // regressions told
}

// Regression is a function in which cost is newly spent.
type Regression struct {
	Function Function
	Caller   Function   // that most of it comes from; empty at the root
	Now, Was float64    // with what it calls, in values of the present side
	Rise     float64    // of it newly spent, with what was saved in its place taken off
	Share    float64    // Rise as a share of all that was spent before
	Score    float64    // surprise, nats
	Samples  [2]float64 // that Now and Was stand on
	New      bool       // it was not there before
}

// unit is what may rise: a function with what it calls, or its own part alone.
type unit struct {
	f         int32
	self      bool
	v, n      [2]float64 // values, those before scaled; samples, unscaled
	score     float64
	inclusive float64 // size, for the order from leaf to root
}

func (u *unit) rise() float64 { return u.v[0] - u.v[1] }

// search is one look for regressions.
type search struct {
	t       *CallTree
	o       RegressionOptions
	total   []unit           // by function
	self    []unit           // by function
	callers []map[int32]edge // by function: what each caller brings
	callees []map[int32]edge // by function, self excluded
	nodes   [][]int32        // by function: its outermost nodes
	value   [][2]float64     // by node, inclusive, scaled
	whole   [2]float64
	risen   map[[2]int32]*unit // by function and 0 (total) or 1 (self)
	found   []*unit
	paths   map[int32]map[int32]edge // by function: what inside found
}

type edge struct{ v, n [2]float64 }

// Regressions finds the functions that cost is newly spent in, the largest first. A function counts when it, with all it
// calls, costs surprisingly more, and nothing that it calls accounts for that; not when what it calls only moved there
// from other callers, nor when something beside it (a function renamed, inlined or split) costs as much less.
func Regressions(t *CallTree, o RegressionOptions) []Regression {
	if len(t.Nodes) == 0 || o.Scale <= 0 {
		return nil
	}
	if o.Fallen <= 0 {
		o.Fallen = o.Scale
	}
	s := &search{t: t, o: o, risen: map[[2]int32]*unit{}, paths: map[int32]map[int32]edge{}}
	s.sum()
	if s.whole[1] <= 0 {
		return nil
	}
	candidates := s.candidates()
	var platform []*unit
	for _, u := range candidates {
		switch {
		case s.explained(u) || s.callersDoing(u):
		case Platform(t.Functions[u.f]):
			platform = append(platform, u)
		default:
			s.accept(u)
		}
	}
	for _, u := range platform { // of the language's runtime: only where no code of the service accounts for it
		if !s.explained(u) && !s.within(u) {
			s.accept(u)
		}
	}
	return s.tell()
}

// sum adds up the tree by function and by edge.
func (s *search) sum() {
	t, n := s.t, len(s.t.Functions)
	s.total, s.self, s.nodes = make([]unit, n), make([]unit, n), make([][]int32, n)
	s.callers, s.callees = make([]map[int32]edge, n), make([]map[int32]edge, n)
	s.value = make([][2]float64, len(t.Nodes))
	samples := make([][2]float64, len(t.Nodes))
	scale := [2]float64{1, s.o.Scale}
	for i := range t.Nodes {
		for k := range 2 {
			s.value[i][k] = t.Nodes[i].Self[k] * scale[k]
		}
		samples[i] = t.Nodes[i].Samples
	}
	for i := len(t.Nodes) - 1; i > 0; i-- {
		p := t.Nodes[i].Parent
		for k := range 2 {
			s.value[p][k] += s.value[i][k]
			samples[p][k] += samples[i][k]
		}
	}
	s.whole = s.value[0]
	for f := range n {
		s.total[f].f, s.self[f].f, s.self[f].self = int32(f), int32(f), true
		s.callers[f], s.callees[f] = map[int32]edge{}, map[int32]edge{}
	}
	for i := 1; i < len(t.Nodes); i++ {
		f := t.Nodes[i].Function
		own := &s.self[f]
		for k := range 2 {
			own.v[k] += t.Nodes[i].Self[k] * scale[k]
			own.n[k] += t.Nodes[i].Samples[k]
		}
		if s.above(int32(i), f) {
			continue
		}
		s.nodes[f] = append(s.nodes[f], int32(i))
		all := &s.total[f]
		caller := t.Nodes[t.Nodes[i].Parent].Function
		e := edge{}
		if caller >= 0 {
			e = s.callers[f][caller]
		}
		for k := range 2 {
			all.v[k] += s.value[i][k]
			all.n[k] += samples[i][k]
			e.v[k] += s.value[i][k]
			e.n[k] += samples[i][k]
		}
		if caller >= 0 {
			s.callers[f][caller], s.callees[caller][f] = e, e
		}
	}
	for f := range n {
		s.total[f].inclusive, s.self[f].inclusive = max(s.total[f].v[0], s.total[f].v[1]), max(s.self[f].v[0], s.self[f].v[1])
	}
}

// above says whether a function is among a node's callers.
func (s *search) above(node, f int32) bool {
	for p := s.t.Nodes[node].Parent; p > 0; p = s.t.Nodes[p].Parent {
		if s.t.Nodes[p].Function == f {
			return true
		}
	}
	return false
}

// candidates are what rose surprisingly, from the leaves to the root.
func (s *search) candidates() []*unit {
	var out []*unit
	for f := range s.total {
		for i, u := range []*unit{&s.total[f], &s.self[f]} {
			if u.rise() < s.o.Least*s.whole[1] || u.v[0] < s.o.Growth*u.v[1] {
				continue
			}
			u.score = RiseSurprise(u.n[0], u.n[1], s.o.Scale, u.v, s.noise(u))
			if u.score >= s.o.Threshold {
				out = append(out, u)
				s.risen[[2]int32{u.f, int32(i)}] = u
			}
		}
	}
	slices.SortFunc(out, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(a.inclusive, b.inclusive), boolCompare(b.self, a.self), cmp.Compare(s.depth(b.f), s.depth(a.f)), cmp.Compare(a.f, b.f))
	})
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// depth is how deep a function's outermost calls lie at most.
func (s *search) depth(f int32) int {
	most := 0
	for _, n := range s.nodes[f] {
		d := 0
		for p := s.t.Nodes[n].Parent; p > 0; p = s.t.Nodes[p].Parent {
			d++
		}
		most = max(most, d)
	}
	return most
}

func (s *search) noise(u *unit) float64 {
	if s.o.Noise == nil {
		return usualNoise
	}
	return s.o.Noise(s.t.Functions[u.f], u.self)
}

// usualNoise is by how much a function's cost a request varies between windows before anything is known about it.
const usualNoise = 0.1

// RiseSurprise tells in nats how surprising n samples are where before there were `before` of them in an exposure scale
// times less. Samples of a profile are counts; noise is how much the rate behind them varies beyond that (relative
// standard deviation). v are the values those samples stand for, those before scaled: where one sample stands for more
// than another, as with memory, values decide.
func RiseSurprise(n, before, scale float64, v [2]float64, noise float64) float64 {
	if n+before <= 0 || v[0] <= v[1] {
		return 0
	}
	per := (v[0] + v[1]/max(scale, 1e-12)) / (n + before) // a sample's worth
	if per <= 0 {
		return 0
	}
	count := v[0] / per
	usual := v[1]/per + .5*scale // Jeffreys' prior: half a sample before
	shape := 1 / (1/(before+.5) + noise*noise)
	more, _ := CountSurprise(count, usual, shape)
	return more
}

// Observation is what the profiles of one stretch of time say of a function.
type Observation struct {
	Value    float64
	Samples  float64 // that Value stands on
	Exposure float64 // requests, or seconds
}

// Variation is by how much a function's cost varies from one stretch of time to the next beyond what its samples leave
// to chance: a relative standard deviation, shrunk to what is usual while few were seen. One of them counts as five
// deviations at most.
func Variation(list []Observation) float64 {
	const prior = 6
	var value, samples, exposure float64
	for _, o := range list {
		value, samples, exposure = value+o.Value, samples+o.Samples, exposure+o.Exposure
	}
	sum, n := prior*usualNoise*usualNoise, float64(prior)
	if value <= 0 || samples <= 0 || exposure <= 0 {
		return usualNoise
	}
	per := value / samples
	for _, o := range list {
		mu := value / exposure * o.Exposure
		if mu < 5*per { // too little to say anything
			continue
		}
		d, chance := o.Value/mu-1, per/mu
		sum += min(d*d, 25*(chance+usualNoise*usualNoise)) - chance
		n++
	}
	return math.Sqrt(max(sum/n, leastNoise*leastNoise))
}

// leastNoise is what no function is steadier than.
const leastNoise = 0.02

// Shares by which one change accounts for another.
const (
	accounts   = 0.6  // of a rise, for what is within it to be its reason
	carries    = 0.7  // of a rise, for one callee to carry it
	remains    = 0.5  // of a rise after what fell beside it, for it to be news
	elsewhere  = 0.25 // of a callee's cost, for its other callers to count
	sameGrowth = 0.3  // of the growth under one caller, for the callee itself to have grown
	gone       = 0.15 // of what there is now, for a function not to have been there before
)

// explained says that what rose within a unit has been found already, or that it only came there from other callers.
func (s *search) explained(u *unit) bool {
	if u.self {
		return slices.ContainsFunc(s.found, func(v *unit) bool { return v.f == u.f })
	}
	within := s.inside(u.f)
	sum := 0.0
	for _, v := range s.found {
		if v.f == u.f {
			return true
		}
		d := within[v.f]
		sum += d.v[0] - d.v[1]
	}
	if sum >= accounts*u.rise() {
		return true
	}
	for f, d := range within {
		rise := d.v[0] - d.v[1]
		if f != u.f && rise >= carries*u.rise() && s.total[f].rise() < remains*rise {
			return true // it costs what it did: others call it less
		}
	}
	return false
}

// inside is what each function takes on paths through f, recursion counted once.
func (s *search) inside(f int32) map[int32]edge {
	if out, ok := s.paths[f]; ok {
		return out
	}
	out := map[int32]edge{}
	s.paths[f] = out
	t := s.t
	for i := 1; i < len(t.Nodes); i++ {
		g := t.Nodes[i].Function
		if g == f || !s.above(int32(i), f) || s.between(int32(i), g, f) {
			continue
		}
		e := out[g]
		for k := range 2 {
			e.v[k] += s.value[i][k]
		}
		out[g] = e
	}
	return out
}

// between says whether g is called by itself on the way from the outermost f to a node.
func (s *search) between(node, g, f int32) bool {
	again, below := false, false
	for p := s.t.Nodes[node].Parent; p > 0; p = s.t.Nodes[p].Parent {
		switch s.t.Nodes[p].Function {
		case g:
			again = true
		case f:
			below = again
		}
	}
	return below
}

// callersDoing says that a unit rose under one caller alone, who is a candidate itself, while others who call it as
// well pay what they did: it is called more often there, which is the caller's doing.
func (s *search) callersDoing(u *unit) bool {
	var most int32 = -1
	for c, e := range s.callers[u.f] {
		if m, ok := s.callers[u.f][most]; c != u.f && (!ok || e.v[0]-e.v[1] > m.v[0]-m.v[1] || e.v[0]-e.v[1] == m.v[0]-m.v[1] && c < most) {
			most = c
		}
	}
	if most < 0 || s.risen[[2]int32{most, 0}] == nil {
		return false
	}
	in := s.callers[u.f][most]
	all := s.total[u.f]
	out := [2]float64{all.v[0] - in.v[0], all.v[1] - in.v[1]}
	if in.v[0]-in.v[1] < carries*all.rise() || out[1] < elsewhere*max(in.v[1], all.v[1]/4) || out[1] <= 0 {
		return false
	}
	growth := in.v[0]/max(in.v[1], 1e-9*in.v[0]) - 1
	return out[0]/out[1]-1 < sameGrowth*min(growth, 3)
}

// within says that a unit lies within what has been found.
func (s *search) within(u *unit) bool {
	for _, v := range s.found {
		if d, ok := s.inside(v.f)[u.f]; ok && d.v[0]-d.v[1] >= remains*u.rise() {
			return true
		}
	}
	return false
}

// accept takes a unit among what was found, unless something beside it costs as much less. Callers of it that were found
// before, as one of several callers may well be smaller than what they all call, are accounted for by it.
func (s *search) accept(u *unit) {
	if s.net(u) < remains*u.rise() {
		return
	}
	s.found = slices.DeleteFunc(s.found, func(v *unit) bool {
		d := s.inside(v.f)[u.f]
		return !v.self && d.v[0]-d.v[1] >= accounts*v.rise()
	})
	s.found = append(s.found, u)
}

// levels is how many callers up a rise must show.
const levels = 3

// net is what is left of a rise once what surely fell beside it, and beside its callers, is taken off. Callers that
// were not there before are no level of their own: a whole chain may have been renamed.
func (s *search) net(u *unit) float64 {
	rise := u.rise()
	at, from := u.f, int32(-1)
	if !u.self {
		at, from = s.mainCaller(u.f), u.f
	}
	for left := levels; left > 0; {
		if at < 0 { // what else the process does is no part of it, unless this is a way into the process itself
			if left == levels {
				rise -= s.fallen(at, from)
			}
			return rise
		}
		rise -= s.fallen(at, from)
		if s.total[at].v[1] > gone*s.total[at].v[0] {
			left--
		}
		at, from = s.mainCaller(at), at
	}
	return rise
}

// mainCaller is the caller that most of a function's rise comes from; -1 is the root.
func (s *search) mainCaller(f int32) int32 {
	best, most, sum := int32(-1), 0.0, 0.0
	for c, e := range s.callers[f] {
		d := e.v[0] - e.v[1]
		sum += d
		if c != f && (d > most || d == most && c < best) {
			best, most = c, d
		}
	}
	if rise := s.total[f].rise(); most < rise-sum {
		return -1
	}
	return best
}

// fallen is what costs surely less among what a function (-1: the root) does, besides its calls of one.
func (s *search) fallen(f, besides int32) float64 {
	sum := 0.0
	count := func(u *unit) {
		// The same test with the sides exchanged.
		before := u.v[1] / s.o.Scale
		if RiseSurprise(u.n[1], u.n[0], 1/s.o.Fallen, [2]float64{before, u.v[0] / s.o.Fallen}, s.noise(u)) >= surely {
			sum += before*s.o.Fallen - u.v[0]
		}
	}
	if f < 0 {
		roots := map[int32]edge{}
		for i := 1; i < len(s.t.Nodes); i++ {
			if g := s.t.Nodes[i].Function; s.t.Nodes[i].Parent == 0 {
				e := roots[g]
				for k := range 2 {
					e.v[k] += s.value[i][k]
				}
				roots[g] = e
			}
		}
		for g, e := range roots {
			if g != besides {
				u := unit{f: g, v: e.v, n: s.total[g].n}
				count(&u)
			}
		}
		return sum
	}
	if besides >= 0 {
		count(&s.self[f])
	}
	for g, e := range s.callees[f] {
		if g != besides {
			u := unit{f: g, v: e.v, n: e.n}
			count(&u)
		}
	}
	return sum
}

// surely is the surprise from which on something counts as having fallen.
const surely = 6.0

// tell writes what was found, the largest first.
func (s *search) tell() []Regression {
	out := []Regression{}
	for _, u := range s.found {
		all := s.total[u.f]
		r := Regression{Function: s.t.Functions[u.f], Now: all.v[0], Was: all.v[1], Rise: s.net(u), Score: u.score, Samples: all.n, New: all.v[1] <= gone/10*all.v[0]}
		r.Rise = min(r.Rise, u.rise())
		r.Share = r.Rise / s.whole[1]
		if c := s.mainCaller(u.f); c >= 0 {
			r.Caller = s.t.Functions[c]
		}
		if r.Share >= s.o.Least && !math.IsNaN(r.Share) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Regression) int {
		return cmp.Or(cmp.Compare(b.Rise, a.Rise), cmp.Compare(a.Function.Name, b.Function.Name))
	})
	if s.o.Most > 0 && len(out) > s.o.Most {
		out = out[:s.o.Most]
	}
	return out
}
