package watch

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Profiles are kept by function in blocks of five minutes for the last three hours and in hours for three days before
// that: enough to see a new version beside or after the old one, the same hour of the days before, and a slow drift.
const (
	costBlock    = 300           // seconds
	costBlocks   = 36            // kept
	costHour     = 3600          // seconds
	costHours    = 72            // kept
	costReread   = 2 * costBlock // seconds before the present block that are read again: profiles come late
	mostTracked  = 300           // functions of a service that are told apart
	tracked      = 0.01          // share of a service's cost from which on a function is
	forgetShare  = 0.004         // share below which it no longer is, when there are too many
	mostCosts    = 500           // services (and environments, and kinds of cost) that are watched
	leastProfile = 100           // samples of a side, without which nothing is said
)

// costSpans are the windows that are judged, in blocks, the newest, which is not over yet, included: 15, 25, 60 and 180
// minutes.
var costSpans = [...]int{3, 5, 12, 36}

// costKey names one kind of cost of one service.
type costKey struct{ env, service, cost, kind string }

// costCell is what profiles of one version said in a block or an hour, by function.
type costCell struct {
	at int64 // Unix seconds at which it begins
	anomaly.Exposure
	whole, samples float64
	total, self    []float32 // by function, with what it calls and without
}

func (c *costCell) add(o *costCell) {
	c.Requests, c.Seconds, c.whole, c.samples = c.Requests+o.Requests, c.Seconds+o.Seconds, c.whole+o.whole, c.samples+o.samples
	c.total, c.self = sumTo(c.total, o.total), sumTo(c.self, o.self)
}

func sumTo(a, b []float32) []float32 {
	for len(a) < len(b) {
		a = append(a, 0)
	}
	for i, v := range b {
		a[i] += v
	}
	return a
}

func valueAt(list []float32, i int32) float64 {
	if int(i) >= len(list) {
		return 0
	}
	return float64(list[i])
}

// costVersion is what is known of one version of a service.
type costVersion struct {
	name          string
	since, seen   int64 // the first and the newest block, Unix seconds
	blocks, hours []costCell
}

// cellAt is the block or hour that begins at a time, made if need be; the lists are in the order of time.
func cellAt(list *[]costCell, at int64) *costCell {
	i, ok := slices.BinarySearchFunc(*list, at, func(c costCell, t int64) int { return cmp.Compare(c.at, t) })
	if !ok {
		*list = slices.Insert(*list, i, costCell{at: at})
	}
	return &(*list)[i]
}

// age moves what is too old for blocks into hours, and forgets what is too old for those.
func (v *costVersion) age(now int64) {
	n := 0
	for n < len(v.blocks) && v.blocks[n].at < now-costBlocks*costBlock {
		c := &v.blocks[n]
		cellAt(&v.hours, c.at-c.at%costHour).add(c)
		n++
	}
	v.blocks = slices.Delete(v.blocks, 0, n)
	n = 0
	for n < len(v.hours) && v.hours[n].at < now-(costHours+3)*costHour {
		n++
	}
	v.hours = slices.Delete(v.hours, 0, n)
}

// costSeries is one kind of cost of one service.
type costSeries struct {
	key       costKey
	functions []anomaly.Function
	ids       map[anomaly.Function]int32 // by name and file
	versions  []*costVersion
	since     int64
	open      []*codeAlarm
	retry     map[string]retry // suspicions that came to nothing
	levels    []adoptedLevel
}

// retry is when a suspicion is looked at again.
type retry struct {
	after int64
	wait  int64
}

// adoptedLevel is what has become normal because it lasted, or because somebody said so.
type adoptedLevel struct {
	function anomaly.Function
	level    float64
}

func identity(f anomaly.Function) anomaly.Function {
	return anomaly.Function{Name: f.Name, File: f.File}
}

func (s *costSeries) version(name string) *costVersion {
	for _, v := range s.versions {
		if v.name == name {
			return v
		}
	}
	v := &costVersion{name: name}
	s.versions = append(s.versions, v)
	return v
}

// track begins to tell a function apart.
func (s *costSeries) track(f anomaly.Function) (int32, bool) {
	k := identity(f)
	id, ok := s.ids[k]
	if !ok {
		if len(s.functions) >= mostTracked {
			return 0, false
		}
		id = int32(len(s.functions))
		s.functions, s.ids[k] = append(s.functions, f), id
	}
	return id, true
}

