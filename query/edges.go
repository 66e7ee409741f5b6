package query

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// EdgeRow is who calls whom, as the caller sees it.
type EdgeRow struct {
	Source       string `json:"source"`
	SourceKind   string `json:"source_kind"` // service, or messaging for a queue that hands on messages
	Target       string `json:"target"`
	TargetKind   string `json:"target_kind"`   // service, database, messaging, external
	TargetSystem string `json:"target_system"` // of the target, or of the queue that is the source
	Red
	TimeShare float64 `json:"time_share"` // of all time spent in the calls listed with it
}

// DependenciesAnswer is who calls a service and whom it calls.
type DependenciesAnswer struct {
	Range   Range     `json:"range"`
	Callers []EdgeRow `json:"callers"`
	Callees []EdgeRow `json:"callees"`
}

// MapAnswer is the service map.
type MapAnswer struct {
	Range     Range     `json:"range"`
	Nodes     []MapNode `json:"nodes"`
	Edges     []EdgeRow `json:"edges"`
	FreshToMS int64     `json:"fresh_to_ms"`
	Sampled   bool      `json:"sampled"`
}

// MapNode is a service, or something known from its callers only.
type MapNode struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	System string `json:"system"`
	Red
}

// queuePrefix begins the client of an edge from a queue to what takes its messages; the rest is the queue's name.
const queuePrefix = "messaging:"

// edges reads edges, merged over a range. The range of the answer is in whole minutes, as edges are.
func (db *DB) edges(ctx context.Context, w Window, env, service string) (r Range, edges []EdgeRow, totals []*total, fresh int64, sampled bool, err error) {
	r = db.lay(w, 0, 0)
	r.Resolution = "1m"
	r.FromMS = time.UnixMilli(r.FromMS).Truncate(time.Minute).UnixMilli()
	a := args{}
	// A minute is computed several times while spans arrive; its newest computation counts, with exactly its rows.
	minutes := within(r, a)
	cond := minutes
	if env != "" {
		cond += " AND env = {env:String}"
		a["env"] = env
	}
	if service != "" {
		cond += " AND (client = {service:String} OR (target_kind = 'service' AND target = {service:String}))"
		a["service"] = service
	}
	var sums []uint64
	err = db.each(ctx, fmt.Sprintf(`
SELECT client, target, if(target_kind = 'external' AND target IN (SELECT service FROM resources), 'service', toString(target_kind)) AS kind, any(target_system), sum(calls) AS n, sum(errors), sum(duration_sum),
       mapKeys(sumMap(duration_hist) AS h), mapValues(h), max(sample_rate), toInt64(toUnixTimestamp(max(ts)))
FROM edges WHERE (ts, computed) IN (SELECT ts, max(computed) FROM edges WHERE %s GROUP BY ts) AND %s
GROUP BY client, target, kind ORDER BY n DESC LIMIT 5000`, minutes, cond), a, func(rows driver.Rows) error {
		var e EdgeRow
		var c cell
		var sum uint64
		var rate float64
		var last int64
		if err := rows.Scan(&e.Source, &e.Target, &e.TargetKind, &e.TargetSystem, &c.calls, &c.errors, &sum, &c.buckets, &c.counts, &rate, &last); err != nil {
			return err
		}
		t := new(total)
		t.add(c)
		e.Red = t.red(db.seconds(w))
		e.Max = nil
		e.SourceKind = "service"
		if strings.HasPrefix(e.Source, queuePrefix) {
			e.SourceKind = "messaging"
		}
		edges, totals, sums = append(edges, e), append(totals, t), append(sums, sum)
		fresh, sampled = max(fresh, (last+60)*1000), sampled || rate > 1
		return nil
	})
	callers, callees := map[string]uint64{}, map[string]uint64{}
	for i, e := range edges {
		callees[e.Source] += sums[i]
		callers[e.Target] += sums[i]
	}
	for i := range edges {
		all := callees[edges[i].Source]
		if service != "" && edges[i].Source != service {
			all = callers[edges[i].Target]
		}
		edges[i].TimeShare = ratioOf(sums[i], all)
	}
	return r, edges, totals, min(fresh, r.NowMS), sampled, err
}

