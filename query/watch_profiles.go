package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// The costs that are watched by function.
const (
	CostCPU   = "cpu"   // nanoseconds of CPU time
	CostAlloc = "alloc" // bytes allocated
)

// costTypes are the sample types that tell a cost, and those that count its samples.
var costTypes = map[string]struct {
	value  string
	counts []string
}{
	CostCPU:   {"cpu/nanoseconds", []string{"samples/count", "sample/count"}},
	CostAlloc: {"alloc_space/bytes", []string{"alloc_objects/count"}},
}

// CostGroup is the processes of one version of a service that profiles tell a cost of.
type CostGroup struct{ Cost, Type, Env, Service, Version string }

// CostProfiles is what was profiled of one process in one step.
type CostProfiles struct {
	CostGroup
	Instance  string
	Step      int64 // Unix seconds at which it begins
	Profiles  uint64
	Seconds   float64 // that the profiles cover
	signature string  // sample_types, and whether they count since the process began
}

// CostSample is what one stack took in one step.
type CostSample struct {
	Group          int // index in CostRows.Groups
	Step           int64
	Stack          uint64
	Value, Samples float64
}

// ServiceRequests is how many requests one process answered in one step.
type ServiceRequests struct {
	Env, Service, Version, Instance string
	Step                            int64
	Calls                           float64
	First, Last                     int64 // first and last minute of the step in which it answered some, Unix seconds
}

// longestInterval is how long before it a profile of values that count since a process began may have had its
// predecessor, for what they grew by to be taken for that time's.
const longestInterval = 15 * time.Minute

// CostProfiles reads what was profiled in a window, by process and step, of one service or of all in one query.
func (db *DB) CostProfiles(ctx context.Context, w Window, step time.Duration, service string) ([]CostProfiles, error) {
	var out []CostProfiles
	a := args{"service": service, "from": w.From.Unix(), "to": w.To.Unix(), "step": int64(step / time.Second), "longest": int64(longestInterval / time.Second)}
	err := db.each(ctx, `
SELECT p.type, p.sample_types, p.cumulative, p.service, r.env, r.version, r.instance, p.i, p.n, p.seconds
FROM (
    SELECT type, sample_types, cumulative, service, resource, intDiv(at, {step:Int64}) * {step:Int64} AS i, count() AS n,
           sum(if(duration_ns > 0, duration_ns / 1e9, toFloat64(if(gap <= {longest:Int64}, gap, 0)))) AS seconds
    FROM (
        SELECT type, sample_types, cumulative, service, resource, toInt64(toUnixTimestamp(toDateTime(ts))) AS at, duration_ns,
               at - lagInFrame(at, 1, at) OVER (PARTITION BY service, type, resource ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap
        FROM profiles
        WHERE ts >= toDateTime({from:Int64} - {longest:Int64}) AND ts < toDateTime({to:Int64}) AND ({service:String} = '' OR service = {service:String})
          AND (has(splitByChar(',', toString(sample_types)), 'cpu/nanoseconds') OR has(splitByChar(',', toString(sample_types)), 'alloc_space/bytes')))
    WHERE at >= {from:Int64}
    GROUP BY type, sample_types, cumulative, service, resource, i) AS p
LEFT JOIN (SELECT fingerprint, any(env) AS env, any(version) AS version, any(instance) AS instance FROM resources GROUP BY fingerprint) AS r ON r.fingerprint = p.resource
ORDER BY i, p.service, r.version, r.instance LIMIT 2000000`, a, func(rows driver.Rows) error {
		var p CostProfiles
		var types string
		var cumulative bool
		if err := rows.Scan(&p.Type, &types, &cumulative, &p.Service, &p.Env, &p.Version, &p.Instance, &p.Step, &p.Profiles, &p.Seconds); err != nil {
			return err
		}
		for cost, t := range costTypes {
			if slices.Contains(strings.Split(types, ","), t.value) {
				p.Cost, p.signature = cost, fmt.Sprintf("%s %v", types, cumulative)
				out = append(out, p)
			}
		}
		return nil
	})
	return out, err
}

// CostRows is what stacks took, of the groups that were profiled.
type CostRows struct {
	Groups  []CostGroup
	Samples []CostSample
}

