package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Exposure is what profiles of processes stand for: what those answered while they were profiled.
type Exposure struct {
	Requests float64 // answered by what was profiled while it was; 0 where the service's requests are not known
	Seconds  float64 // that profiles cover, summed over processes
	Profiles float64
	All      float64 // requests that the version answered in the time, profiled or not
}

// CostStep is a step of a group.
type CostStep struct {
	CostGroup
	Step int64
}

// process is one process in one step, as its requests name it; without an instance a version.
type process struct {
	service, version, instance string
	step                       int64
}

// Expose tells what the profiles of each group and step stand for. A profile of ten seconds in each minute stands for a
// sixth of the requests that its process answered in the minute. Where requests do not name the process that was
// profiled, those of its version are divided among its processes. The last step may be one that is not over at end.
func Expose(profiles []CostProfiles, requests []ServiceRequests, step time.Duration, end time.Time) map[CostStep]Exposure {
	width := func(at int64) float64 { return max(1, min(step.Seconds(), float64(end.Unix()-at))) }
	rate, known := map[process]float64{}, map[[2]string]bool{}
	calls, named, versions := map[process]float64{}, map[process]int{}, map[[2]string]bool{}
	for _, r := range requests {
		lived := min(max(float64(r.Last-r.First+60), width(r.Step)/6, 120), width(r.Step))
		if r.Instance != "" {
			rate[process{r.Service, "", r.Instance, r.Step}] += r.Calls / lived
			known[[2]string{r.Service, r.Instance}] = true
			named[process{r.Service, r.Version, "", r.Step}]++
		}
		calls[process{r.Service, r.Version, "", r.Step}] += r.Calls
		versions[[2]string{r.Service, r.Version}] = true
	}
	profiled := map[process]int{}
	for _, p := range profiles {
		profiled[process{p.Service, p.Version, p.Type + p.Cost, p.Step}]++
	}
	out := map[CostStep]Exposure{}
	for _, p := range profiles {
		k := CostStep{p.CostGroup, p.Step}
		e := out[k]
		e.Seconds += p.Seconds
		e.Profiles += float64(p.Profiles)
		v := p.Version
		if !versions[[2]string{p.Service, v}] {
			v = ""
		}
		of := process{p.Service, v, "", p.Step}
		e.All = calls[of]
		if known[[2]string{p.Service, p.Instance}] {
			e.Requests += p.Seconds * rate[process{p.Service, "", p.Instance, p.Step}]
		} else {
			n := named[of]
			if n == 0 {
				n = max(1, profiled[process{p.Service, p.Version, p.Type + p.Cost, p.Step}])
			}
			e.Requests += p.Seconds * calls[of] / width(p.Step) / float64(n)
		}
		out[k] = e
	}
	return out
}

// CostSelection is one side of a comparison: a version (or all) in some stretches of time.
type CostSelection struct {
	Cost, Type, Env, Service, Version string
	Windows                           []Window
}

// span is from the first of the windows to the last.
func (s CostSelection) span() Window {
	w := s.Windows[0]
	for _, x := range s.Windows {
		if x.From.Before(w.From) {
			w.From = x.From
		}
		if x.To.After(w.To) {
			w.To = x.To
		}
	}
	return w
}

func (s CostSelection) has(at int64) bool {
	for _, w := range s.Windows {
		if at >= w.From.Unix() && at < w.To.Unix() {
			return true
		}
	}
	return false
}

// StackCost is what one stack took on one side of a comparison.
type StackCost struct {
	Stack          uint64
	Value, Samples float64
}

// CostSide is what the stacks of a selection took, and what that stands for.
type CostSide struct {
	Exposure
	Stacks []StackCost
}

// costStep is in which steps the requests of a comparison are counted.
const costStep = time.Minute

// CostOf reads one side of a comparison.
func (db *DB) CostOf(ctx context.Context, s CostSelection) (*CostSide, error) {
	out := &CostSide{}
	if len(s.Windows) == 0 {
		return out, nil
	}
	profiles, err := db.CostProfiles(ctx, s.span(), costStep, s.Service)
	if err != nil {
		return nil, fmt.Errorf("read which profiles there are of %s: %w", s.Service, err)
	}
	profiles = slices.DeleteFunc(profiles, func(p CostProfiles) bool {
		return p.Cost != s.Cost || s.Type != "" && p.Type != s.Type || p.Env != s.Env || s.Version != "" && p.Version != s.Version || !s.has(p.Step)
	})
	if len(profiles) == 0 {
		return out, nil
	}
	requests, err := db.CostRequests(ctx, s.span(), costStep, []string{s.Service})
	if err != nil {
		return nil, fmt.Errorf("count the requests of %s: %w", s.Service, err)
	}
	for _, e := range Expose(profiles, requests, costStep, s.span().To) {
		out.Requests, out.Seconds, out.Profiles, out.All = out.Requests+e.Requests, out.Seconds+e.Seconds, out.Profiles+e.Profiles, out.All+e.All
	}
	value, samples := costColumns(s.Cost, profiles)
	if value == "" {
		return out, nil
	}
	cond := `service = {service:String} AND type IN {types:Array(String)} AND sample_types IN {signatures:Array(String)} AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})
  AND resource IN (SELECT fingerprint FROM resources WHERE service = {service:String} AND env = {env:String} AND ({version:String} = '' OR version = {version:String})) AND ` + anyWindow("ts", s.Windows)
	err = db.each(ctx, fmt.Sprintf(`
SELECT s.stack, toFloat64(sum(%s)) AS v, toFloat64(sum(%s)) AS n FROM (%s) AS s
GROUP BY s.stack HAVING v > 0 ORDER BY v DESC LIMIT %d`, value, samples, costStacks("profile_values", cond, value+samples), mostCostStacks),
		args{"service": s.Service, "types": typesOf(s.Cost, profiles), "env": s.Env, "version": s.Version, "signatures": signaturesOf(s.Cost, profiles), "from": s.span().From.Unix(), "to": s.span().To.Unix()}, func(rows driver.Rows) error {
			var c StackCost
			if err := rows.Scan(&c.Stack, &c.Value, &c.Samples); err != nil {
				return err
			}
			out.Stacks = append(out.Stacks, c)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read what the functions of %s took: %w", s.Service, err)
	}
	return out, nil
}

// mostCostStacks bounds the stacks of one side of a comparison.
const mostCostStacks = 20_000
