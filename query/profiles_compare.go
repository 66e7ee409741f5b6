package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ProfileComparison is two selections of profiles in one call tree, and what moved between them.
type ProfileComparison struct {
	*FlameAnswer
	Base         ProfileSide    `json:"base"`
	This         ProfileSide    `json:"this"`
	PerRequest   bool           `json:"per_request"` // movers are per request; else per second covered, or per process
	MoverUnit    string         `json:"mover_unit"`
	Significance bool           `json:"significance"` // there were at least 5 profiles a side
	Movers       []FunctionMove `json:"movers"`
	Summary      string         `json:"summary"` // one sentence that says what changed
	Note         string         `json:"note"`    // what the comparison could not take into account; may be empty
}

// ProfileSide is one side of a comparison.
type ProfileSide struct {
	Range    Range   `json:"range"`
	Profiles int     `json:"profiles"`
	CoveredS float64 `json:"covered_s"`
	Total    float64 `json:"total"`
	Requests float64 `json:"requests"` // that the service answered in the time; 0 if unknown
}

// FunctionMove is how much more or less a function takes than before.
type FunctionMove struct {
	Frame
	Self      float64  `json:"self"` // without what it calls, in the mover's unit
	BaseSelf  float64  `json:"base_self"`
	Total     float64  `json:"total"` // with what it calls
	BaseTotal float64  `json:"base_total"`
	P         *float64 `json:"p"`           // of the difference in self, two-sided; nil without significance
	Moved     bool     `json:"significant"` // after correcting for the number of functions (Benjamini-Hochberg, 5 %)
	Shift     bool     `json:"shift"`       // its callers take as much as before: cost moved between functions
	New       bool     `json:"new"`         // not there before
}

// Each side of a comparison is cut into at most compareSteps pieces of time, and the function's parts in them compared.
const (
	compareSteps = 30
	leastPieces  = 5 // profiles a side for a verdict
	mostMovers   = 50
)

// CompareProfiles compares a selection with a base of the same service and type.
func (db *DB) CompareProfiles(ctx context.Context, s, base ProfileSelection, nodes int) (*ProfileComparison, error) {
	sides := [2]ProfileSelection{s, base}
	var shapes [2]*profileShape
	var sums [2]*stackSums
	for i := range sides {
		var err error
		if shapes[i], sums[i], err = db.shapeAndSums(ctx, &sides[i]); err != nil {
			if i == 1 && errors.Is(err, ErrNotFound) {
				err = fmt.Errorf("nothing to compare with: %w", err)
			}
			return nil, err
		}
	}
	t, err := db.tree(ctx, s.Service, sums[0], sums[1])
	if err != nil {
		return nil, err
	}
	out := &ProfileComparison{FlameAnswer: db.flameAnswer(&s, shapes[0], t, nodes, true)}
	requests := [2]float64{}
	for i := range sides {
		if requests[i], err = db.requests(ctx, &sides[i]); err != nil {
			return nil, err
		}
		side := ProfileSide{Range: db.profileRange(&sides[i]), Profiles: shapes[i].profiles, CoveredS: shapes[i].duration.Seconds(), Requests: requests[i], Total: t.whole(i)}
		if i == 0 {
			out.This = side
		} else {
			out.Base = side
		}
	}
	scale := out.scales(shapes)
	m := &movement{tree: t, scale: scale}
	m.sum()
	if shapes[0].profiles >= leastPieces && shapes[1].profiles >= leastPieces && !out.Momentary {
		out.Significance = true
		for i := range sides {
			if err := db.pieces(ctx, &sides[i], shapes[i], m, i, out.PerRequest); err != nil {
				return nil, err
			}
		}
	}
	out.Movers = m.movers(out.Significance)
	out.Summary = out.say(m)
	return out, nil
}