// Dependencies answers who calls a service and whom it calls.
func (db *DB) Dependencies(ctx context.Context, w Window, service, env string) (*DependenciesAnswer, error) {
	r, edges, _, _, _, err := db.edges(ctx, w, env, service)
	if err != nil {
		return nil, err
	}
	ans := &DependenciesAnswer{Range: r, Callers: []EdgeRow{}, Callees: []EdgeRow{}}
	for _, e := range edges {
		if e.Source == service {
			ans.Callees = append(ans.Callees, e)
		}
		if e.Target == service && e.TargetKind == "service" {
			e.Source = strings.TrimPrefix(e.Source, queuePrefix)
			ans.Callers = append(ans.Callers, e)
		}
	}
	return ans, nil
}

// Map answers the service map, all of it or what lies within depth steps of focus.
func (db *DB) Map(ctx context.Context, w Window, env, focus string, depth int) (*MapAnswer, error) {
	r, edges, totals, fresh, sampled, err := db.edges(ctx, w, env, "")
	if err != nil {
		return nil, err
	}
	ans := &MapAnswer{Range: r, Nodes: []MapNode{}, Edges: []EdgeRow{}, FreshToMS: fresh, Sampled: sampled}
	services, err := db.Services(ctx, w, env)
	if err != nil {
		return nil, err
	}
	nodes := map[string]*MapNode{}
	for _, s := range services.Services {
		nodes[s.Service] = &MapNode{ID: s.Service, Name: s.Service, Kind: "service", Red: s.Red}
	}
	virtual := map[string]*total{}
	for i, e := range edges {
		if nodes[e.Source] == nil {
			nodes[e.Source] = &MapNode{ID: e.Source, Name: strings.TrimPrefix(e.Source, queuePrefix), Kind: e.SourceKind}
			if e.SourceKind != "service" {
				nodes[e.Source].System = e.TargetSystem
			}
		}
		id := e.Target
		if e.TargetKind != "service" {
			id = e.TargetKind + ":" + e.Target
			if virtual[id] == nil {
				virtual[id] = new(total)
			}
			virtual[id].add(cellOf(totals[i]))
		}
		if nodes[id] == nil {
			nodes[id] = &MapNode{ID: id, Name: e.Target, Kind: e.TargetKind, System: e.TargetSystem}
		}
		e.Target = id
		ans.Edges = append(ans.Edges, e)
	}
	for id, t := range virtual {
		nodes[id].Red = t.red(db.seconds(w))
		nodes[id].Max = nil
	}
	if focus != "" {
		ans.Edges = around(ans.Edges, nodes, focus, depth)
	}
	for _, n := range nodes {
		ans.Nodes = append(ans.Nodes, *n)
	}
	sort.Slice(ans.Nodes, func(i, j int) bool { return ans.Nodes[i].ID < ans.Nodes[j].ID })
	return ans, nil
}

func cellOf(t *total) cell {
	c := cell{calls: t.calls, errors: t.errors, max: t.max}
	c.buckets, c.counts = t.buckets()
	return c
}

// around keeps the nodes within depth steps of focus, along and against the calls, and the edges between them.
func around(edges []EdgeRow, nodes map[string]*MapNode, focus string, depth int) []EdgeRow {
	keep := map[string]bool{focus: true}
	for range depth {
		grown := map[string]bool{}
		for _, e := range edges {
			if keep[e.Source] || keep[e.Target] {
				grown[e.Source], grown[e.Target] = true, true
			}
		}
		for id := range grown {
			keep[id] = true
		}
	}
	for id := range nodes {
		if !keep[id] {
			delete(nodes, id)
		}
	}
	out := []EdgeRow{}
	for _, e := range edges {
		if keep[e.Source] && keep[e.Target] {
			out = append(out, e)
		}
	}
	return out
}
