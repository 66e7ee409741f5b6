package query

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ServicesAnswer lists the services that answered requests in a range.
type ServicesAnswer struct {
	Range    Range        `json:"range"`
	Services []ServiceRow `json:"services"`
}

// ServiceRow is one service.
type ServiceRow struct {
	Service string `json:"service"`
	Red
	Envs       []string  `json:"envs"`
	Versions   []string  `json:"versions"` // newest first
	Instances  int       `json:"instances"`
	Language   string    `json:"language"`
	Sparkline  Sparkline `json:"sparkline"`
	LastSeenMS int64     `json:"last_seen_ms"`
	Previous   *Red      `json:"previous"` // the same length of time just before
}

// Sparkline is a small chart over the range.
type Sparkline struct {
	Rate       []*float64 `json:"rate"`
	ErrorRatio []*float64 `json:"error_ratio"`
	P95        []*float64 `json:"p95_ns"`
}

// sparkPoints is about how many points a sparkline has.
const sparkPoints = 40

// Services lists services with their numbers, the busiest first. env limits them to an environment.
func (db *DB) Services(ctx context.Context, w Window, env string) (*ServicesAnswer, error) {
	// Of many services the rollup of a minute costs a sixth of that of 10 s, and shows the same at this size.
	r := db.lay(w, 0, sparkPoints)
	if r.step() < time.Minute && w.To.Sub(w.From) >= 10*time.Minute {
		r = db.lay(w, time.Minute, 0)
	}
	ans := &ServicesAnswer{Range: r, Services: []ServiceRow{}}
	index := map[string]int{}
	totals := []*total{}
	row := func(service string) int {
		i, ok := index[service]
		if !ok {
			i = len(ans.Services)
			index[service] = i
			n := r.Points()
			ans.Services = append(ans.Services, ServiceRow{Service: service, Envs: []string{}, Versions: []string{},
				Sparkline: Sparkline{make([]*float64, n), make([]*float64, n), make([]*float64, n)}})
			totals = append(totals, new(total))
		}
		return i
	}
	a := args{"step": r.StepMS / 1000}
	cond := "level = 'service' AND " + within(r, a)
	if env != "" {
		cond += " AND env = {env:String}"
		a["env"] = env
	}
	var previous map[string]*total
	var previousErr error
	var beside sync.WaitGroup
	beside.Go(func() { previous, previousErr = db.serviceTotals(ctx, r, env) })
	defer beside.Wait()
	err := db.each(ctx, fmt.Sprintf(`
SELECT service, toInt64(intDiv(toUnixTimestamp(ts) - {from:Int64}, {step:Int64})) AS i,
       sum(calls), sum(errors), max(duration_max), mapKeys(sumMap(duration_hist) AS h), mapValues(h)
FROM red_%s WHERE %s GROUP BY service, i ORDER BY service, i`, r.Resolution, cond), a, func(rows driver.Rows) error {
		var c cell
		var i int64
		if err := rows.Scan(&c.key, &i, &c.calls, &c.errors, &c.max, &c.buckets, &c.counts); err != nil {
			return err
		}
		n := row(c.key)
		totals[n].add(c)
		s := &ans.Services[n].Sparkline
		rate, ratio := float64(c.calls)/r.seconds(), ratioOf(c.errors, c.calls)
		s.Rate[i], s.ErrorRatio[i], s.P95[i] = &rate, &ratio, quantiles(c.buckets, c.counts, .95)[0]
		return nil
	})
	if err != nil {
		return nil, err
	}
	seconds := db.seconds(Window{time.UnixMilli(r.FromMS), w.To})
	for i := range ans.Services {
		ans.Services[i].Red = totals[i].red(seconds)
		fillZero(ans.Services[i].Sparkline.Rate)
	}
	if err := db.describeServices(ctx, r, cond, a, index, ans.Services); err != nil {
		return nil, err
	}
	if beside.Wait(); previousErr != nil {
		return nil, previousErr
	}
	for i := range ans.Services {
		if p, ok := previous[ans.Services[i].Service]; ok {
			red := p.red(float64(r.ToMS-r.FromMS) / 1000)
			ans.Services[i].Previous = &red
		}
	}
	sort.SliceStable(ans.Services, func(a, b int) bool { return ans.Services[a].Calls > ans.Services[b].Calls })
	return ans, nil
}

// describeServices adds environments, versions, instances, language and when each was last heard of.
func (db *DB) describeServices(ctx context.Context, r Range, cond string, a args, index map[string]int, services []ServiceRow) error {
	err := db.each(ctx, fmt.Sprintf(`
SELECT service, groupUniqArray(20)(env), arrayMap(x -> x.2, arrayReverseSort(groupUniqArray(20)((first, version)))),
       uniqExact(instance), toInt64(toUnixTimestamp(max(last)))
FROM (SELECT service, env, version, instance, min(ts) AS first, max(ts) AS last FROM red_%s WHERE %s GROUP BY service, env, version, instance)
GROUP BY service`, r.Resolution, cond), a, func(rows driver.Rows) error {
		var service string
		var envs, versions []string
		var instances uint64
		var last int64
		if err := rows.Scan(&service, &envs, &versions, &instances, &last); err != nil {
			return err
		}
		if i, ok := index[service]; ok {
			s := &services[i]
			sort.Strings(envs)
			s.Envs, s.Versions, s.Instances, s.LastSeenMS = unempty(envs), unique(unempty(versions)), int(instances), last*1000
		}
		return nil
	})
	if err != nil {
		return err
	}
	return db.each(ctx, `
SELECT service, argMax(attributes['telemetry.sdk.language'], last_seen) FROM resources
WHERE last_seen >= toDateTime({from:Int64}) GROUP BY service`, args{"from": r.FromMS/1000 - 7200}, func(rows driver.Rows) error {
		var service, language string
		if err := rows.Scan(&service, &language); err != nil {
			return err
		}
		if i, ok := index[service]; ok {
			services[i].Language = language
		}
		return nil
	})
}

// serviceTotals is every service's numbers over the range just before r.
func (db *DB) serviceTotals(ctx context.Context, r Range, env string) (map[string]*total, error) {
	before := r
	before.FromMS, before.ToMS = r.FromMS-(r.ToMS-r.FromMS), r.FromMS
	a := args{}
	cond := "level = 'service' AND " + within(before, a)
	if env != "" {
		cond += " AND env = {env:String}"
		a["env"] = env
	}
	totals := map[string]*total{}
	err := db.each(ctx, fmt.Sprintf(`
SELECT service, sum(calls), sum(errors), max(duration_max), mapKeys(sumMap(duration_hist) AS h), mapValues(h)
FROM red_%s WHERE %s GROUP BY service`, r.Resolution, cond), a, func(rows driver.Rows) error {
		var c cell
		if err := rows.Scan(&c.key, &c.calls, &c.errors, &c.max, &c.buckets, &c.counts); err != nil {
			return err
		}
		t := new(total)
		t.add(c)
		totals[c.key] = t
		return nil
	})
	return totals, err
}

func unempty(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// unique keeps the first of each.
func unique(list []string) []string {
	seen, out := map[string]bool{}, []string{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