// scales are what values are multiplied with to be comparable.
func (out *ProfileComparison) scales(shapes [2]*profileShape) [2]float64 {
	unit := out.Unit
	switch {
	case out.Momentary:
		out.MoverUnit = unit + " a process"
		return [2]float64{1 / float64(max(1, len(shapes[0].resources))), 1 / float64(max(1, len(shapes[1].resources)))}
	case out.This.Requests > 0 && out.Base.Requests > 0:
		out.PerRequest, out.MoverUnit = true, unit+"/request"
		return [2]float64{1 / out.This.Requests, 1 / out.Base.Requests}
	case out.This.CoveredS > 0 && out.Base.CoveredS > 0:
		out.MoverUnit = unit + "/s"
		out.Note = "The service's requests are not known for both sides: values are a second of profile, not a request."
		return [2]float64{1 / out.This.CoveredS, 1 / out.Base.CoveredS}
	}
	out.MoverUnit = unit
	return [2]float64{1, 1}
}

// requests is how many requests a service answered in the selection's time, by version and instance.
func (db *DB) requests(ctx context.Context, s *ProfileSelection) (float64, error) {
	r := db.lay(s.Window, 0, 0)
	a := args{"service": s.Service, "version": s.Version, "instance": s.Instance, "env": s.Env}
	var calls uint64
	err := db.each(ctx, fmt.Sprintf(`SELECT sum(calls) FROM red_%s WHERE level = 'service' AND service = {service:String}
  AND ({version:String} = '' OR version = {version:String}) AND ({instance:String} = '' OR instance = {instance:String}) AND ({env:String} = '' OR env = {env:String}) AND %s`, r.Resolution, within(r, a)), a,
		func(rows driver.Rows) error { return rows.Scan(&calls) })
	return float64(calls), err
}

// movement is what each function takes on both sides.
type movement struct {
	tree    *callTree
	scale   [2]float64
	self    [][2]float64        // by frame
	total   [][2]float64        // by frame; a recursive call counts once
	callers []map[int32]float64 // by frame: how much of it each caller brings
	pieces  [2][][]float64      // by side and frame: self in each piece of time
}

func (m *movement) sum() {
	t, n := m.tree, len(m.tree.frames)
	m.self, m.total, m.callers = make([][2]float64, n), make([][2]float64, n), make([]map[int32]float64, n)
	self, total := t.functions()
	for f := range n {
		for i := range 2 {
			m.self[f][i], m.total[f][i] = self[i][f]*m.scale[i], total[i][f]*m.scale[i]
		}
	}
	for i := 1; i < len(t.parent); i++ {
		f, caller := t.frame[i], t.frame[t.parent[i]]
		if !t.seen[i] || caller < 0 || caller == f {
			continue
		}
		if m.callers[f] == nil {
			m.callers[f] = map[int32]float64{}
		}
		m.callers[f][caller] += max(t.total[0][i]*m.scale[0], t.total[1][i]*m.scale[1])
	}
}

