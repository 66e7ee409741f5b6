package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// CallEdge says that Client calls Target, as often as Calls in the time asked about.
type CallEdge struct {
	Client     string
	Target     string
	TargetKind string // service, database, messaging, external
	Calls      uint64
}

// CallGraph answers who calls whom in a window, the busiest edges first.
func (db *DB) CallGraph(ctx context.Context, w Window, env string) ([]CallEdge, error) {
	a := args{"from": w.From.Unix(), "to": w.To.Unix()}
	cond := ""
	if env != "" {
		a["env"], cond = env, " AND env = {env:String}"
	}
	var edges []CallEdge
	err := db.each(ctx, fmt.Sprintf(`
SELECT client, target, toString(target_kind), sum(n) AS calls FROM (
    SELECT client, target, if(target_kind = 'external' AND target IN (SELECT service FROM resources), 'service', toString(target_kind)) AS target_kind, ts, argMax(calls, computed) AS n
    FROM edges WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})%s GROUP BY client, target, target_kind, env, ts)
GROUP BY client, target, target_kind ORDER BY calls DESC LIMIT %d`, cond, mostCallEdges), a, func(rows driver.Rows) error {
		var e CallEdge
		if err := rows.Scan(&e.Client, &e.Target, &e.TargetKind, &e.Calls); err != nil {
			return err
		}
		edges = append(edges, e)
		return nil
	})
	return edges, err
}

// mostCallEdges bounds the call graph.
const mostCallEdges = 20_000

// graphWindow is how far back calls count for who is connected to whom.
const graphWindow = 24 * time.Hour

// CallGraphAt is the call graph of the day before a moment.
func (db *DB) CallGraphAt(ctx context.Context, at time.Time, env string) ([]CallEdge, error) {
	return db.CallGraph(ctx, Window{at.Add(-graphWindow), at.Add(time.Minute)}, env)
}