// CostSamples reads what the stacks of some profiles took in a window, by step, of one service or of all in one query.
// Whole hours are read from the hourly rollup when the step is one.
func (db *DB) CostSamples(ctx context.Context, w Window, step time.Duration, cost, service string, profiles []CostProfiles) (*CostRows, error) {
	out := &CostRows{}
	value, samples := costColumns(cost, profiles)
	if value == "" {
		return out, nil
	}
	table, cond := "profile_values", "ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) AND type IN {types:Array(String)} AND sample_types IN {signatures:Array(String)} AND ({service:String} = '' OR service = {service:String})"
	if step >= time.Hour {
		table, cond = "profile_rollups FINAL", cond+" AND span = 3600"
	}
	index := map[CostGroup]int{}
	err := db.each(ctx, fmt.Sprintf(`
SELECT s.service, s.type, r.env, r.version, intDiv(toInt64(toUnixTimestamp(s.ts)), {step:Int64}) * {step:Int64} AS i, s.stack, toFloat64(sum(%s)) AS v, toFloat64(sum(%s)) AS n
FROM (%s) AS s
LEFT JOIN (SELECT fingerprint, any(env) AS env, any(version) AS version FROM resources GROUP BY fingerprint) AS r ON r.fingerprint = s.resource
GROUP BY s.service, s.type, r.env, r.version, i, s.stack HAVING v > 0 ORDER BY i LIMIT 20000000`, value, samples, costStacks(table, cond, value+samples)),
		args{"from": w.From.Unix(), "to": w.To.Unix(), "step": int64(step / time.Second), "service": service, "types": typesOf(cost, profiles), "signatures": signaturesOf(cost, profiles)},
		func(rows driver.Rows) error {
			g := CostGroup{Cost: cost}
			var s CostSample
			if err := rows.Scan(&g.Service, &g.Type, &g.Env, &g.Version, &s.Step, &s.Stack, &s.Value, &s.Samples); err != nil {
				return err
			}
			at, ok := index[g]
			if !ok {
				at = len(out.Groups)
				index[g], out.Groups = at, append(out.Groups, g)
			}
			s.Group = at
			out.Samples = append(out.Samples, s)
			return nil
		})
	return out, err
}

// costStacks is SQL for the stacks of profiles, a row each, with the columns that an expression names.
func costStacks(table, cond, expression string) string {
	columns, joined := "", ""
	for i := 1; i <= 4; i++ {
		for _, name := range []string{"value", "increase"} {
			if column := fmt.Sprintf("%s%d", name, i); strings.Contains(expression, "s."+column) {
				columns += ", " + column
				joined += fmt.Sprintf(", arrayResize(%ss%d, length(stacks)) AS %s", name, i, column)
			}
		}
	}
	return fmt.Sprintf("SELECT ts, service, type, sample_types, resource, stack%s FROM (SELECT * FROM %s WHERE %s) ARRAY JOIN stacks AS stack%s", columns, table, cond, joined)
}