// movers lists the functions whose own part changed, the most first.
func (m *movement) movers(significance bool) []FunctionMove {
	all := []FunctionMove{}
	for f := range m.tree.frames {
		x := FunctionMove{Frame: m.tree.frames[f], Self: m.self[f][0], BaseSelf: m.self[f][1], Total: m.total[f][0], BaseTotal: m.total[f][1], New: m.total[f][1] == 0}
		if x.Self == x.BaseSelf {
			continue
		}
		x.Shift = m.shifted(int32(f))
		if significance {
			p := mannWhitney(m.pieces[0][f], m.pieces[1][f])
			x.P = &p
		}
		all = append(all, x)
	}
	if significance {
		benjaminiHochberg(all, .05)
	}
	slices.SortFunc(all, func(a, b FunctionMove) int {
		if a.Moved != b.Moved {
			return cmp.Compare(boolInt(b.Moved), boolInt(a.Moved))
		}
		return cmp.Or(cmp.Compare(math.Abs(b.Self-b.BaseSelf), math.Abs(a.Self-a.BaseSelf)), cmp.Compare(a.Function, b.Function))
	})
	return all[:min(len(all), mostMovers)]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// shifted says whether a function's change is made up for in its main caller: work moved between functions, and the
// whole takes what it took.
func (m *movement) shifted(f int32) bool {
	caller, most := int32(-1), 0.0
	for c, v := range m.callers[f] {
		if v > most || v == most && c < caller {
			caller, most = c, v
		}
	}
	delta := m.self[f][0] - m.self[f][1]
	return caller >= 0 && math.Abs(m.total[caller][0]-m.total[caller][1]) < .2*math.Abs(delta)
}

// pieces cuts a side into pieces of time and adds up every function's own part in each.
func (db *DB) pieces(ctx context.Context, s *ProfileSelection, sh *profileShape, m *movement, side int, perRequest bool) error {
	width, from := max(time.Minute, s.To.Sub(s.From)/compareSteps).Truncate(time.Minute), s.From
	if s.rolled() { // sums are by the hour
		width, from = (width + time.Hour - 1).Truncate(time.Hour), s.From.Truncate(time.Hour)
	}
	r := Range{FromMS: from.UnixMilli(), ToMS: s.To.UnixMilli(), StepMS: width.Milliseconds()}
	steps, err := db.profileSteps(ctx, s, sh, r)
	if err != nil {
		return err
	}
	weights, err := db.weights(ctx, s, r, perRequest)
	if err != nil {
		return err
	}
	need := map[uint64]bool{}
	for _, st := range steps {
		for h := range st {
			need[h] = true
		}
	}
	hashes := make([]uint64, 0, len(need))
	for h := range need {
		hashes = append(hashes, h)
	}
	calls, last, err := db.callsIn(ctx, s.Service, m.tree.of, hashes)
	if err != nil {
		return err
	}
	m.pieces[side] = make([][]float64, len(m.tree.frames))
	leaf := make(map[uint64]int32, len(hashes))
	for k, h := range hashes {
		if f := calls.frame[last[k]]; int(f) < len(m.tree.frames) { // else it came meanwhile
			leaf[h] = f
		}
	}
	n := 0
	for i, st := range steps {
		if weights[i] <= 0 {
			continue
		}
		for h, v := range st {
			if f, ok := leaf[h]; ok && f >= 0 {
				for len(m.pieces[side][f]) <= n {
					m.pieces[side][f] = append(m.pieces[side][f], 0)
				}
				m.pieces[side][f][n] += v / weights[i]
			}
		}
		n++
	}
	for f, p := range m.pieces[side] {
		m.pieces[side][f] = append(p, make([]float64, n-len(p))...)
	}
	return nil
}

// weights is what each piece's values are divided by: its requests, or the seconds that its profiles cover.
func (db *DB) weights(ctx context.Context, s *ProfileSelection, r Range, perRequest bool) (map[int]float64, error) {
	a := args{"service": s.Service, "version": s.Version, "instance": s.Instance, "env": s.Env, "first": r.FromMS / 1000, "step": r.StepMS / 1000}
	out := map[int]float64{}
	scan := func(rows driver.Rows) error {
		var i int64
		var v float64
		if err := rows.Scan(&i, &v); err != nil {
			return err
		}
		out[int(i)] = v
		return nil
	}
	if perRequest {
		resolution := "1m"
		if _, minutes := db.rollups(); db.o.Now().Sub(s.From) > minutes {
			resolution = "1h"
		}
		return out, db.each(ctx, fmt.Sprintf(`SELECT intDiv(toUnixTimestamp(ts) - {first:Int64}, {step:Int64}) AS i, toFloat64(sum(calls)) FROM red_%s
WHERE level = 'service' AND service = {service:String} AND ({version:String} = '' OR version = {version:String}) AND ({instance:String} = '' OR instance = {instance:String}) AND ({env:String} = '' OR env = {env:String}) AND %s
GROUP BY i`, resolution, within(r, a)), a, scan)
	}
	return out, db.each(ctx, `SELECT intDiv(toUnixTimestamp(toDateTime(ts)) - {first:Int64}, {step:Int64}) AS i, sum(duration_ns) / 1e9 FROM profiles WHERE `+s.conditions(a)+" GROUP BY i", a, scan)
}

// mannWhitney is the two-sided p-value that two samples come from one distribution: the U test in its normal
// approximation with correction for ties and continuity (Mann & Whitney 1947).
func mannWhitney(a, b []float64) float64 {
	n, m := float64(len(a)), float64(len(b))
	if n == 0 || m == 0 {
		return 1
	}
	type item struct {
		v     float64
		first bool
	}
	all := make([]item, 0, len(a)+len(b))
	for _, v := range a {
		all = append(all, item{v, true})
	}
	for _, v := range b {
		all = append(all, item{v, false})
	}
	slices.SortFunc(all, func(x, y item) int { return cmp.Compare(x.v, y.v) })
	var ranks, ties float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		for k := i; k < j; k++ {
			if all[k].first {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	total := n + m
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return 1
	}
	z := max(0, math.Abs(ranks-n*(n+1)/2-n*m/2)-.5) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}

// benjaminiHochberg marks the moves that stand when as many are looked at, at a rate of false discoveries (Benjamini &
// Hochberg 1995).
func benjaminiHochberg(all []FunctionMove, rate float64) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(*all[a].P, *all[b].P) })
	last := -1
	for k, i := range order {
		if *all[i].P <= rate*float64(k+1)/float64(len(order)) {
			last = k
		}
	}
	for k := range last + 1 {
		all[order[k]].Moved = true
	}
}

