package query

import (
	"context"
	"fmt"
	"sort"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ServiceAnswer is one service over a range.
type ServiceAnswer struct {
	Range     Range             `json:"range"`
	Service   string            `json:"service"`
	Envs      []string          `json:"envs"`
	Language  string            `json:"language"`
	Total     Red               `json:"total"`
	Previous  *Red              `json:"previous"`
	Instances []InstanceRow     `json:"instances"`
	Versions  []VersionRow      `json:"versions"`
	Resource  map[string]string `json:"resource"` // of the newest resource
}

// Seen is when something was heard of first and last within the range.
type Seen struct {
	FirstSeenMS int64 `json:"first_seen_ms"`
	LastSeenMS  int64 `json:"last_seen_ms"`
}

func (s *Seen) add(o Seen) {
	if s.FirstSeenMS == 0 || o.FirstSeenMS < s.FirstSeenMS {
		s.FirstSeenMS = o.FirstSeenMS
	}
	s.LastSeenMS = max(s.LastSeenMS, o.LastSeenMS)
}

// InstanceRow is one instance of a service.
type InstanceRow struct {
	Instance string `json:"instance"`
	Version  string `json:"version"`
	Env      string `json:"env"`
	Red
	Seen
}

// VersionRow is one version of a service.
type VersionRow struct {
	Version string `json:"version"`
	Env     string `json:"env"`
	Red
	Seen
}

// Service answers about one service; ErrNotFound when it was never seen.
func (db *DB) Service(ctx context.Context, w Window, service, env string) (*ServiceAnswer, error) {
	r := db.lay(w, 0, 0)
	ans := &ServiceAnswer{Range: r, Service: service, Envs: []string{}, Instances: []InstanceRow{}, Versions: []VersionRow{}, Resource: map[string]string{}}
	if err := db.resourceOf(ctx, ans); err != nil {
		return nil, err
	}
	cond, a, err := Selection{Service: service, Env: env}.where("")
	if err != nil {
		return nil, err
	}
	cond += " AND " + within(r, a)
	type versionKey struct{ env, version string }
	whole, versions, seen := new(total), map[versionKey]*total{}, map[versionKey]*Seen{}
	seconds := db.seconds(w)
	err = db.each(ctx, fmt.Sprintf(`
SELECT env, version, instance, toInt64(toUnixTimestamp(min(ts)))*1000, toInt64(toUnixTimestamp(max(ts)))*1000,
       sum(calls), sum(errors), max(duration_max), mapKeys(sumMap(duration_hist) AS h), mapValues(h)
FROM red_%s WHERE %s GROUP BY env, version, instance`, r.Resolution, cond), a, func(rows driver.Rows) error {
		var c cell
		var row InstanceRow
		if err := rows.Scan(&row.Env, &row.Version, &row.Instance, &row.FirstSeenMS, &row.LastSeenMS, &c.calls, &c.errors, &c.max, &c.buckets, &c.counts); err != nil {
			return err
		}
		one := new(total)
		one.add(c)
		whole.add(c)
		row.Red = one.red(seconds)
		ans.Instances = append(ans.Instances, row)
		k := versionKey{row.Env, row.Version}
		if versions[k] == nil {
			versions[k], seen[k] = new(total), new(Seen)
		}
		versions[k].add(c)
		seen[k].add(row.Seen)
		ans.Envs = append(ans.Envs, row.Env)
		return nil
	})
	if err != nil {
		return nil, err
	}
	ans.Total = whole.red(seconds)
	for k, t := range versions {
		ans.Versions = append(ans.Versions, VersionRow{Version: k.version, Env: k.env, Red: t.red(seconds), Seen: *seen[k]})
	}
	sort.Slice(ans.Versions, func(i, j int) bool { return ans.Versions[i].FirstSeenMS > ans.Versions[j].FirstSeenMS })
	sort.Slice(ans.Instances, func(i, j int) bool { return ans.Instances[i].Calls > ans.Instances[j].Calls })
	ans.Envs = unique(unempty(ans.Envs))
	previous, err := db.serviceTotals(ctx, r, env)
	if err != nil {
		return nil, err
	}
	if p, ok := previous[service]; ok {
		red := p.red(float64(r.ToMS-r.FromMS) / 1000)
		ans.Previous = &red
	}
	return ans, nil
}

// resourceOf finds the newest resource of a service.
func (db *DB) resourceOf(ctx context.Context, ans *ServiceAnswer) error {
	found := false
	err := db.each(ctx, `SELECT attributes FROM resources WHERE service = {service:String} ORDER BY last_seen DESC LIMIT 1`,
		args{"service": ans.Service}, func(rows driver.Rows) error {
			found = true
			return rows.Scan(&ans.Resource)
		})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("service %q: %w", ans.Service, ErrNotFound)
	}
	ans.Language = ans.Resource["telemetry.sdk.language"]
	return nil
}

// OperationsAnswer lists a service's operations.
type OperationsAnswer struct {
	Range      Range          `json:"range"`
	Operations []OperationRow `json:"operations"`
	Folded     bool           `json:"folded"` // further operations are folded into "(other)"
}

// OperationRow is one operation.
type OperationRow struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Red
	TimeShare float64    `json:"time_share"` // of the listed operations' summed durations
	Sparkline []*float64 `json:"sparkline"`  // rate
}

// Operations lists a service's operations, those that take most time first: all, or with entry only those through
// which calls come in (server and consumer spans).
func (db *DB) Operations(ctx context.Context, w Window, service, env string, entry bool) (*OperationsAnswer, error) {
	r := db.lay(w, 0, sparkPoints)
	ans := &OperationsAnswer{Range: r, Operations: []OperationRow{}}
	cond, a, err := Selection{Service: service, Env: env}.where("operation")
	if err != nil {
		return nil, err
	}
	cond += " AND " + within(r, a)
	if entry {
		cond += " AND kind IN ('server', 'consumer')"
	}
	a["step"] = r.StepMS / 1000
	seconds := db.seconds(w)
	var sums []uint64
	var all uint64
	err = db.each(ctx, fmt.Sprintf(`
SELECT name, toString(kind), sum(calls) AS n, sum(errors), sum(duration_sum), max(duration_max), mapKeys(sumMap(duration_hist) AS h), mapValues(h),
       sumMap(map(toInt64(intDiv(toUnixTimestamp(ts) - {from:Int64}, {step:Int64})), calls)) AS spark
FROM red_%s WHERE %s GROUP BY name, kind ORDER BY n DESC LIMIT 2000`, r.Resolution, cond), a, func(rows driver.Rows) error {
		var c cell
		row := OperationRow{Sparkline: make([]*float64, r.Points())}
		var sum uint64
		var spark map[int64]uint64
		if err := rows.Scan(&row.Name, &row.Kind, &c.calls, &c.errors, &sum, &c.max, &c.buckets, &c.counts, &spark); err != nil {
			return err
		}
		t := new(total)
		t.add(c)
		row.Red = t.red(seconds)
		for i, n := range spark {
			if rate := float64(n) / r.seconds(); i >= 0 && int(i) < len(row.Sparkline) {
				row.Sparkline[i] = &rate
			}
		}
		fillZero(row.Sparkline)
		ans.Folded = ans.Folded || row.Name == "(other)"
		ans.Operations = append(ans.Operations, row)
		sums = append(sums, sum)
		all += sum
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range ans.Operations {
		ans.Operations[i].TimeShare = ratioOf(sums[i], all)
	}
	sort.SliceStable(ans.Operations, func(i, j int) bool { return ans.Operations[i].TimeShare > ans.Operations[j].TimeShare })
	return ans, nil
}
