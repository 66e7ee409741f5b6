package query

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ProfileSeries is what the largest functions (or packages) took over time.
type ProfileSeries struct {
	Range      Range           `json:"range"`
	SampleType string          `json:"sample_type"`
	Unit       string          `json:"unit"` // of the values: a momentary type's own, else that a second; cores for CPU time
	Momentary  bool            `json:"momentary"`
	Total      []*float64      `json:"total"` // nil where nothing was profiled
	Series     []ProfileMember `json:"series"`
}

// ProfileMember is one function's own part, or a package's.
type ProfileMember struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values"`
}

// seriesStacks is how many stacks, the largest, are told apart over time.
const seriesStacks = 3000

// ProfileSeries splits what the selected profiles took over time by the function or package on top of the stack; what
// is not among the largest is "(other)".
func (db *DB) ProfileSeries(ctx context.Context, s ProfileSelection, by string, members int) (*ProfileSeries, error) {
	if by != "" && by != "function" && by != "package" {
		return nil, &InputError{"by", fmt.Sprintf("%q is neither function nor package", by)}
	}
	sh, err := db.shape(ctx, &s)
	if err != nil {
		return nil, err
	}
	r := db.lay(s.Window, 0, 0)
	if time.Duration(r.StepMS)*time.Millisecond < time.Minute { // profiles come by the minute
		r = db.lay(s.Window, time.Minute, 0)
	}
	s.From, s.To = time.UnixMilli(r.FromMS), time.UnixMilli(r.ToMS)
	values, err := db.profileSteps(ctx, &s, sh, r)
	if err != nil {
		return nil, err
	}
	seen := map[uint64]float64{}
	for _, step := range values {
		for h, v := range step {
			seen[h] += v
		}
	}
	delete(seen, 0)
	hashes := slices.Collect(maps.Keys(seen))
	calls, last, err := db.stackCalls(ctx, s.Service, hashes)
	if err != nil {
		return nil, err
	}
	leaf := make(map[uint64]int32, len(hashes))
	for i, h := range hashes {
		leaf[h] = last[i]
	}
	out := &ProfileSeries{Range: r, SampleType: sh.sampleType, Momentary: momentary(sh.sampleType)}
	_, out.Unit = ProfileUnit(sh.sampleType)
	scale := func(int) float64 { return 1 }
	if !out.Momentary {
		unit := 1.0
		if out.Unit == "nanoseconds" {
			unit, out.Unit = 1e-9, "cores"
		} else {
			out.Unit += "/s"
		}
		covered, err := db.coverage(ctx, &s, r)
		if err != nil {
			return nil, err
		}
		scale = func(i int) float64 { return unit / cmp.Or(covered[i], r.seconds()) }
	}
	out.fill(values, r.Points(), scale, max(1, min(members, 50)), func(h uint64) string {
		f := calls.frame[leaf[h]]
		if f < 0 {
			return otherName
		}
		frame := calls.frames[f]
		if by == "package" {
			return cmp.Or(frame.Package, frame.Function)
		}
		return frame.Function
	})
	return out, nil
}

const otherName = "(other)"

// fill groups the values of stacks by name and keeps the largest members.
func (out *ProfileSeries) fill(values map[int]map[uint64]float64, points int, scale func(int) float64, members int, name func(uint64) string) {
	sums := map[string]float64{}
	named := make([]map[string]float64, points)
	out.Total = make([]*float64, points)
	for i, step := range values {
		if i < 0 || i >= points {
			continue
		}
		named[i] = map[string]float64{}
		total := 0.0
		for h, v := range step {
			n := name(h)
			sums[n] += v
			named[i][n] += v * scale(i)
			total += v * scale(i)
		}
		out.Total[i] = &total
	}
	delete(sums, otherName)
	top := make([]string, 0, len(sums))
	for n := range sums {
		top = append(top, n)
	}
	slices.SortFunc(top, func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) })
	top = top[:min(len(top), members)]
	rest := ProfileMember{Name: otherName, Values: make([]*float64, points)}
	for _, n := range top {
		out.Series = append(out.Series, ProfileMember{Name: n, Values: make([]*float64, points)})
	}
	for i, step := range named {
		if step == nil {
			continue
		}
		other := *out.Total[i]
		for j, n := range top {
			v := step[n]
			other -= v
			out.Series[j].Values[i] = &v
		}
		other = max(0, other)
		rest.Values[i] = &other
	}
	out.Series = append(out.Series, rest)
}