// prune forgets the functions that have become small, when there are too many.
func (s *costSeries) prune() {
	if len(s.functions) < mostTracked*9/10 {
		return
	}
	most := make([]float64, len(s.functions))
	s.cells(func(c *costCell) {
		for i := range c.total {
			if c.samples >= leastProfile {
				most[i] = max(most[i], float64(c.total[i])/c.whole)
			}
		}
	})
	for _, a := range s.open {
		if id, ok := s.ids[identity(a.alarm.Code.Function)]; ok {
			most[id] = 1
		}
	}
	var keep []int32
	for i, m := range most {
		if m >= forgetShare {
			keep = append(keep, int32(i))
		}
	}
	if len(keep) == len(s.functions) { // all are large: the smaller half goes
		slices.SortFunc(keep, func(a, b int32) int { return cmp.Compare(most[b], most[a]) })
		keep = keep[:len(keep)*2/3]
		slices.Sort(keep)
	}
	functions := make([]anomaly.Function, len(keep))
	s.ids = map[anomaly.Function]int32{}
	for i, old := range keep {
		functions[i] = s.functions[old]
		s.ids[identity(functions[i])] = int32(i)
	}
	pick := func(list []float32) []float32 {
		out := make([]float32, len(keep))
		for i, old := range keep {
			out[i] = float32(valueAt(list, old))
		}
		return out
	}
	s.cells(func(c *costCell) { c.total, c.self = pick(c.total), pick(c.self) })
	s.functions = functions
}

func (s *costSeries) cells(f func(*costCell)) {
	for _, v := range s.versions {
		for i := range v.blocks {
			f(&v.blocks[i])
		}
		for i := range v.hours {
			f(&v.hours[i])
		}
	}
}

// functions is all that is known of what functions cost.
type functions struct {
	series   map[costKey]*costSeries
	order    []*costSeries
	settings Settings
	left     int // services that are not watched because there are too many
}

func newFunctions(s Settings) *functions {
	return &functions{series: map[costKey]*costSeries{}, settings: s}
}

func (f *functions) of(g query.CostGroup) *costSeries {
	k := costKey{g.Env, g.Service, g.Cost, g.Type}
	s := f.series[k]
	if s == nil {
		if len(f.series) >= mostCosts {
			f.left++
			return nil
		}
		s = &costSeries{key: k, ids: map[anomaly.Function]int32{}, retry: map[string]retry{}}
		f.series[k] = s
		f.order = append(f.order, s)
		slices.SortFunc(f.order, func(a, b *costSeries) int { return compareCosts(a.key, b.key) })
	}
	return s
}

func compareCosts(a, b costKey) int {
	return cmp.Or(strings.Compare(a.env, b.env), strings.Compare(a.service, b.service), strings.Compare(a.cost, b.cost), strings.Compare(a.kind, b.kind))
}

// settle ends the taking in of what was read up to a moment: what is old moves on or goes.
func (f *functions) settle(now int64) {
	kept := f.order[:0]
	for _, s := range f.order {
		versions := s.versions[:0]
		for _, v := range s.versions {
			v.age(now)
			if len(v.blocks)+len(v.hours) > 0 {
				versions = append(versions, v)
			}
		}
		s.versions = versions
		s.prune()
		for k, r := range s.retry {
			if now > r.after+r.wait {
				delete(s.retry, k)
			}
		}
		if len(versions) > 0 || len(s.open) > 0 {
			kept = append(kept, s)
		} else {
			delete(f.series, s.key)
		}
	}
	clear(f.order[len(kept):])
	f.order = kept
}

// tracked is how many functions are told apart.
func (f *functions) tracked() (n int) {
	for _, s := range f.order {
		n += len(s.functions)
	}
	return n
}

// threshold is the surprise that a function takes to be told: every function is looked at twice, in four windows of which
// about 60 a day are independent of one another.
func (f *functions) threshold(service string) float64 {
	return math.Log(float64(max(f.tracked(), 300)) * 2 * 60 / f.settings.budget(service, ""))
}

