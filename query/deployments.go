package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Deployment is a new version of a service, noticed or posted.
type Deployment struct {
	TS       time.Time `json:"ts"`
	Service  string    `json:"service"`
	Env      string    `json:"env"`
	Version  string    `json:"version"`
	Previous string    `json:"previous"`
	Source   string    `json:"source"` // noticed, posted
	Text     string    `json:"text"`
	Link     string    `json:"link"`
}

// DeploymentsAnswer lists deployments, newest first.
type DeploymentsAnswer struct {
	Deployments []Deployment `json:"deployments"`
}

// mostDeployments bounds one answer.
const mostDeployments = 1000

// Deployments lists the deployments within a window, of all services or of some.
func (db *DB) Deployments(ctx context.Context, w Window, services []string, env string) ([]Deployment, error) {
	a := args{"from": w.From.UnixMilli(), "to": w.To.UnixMilli()}
	cond := []string{"ts >= fromUnixTimestamp64Milli({from:Int64})", "ts < fromUnixTimestamp64Milli({to:Int64})"}
	if len(services) > 0 {
		a["services"] = services
		cond = append(cond, "service IN {services:Array(String)}")
	}
	if env != "" {
		a["env"] = env
		cond = append(cond, "env IN ({env:String}, '')")
	}
	out := []Deployment{}
	err := db.each(ctx, fmt.Sprintf(`
SELECT ts, service, env, version, argMax(previous, updated_at), argMax(source, updated_at), argMax(text, updated_at), argMax(link, updated_at)
FROM deployments WHERE %s GROUP BY service, env, version, ts ORDER BY ts DESC, service, version LIMIT %d`, strings.Join(cond, " AND "), mostDeployments), a, func(rows driver.Rows) error {
		var d Deployment
		if err := rows.Scan(&d.TS, &d.Service, &d.Env, &d.Version, &d.Previous, &d.Source, &d.Text, &d.Link); err != nil {
			return err
		}
		d.TS = d.TS.UTC()
		out = append(out, d)
		return nil
	})
	return out, err
}

// VersionRun is a stretch of time in which an instance of a service reported one version.
type VersionRun struct {
	Service, Env, Version, Instance string
	From, To                        time.Time // start of the first and of the last step it was heard of in
}

// runGap is how long an instance may be silent before a run of its version ends.
const runGap = 10 * time.Minute

// VersionRuns answers which instance of which service reported which version when, oldest first.
func (db *DB) VersionRuns(ctx context.Context, w Window, services []string, env string) ([]VersionRun, error) {
	a := args{"from": w.From.Unix(), "to": w.To.Unix(), "gap": int(runGap.Seconds())}
	cond := "level = 'service' AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})"
	if len(services) > 0 {
		a["services"] = services
		cond += " AND service IN {services:Array(String)}"
	}
	if env != "" {
		a["env"] = env
		cond += " AND env = {env:String}"
	}
	table := "red_1m"
	if ten, _ := db.rollups(); db.o.Now().Sub(w.From) < ten {
		table = "red_10s"
	}
	var out []VersionRun
	err := db.each(ctx, fmt.Sprintf(`
SELECT service, env, version, instance, min(ts) AS first, max(ts) FROM (
    SELECT service, env, version, instance, ts, sum(gap) OVER (PARTITION BY service, env, version, instance ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run FROM (
        SELECT service, env, version, instance, ts,
               (toUnixTimestamp(ts) - lagInFrame(toUnixTimestamp(ts), 1, toUnixTimestamp(ts)) OVER (PARTITION BY service, env, version, instance ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) > {gap:Int64} AS gap
        FROM (SELECT DISTINCT service, env, version, instance, ts FROM %s WHERE %s)))
GROUP BY service, env, version, instance, run ORDER BY first, service, version, instance LIMIT 100000`, table, cond), a, func(rows driver.Rows) error {
		var r VersionRun
		if err := rows.Scan(&r.Service, &r.Env, &r.Version, &r.Instance, &r.From, &r.To); err != nil {
			return err
		}
		r.From, r.To = r.From.UTC(), r.To.UTC()
		out = append(out, r)
		return nil
	})
	return out, err
}

// ResourceCounts answers how many distinct resources each service has had: when it grows, something started.
func (db *DB) ResourceCounts(ctx context.Context) (map[string]uint64, error) {
	out := map[string]uint64{}
	err := db.each(ctx, "SELECT service, uniq(fingerprint) FROM resources GROUP BY service", nil, func(rows driver.Rows) error {
		var service string
		var n uint64
		if err := rows.Scan(&service, &n); err != nil {
			return err
		}
		out[service] = n
		return nil
	})
	return out, err
}

// RunningInstance is an instance of a service and the version it reports.
type RunningInstance struct{ Service, Env, Version, Instance string }

// Running answers what reported spans within a window, from the finest rollup.
func (db *DB) Running(ctx context.Context, w Window) ([]RunningInstance, error) {
	var out []RunningInstance
	err := db.each(ctx, fmt.Sprintf(`
SELECT DISTINCT service, env, version, instance FROM red_10s
WHERE level = 'service' AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64}) LIMIT %d`, mostRunning), args{"from": w.From.Unix(), "to": w.To.Unix()}, func(rows driver.Rows) error {
		var r RunningInstance
		if err := rows.Scan(&r.Service, &r.Env, &r.Version, &r.Instance); err != nil {
			return err
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// mostRunning bounds the instances looked at for new versions.
const mostRunning = 200_000