// coverage is by step how many seconds of each process its profiles cover, on average over the processes: a profile of 10
// seconds in every minute stands for the minute. Steps whose profiles have no duration are missing.
func (db *DB) coverage(ctx context.Context, s *ProfileSelection, r Range) (map[int]float64, error) {
	a := args{"step": r.StepMS / 1000, "first": r.FromMS / 1000}
	out := map[int]float64{}
	return out, db.each(ctx, `SELECT intDiv(toUnixTimestamp(toDateTime(ts)) - {first:Int64}, {step:Int64}) AS i, sum(duration_ns) / 1e9 / uniqExact(resource) AS c
FROM profiles WHERE `+s.conditions(a)+" GROUP BY i HAVING c > 0", a, func(rows driver.Rows) error {
		var i int64
		var c float64
		err := rows.Scan(&i, &c)
		out[int(i)] = c
		return err
	})
}

// profileSteps sums the selection by step and stack; stacks that are not among the largest count as stack 0.
func (db *DB) profileSteps(ctx context.Context, s *ProfileSelection, sh *profileShape, r Range) (map[int]map[uint64]float64, error) {
	a := args{"step": r.StepMS / 1000, "first": r.FromMS / 1000, "most": int64(seriesStacks)}
	sel := *s
	c := &profileCover{all: true}
	if r.StepMS%(1000*hourSeconds) == 0 && r.FromMS%(1000*hourSeconds) == 0 {
		widest := int64(hourSeconds)
		if r.StepMS%(1000*daySeconds) == 0 && r.FromMS%(1000*daySeconds) == 0 {
			widest = daySeconds
		}
		var err error
		if c, err = db.cover(ctx, &sel, widest); err != nil {
			return nil, err
		}
	}
	rows := c.rows(&sel, sh, a)
	largest, err := db.largestStacks(ctx, rows, sh.value, a)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf("SELECT intDiv(toInt64(toUnixTimestamp(ts)) - {first:Int64}, {step:Int64}) AS i, %s AS h, %s AS v FROM (%s) GROUP BY i, h", largest, sh.total(), rows)
	if momentary(sh.sampleType) { // the average of a step is over its own profiles
		sql = momentarySteps(largest, rows, sh.value)
	}
	out := map[int]map[uint64]float64{}
	return out, db.each(ctx, sql, a, stepScan(out))
}

// largestStacks is SQL for a row's stack if it is among the largest of the selection, else 0.
func (db *DB) largestStacks(ctx context.Context, rows, value string, a args) (string, error) {
	var hashes []uint64
	err := db.each(ctx, fmt.Sprintf("SELECT stack FROM (%s) GROUP BY stack ORDER BY sum(%s) DESC LIMIT {most:Int64}", rows, value), a, func(r driver.Rows) error {
		var h uint64
		err := r.Scan(&h)
		hashes = append(hashes, h)
		return err
	})
	if err != nil || len(hashes) < seriesStacks {
		return "stack", err
	}
	a["largest"] = hashes
	return "if(stack IN {largest:Array(UInt64)}, stack, 0)", nil
}

// momentarySteps averages what is momentary over the profiles of each process in a step, and adds up the processes.
func momentarySteps(largest, rows, value string) string {
	return fmt.Sprintf(`
SELECT i, %[1]s AS h, sum(x / n) AS v FROM
  (SELECT intDiv(toInt64(toUnixTimestamp(ts)) - {first:Int64}, {step:Int64}) AS i, resource, stack, toFloat64(sum(%[3]s)) AS x FROM (%[2]s) GROUP BY i, resource, stack) AS s
  INNER JOIN (SELECT intDiv(toInt64(toUnixTimestamp(toDateTime(ts))) - {first:Int64}, {step:Int64}) AS i, resource, count() AS n FROM profiles
    WHERE service = {service:String} AND type = {type:String} AND ts >= {from:DateTime('UTC')} AND ts < {to:DateTime('UTC')} GROUP BY i, resource) AS p USING (i, resource)
GROUP BY i, h`, largest, rows, value)
}

func stepScan(out map[int]map[uint64]float64) func(driver.Rows) error {
	return func(rows driver.Rows) error {
		var i int64
		var h uint64
		var v float64
		if err := rows.Scan(&i, &h, &v); err != nil {
			return err
		}
		if out[int(i)] == nil {
			out[int(i)] = map[uint64]float64{}
		}
		out[int(i)][h] += v
		return nil
	}
}

// framed resolves stacks to functions, from the root to the leaf, as indices in the list of frames. A stack that is not
// stored yet is missing.
func (db *DB) framed(ctx context.Context, service string, hashes []uint64) ([]Frame, map[uint64][]int32, error) {
	c, last, err := db.stackCalls(ctx, service, hashes)
	if err != nil {
		return nil, nil, err
	}
	out := make(map[uint64][]int32, len(hashes))
	for i, h := range hashes {
		var path []int32
		for at := last[i]; at > 0; at = c.parent[at] {
			path = append(path, c.frame[at])
		}
		slices.Reverse(path)
		if len(path) > 0 {
			out[h] = path
		}
	}
	return c.frames, out, nil
}