// say is the sentence that says what changed.
func (out *ProfileComparison) say(m *movement) string {
	now, was := m.tree.whole(0)*m.scale[0], m.tree.whole(1)*m.scale[1]
	delta := now - was
	whole := fmt.Sprintf("As much as before (%s)", quantity(now, out.MoverUnit))
	if was > 0 && math.Abs(delta) > .03*was {
		word := "more"
		if delta < 0 {
			word = "less"
		}
		whole = fmt.Sprintf("%s %s than before (%s instead of %s)", percentOf(math.Abs(delta)/was), word, quantity(now, out.MoverUnit), quantity(was, out.MoverUnit))
	}
	var top *FunctionMove
	for i := range out.Movers {
		x := &out.Movers[i]
		if x.Shift || out.Significance && !x.Moved {
			continue
		}
		if d := x.Self - x.BaseSelf; math.Abs(d) >= .01*max(now, was) && (delta == 0 || d*delta > 0 || math.Abs(delta) <= .03*was) {
			top = x
			break
		}
	}
	if top == nil {
		return whole + "; no function stands out."
	}
	d := top.Self - top.BaseSelf
	word := "more"
	if d < 0 {
		word = "less"
	}
	name := top.Function
	if top.New {
		name += ", which was not there before,"
	}
	said := fmt.Sprintf("%s; %s takes %s %s", whole, name, quantity(math.Abs(d), out.MoverUnit), word)
	if delta*d > 0 && math.Abs(delta) > .03*was {
		said += fmt.Sprintf(", %s of the difference", percentOf(min(1, d/delta)))
	}
	return said + "."
}

func percentOf(share float64) string {
	if share < .1 {
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// quantity writes a value with a unit that a person reads.
func quantity(v float64, unit string) string {
	if unit == "nanoseconds/s" {
		return threeDigits(v/1e9) + " cores"
	}
	base, per, _ := strings.Cut(unit, "/")
	suffix := ""
	switch per {
	case "":
	case "s":
		suffix = " a second"
	default:
		suffix = " a " + per
	}
	if b, ok := strings.CutSuffix(base, " a process"); ok {
		base, suffix = b, " a process"
	}
	scales := map[string][]struct {
		at   float64
		name string
	}{
		"nanoseconds": {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}},
		"bytes":       {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}},
	}[base]
	for _, s := range scales {
		if v >= 0.976*s.at || s.at == 1 { // 1,010 KiB are 0.986 MiB
			return threeDigits(v/s.at) + " " + s.name + suffix
		}
	}
	return threeDigits(v) + " " + base + suffix
}

// threeDigits writes a number with three significant digits, and never as a power of ten.
func threeDigits(v float64) string {
	if math.Abs(v) >= 999.5 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return fmt.Sprintf("%.3g", v)
}