func typesOf(cost string, profiles []CostProfiles) []string {
	seen := map[string]bool{}
	for _, p := range profiles {
		if p.Cost == cost {
			seen[p.Type] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func signaturesOf(cost string, profiles []CostProfiles) []string {
	seen := map[string]bool{}
	for _, p := range profiles {
		if p.Cost == cost {
			types, _, _ := strings.Cut(p.signature, " ")
			seen[types] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// heapRate is how many bytes Go's heap profiles have between two samples, on average.
const heapRate = 512 << 10

// costColumns is SQL for what a row is worth and for how many samples it stands on, by the sample types that the
// profiles have. Empty: none has the cost.
func costColumns(cost string, profiles []CostProfiles) (value, samples string) {
	signatures := map[string]bool{}
	for _, p := range profiles {
		if p.Cost == cost {
			types, cumulative, _ := strings.Cut(p.signature, " ")
			signatures[types] = signatures[types] || cumulative == "true"
		}
	}
	var values, counts []string
	for _, types := range slices.Sorted(maps.Keys(signatures)) {
		list := strings.Split(types, ",")
		column := func(t string) string {
			i := slices.Index(list, t)
			if i < 0 || i > 3 {
				return ""
			}
			if signatures[types] {
				return fmt.Sprintf("s.increase%d", i+1)
			}
			return fmt.Sprintf("s.value%d", i+1)
		}
		v, n := column(costTypes[cost].value), ""
		if v == "" {
			continue
		}
		for _, t := range costTypes[cost].counts {
			if n = column(t); n != "" {
				break
			}
		}
		switch {
		case cost == CostAlloc && n != "": // objects larger than the rate are all sampled, smaller ones now and then
			n = fmt.Sprintf("if(%[1]s > 0, %[1]s * (1 - exp(-%[2]s / %[1]s / %[3]d)), 0)", n, v, heapRate)
		case cost == CostAlloc:
			n = fmt.Sprintf("%s / %d", v, heapRate)
		case n == "":
			n = v + " / 1e7" // a hundred a second, as is usual
		}
		is := "s.sample_types = " + literalText(types)
		values, counts = append(values, is, v), append(counts, is, n)
	}
	if len(values) == 0 {
		return "", ""
	}
	return "multiIf(" + strings.Join(values, ", ") + ", 0)", "multiIf(" + strings.Join(counts, ", ") + ", 0)"
}

// CostRequests reads how many requests the services answered in a window, by process and step: one query for all.
func (db *DB) CostRequests(ctx context.Context, w Window, step time.Duration, services []string) ([]ServiceRequests, error) {
	var out []ServiceRequests
	if len(services) == 0 {
		return out, nil
	}
	err := db.each(ctx, `
SELECT env, service, version, instance, intDiv(toInt64(toUnixTimestamp(ts)), {step:Int64}) * {step:Int64} AS i, toFloat64(sum(calls)), toInt64(toUnixTimestamp(min(ts))), toInt64(toUnixTimestamp(max(ts)))
FROM red_1m WHERE level = 'service' AND service IN {services:Array(String)} AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})
GROUP BY env, service, version, instance, i ORDER BY i`, args{"from": w.From.Unix(), "to": w.To.Unix(), "step": int64(step / time.Second), "services": services}, func(rows driver.Rows) error {
		var r ServiceRequests
		if err := rows.Scan(&r.Env, &r.Service, &r.Version, &r.Instance, &r.Step, &r.Calls, &r.First, &r.Last); err != nil {
			return err
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// OperationCalls is how many requests a service answered by operation within some stretches of time, of one version or
// of all.
func (db *DB) OperationCalls(ctx context.Context, service, version string, windows []Window) (map[string]float64, error) {
	out := map[string]float64{}
	if len(windows) == 0 {
		return out, nil
	}
	a := args{"service": service, "version": version}
	err := db.each(ctx, `
SELECT name, toFloat64(sum(calls)) FROM red_1m WHERE level = 'operation' AND service = {service:String} AND kind IN ('server', 'consumer')
  AND ({version:String} = '' OR version = {version:String}) AND `+anyWindow("ts", windows)+" GROUP BY name LIMIT 2000", a, func(rows driver.Rows) error {
		var name string
		var n float64
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		out[name] = n
		return nil
	})
	return out, err
}

// anyWindow is SQL for a time within one of some windows, in whole seconds.
func anyWindow(column string, windows []Window) string {
	parts := make([]string, len(windows))
	for i, w := range windows {
		parts[i] = fmt.Sprintf("%[1]s >= toDateTime(%[2]d) AND %[1]s < toDateTime(%[3]d)", column, w.From.Unix(), w.To.Unix())
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// FunctionFrame is a function as stacks name it, and the line at which most was spent.
type FunctionFrame struct {
	Function, File string
	Line           int64
}

// StackFunctions resolves stacks to functions, from the root to the leaf, as indices in the answer's list of functions.
// A stack that is not stored yet is missing.
func (db *DB) StackFunctions(ctx context.Context, service string, stacks []uint64) ([]FunctionFrame, map[uint64][]int32, error) {
	known, out, err := db.framed(ctx, service, stacks)
	if err != nil {
		return nil, nil, err
	}
	frames := make([]FunctionFrame, len(known))
	for i, f := range known {
		frames[i] = FunctionFrame{f.Function, f.File, f.Line}
	}
	return frames, out, nil
}