// clear empties the blocks of a window that is read again.
func (f *functions) clear(from, to int64) {
	f.left = 0
	for _, s := range f.order {
		for _, v := range s.versions {
			v.blocks = slices.DeleteFunc(v.blocks, func(c costCell) bool { return c.at >= from && c.at < to })
		}
	}
}

// exposed takes in what was profiled; hours says that steps are hours.
func (f *functions) exposed(all map[query.CostStep]query.Exposure, hours bool) {
	for k, e := range all {
		s := f.of(k.CostGroup)
		if s == nil || e.Seconds <= 0 {
			continue
		}
		v := s.version(k.Version)
		list := &v.blocks
		if hours {
			list = &v.hours
		}
		c := cellAt(list, k.Step)
		c.Requests, c.Seconds = c.Requests+e.Requests, c.Seconds+e.Seconds
		if v.since == 0 || k.Step < v.since {
			v.since = k.Step
		}
		v.seen = max(v.seen, k.Step)
		if s.since == 0 || k.Step < s.since {
			s.since = k.Step
		}
	}
}

// sampled takes in what stacks took; hours says that steps are hours. A function is told apart once it has taken a
// hundredth of a step.
func (f *functions) sampled(rows *query.CostRows, named map[string]stackNames, hours bool) {
	byGroup := make([][]query.CostSample, len(rows.Groups))
	for _, r := range rows.Samples {
		byGroup[r.Group] = append(byGroup[r.Group], r)
	}
	for i, g := range rows.Groups {
		s := f.of(g)
		if s == nil {
			continue
		}
		names := named[g.Service]
		ids := s.trackLarge(byGroup[i], names)
		v := s.version(g.Version)
		for _, r := range byGroup[i] {
			list := v.blocks
			if hours {
				list = v.hours
			}
			at, ok := slices.BinarySearchFunc(list, r.Step, func(c costCell, t int64) int { return cmp.Compare(c.at, t) })
			if !ok {
				continue // of profiles that do not say what time they are of
			}
			list[at].sample(names.stacks[r.Stack], ids, len(s.functions), r.Value, r.Samples)
		}
	}
}

// stackNames are the functions of stacks, from the root, as indices of frames.
type stackNames struct {
	frames []query.FunctionFrame
	stacks map[uint64][]int32
}

// trackLarge begins to tell apart the functions that are large in a step, and gives for every frame its function; −1 for
// those that are not told apart.
func (s *costSeries) trackLarge(rows []query.CostSample, names stackNames) []int32 {
	type place struct {
		step  int64
		frame int32
	}
	part, whole := map[place]float64{}, map[int64][2]float64{}
	for _, r := range rows {
		w := whole[r.Step]
		whole[r.Step] = [2]float64{w[0] + r.Value, w[1] + r.Samples}
		path := names.stacks[r.Stack]
		for n, f := range path {
			if !slices.Contains(path[:n], f) {
				part[place{r.Step, f}] += r.Value
			}
		}
	}
	large := map[int32]float64{}
	for k, v := range part {
		if w := whole[k.step]; w[1] >= leastProfile && v >= tracked*w[0] {
			large[k.frame] = max(large[k.frame], v/w[0])
		}
	}
	order := slices.Collect(maps.Keys(large))
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(large[b], large[a]), cmp.Compare(names.frames[a].Function, names.frames[b].Function))
	})
	for _, i := range order {
		fr := names.frames[i]
		s.track(anomaly.Function{Name: fr.Function, File: fr.File, Line: fr.Line})
	}
	ids := make([]int32, len(names.frames))
	for i, fr := range names.frames {
		ids[i] = -1
		if id, ok := s.ids[anomaly.Function{Name: fr.Function, File: fr.File}]; ok {
			ids[i] = id
		}
	}
	return ids
}

// sample adds what one stack took.
func (c *costCell) sample(path, ids []int32, functions int, value, samples float64) {
	c.whole += value
	c.samples += samples
	for len(c.total) < functions {
		c.total, c.self = append(c.total, 0), append(c.self, 0)
	}
	for n, frame := range path {
		if id := ids[frame]; id >= 0 && !slices.Contains(path[:n], frame) {
			c.total[id] += float32(value)
		}
	}
	if n := len(path) - 1; n >= 0 && ids[path[n]] >= 0 {
		c.self[ids[path[n]]] += float32(value)
	}
}
