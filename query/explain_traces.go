package query

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TraceSpan is a span of a sampled trace: enough to rebuild the trace and to say what each span did.
type TraceSpan struct {
	Trace      string // 16 bytes
	ID, Parent uint64 // Parent 0: a root
	Start      int64  // Unix ns
	Duration   uint64 // ns
	Service    string
	Name       string
	Kind       string
	Error      bool
	Resource   uint64
	PeerKind   string // of what a client or producer span calls: database, messaging, external; empty for other spans
	Peer       string // its host, or how else its caller names it
}

// TraceSubject says which spans a sampled trace must have. An empty Operation means any that comes in.
type TraceSubject struct{ Service, Operation string }

// TraceSample asks for whole traces that pass through any of the subjects.
type TraceSample struct {
	Window   Window
	Subjects []TraceSubject
	Env      string
	Failing  bool // only traces in which a span of one of the subjects' services failed
	Traces   int  // how many; chosen by a hash of the trace id, so that the same question has the same answer
}

// TraceSampleAnswer is a sample of traces.
type TraceSampleAnswer struct {
	Spans  []TraceSpan // by trace
	Traces int
	All    uint64  // about how many traces there were to choose from in what was looked at
	Looked float64 // share of the window that was looked at, 0..1
}

// mostSampled bounds the spans of one sample, and the spans of the subjects that are looked at to choose from.
const (
	mostSampled = 60_000
	mostChosen  = 400_000
)

// around the window, spans of traces that began or ended outside it.
const (
	sampleBefore = 40 * time.Second
	sampleAfter  = 40 * time.Second
)

// SampleTraces answers a sample of whole traces. Over many spans only slices of the window are looked at.
func (db *DB) SampleTraces(ctx context.Context, s TraceSample) (*TraceSampleAnswer, error) {
	services := subjectServices(s.Subjects)
	slices, looked, err := db.sampleSlices(ctx, s.Window, services)
	if err != nil {
		return nil, err
	}
	a := args{"services": services, "n": s.Traces}
	cond := "1"
	if s.Failing {
		cond = "status = 'error'"
	} else {
		cond = subjectCondition(s.Subjects, a)
	}
	if s.Env != "" {
		a["env"] = s.Env
		cond += " AND resource IN (SELECT fingerprint FROM resources WHERE env = {env:String})"
	}
	inner, outer := sliceConditions(slices)
	chosen := fmt.Sprintf("FROM spans PREWHERE (%s) AND service IN {services:Array(String)} WHERE %s", inner, cond)
	ans := &TraceSampleAnswer{Looked: looked}
	if err := db.each(ctx, "SELECT uniq(trace_id) "+chosen, a, func(rows driver.Rows) error { return rows.Scan(&ans.All) }); err != nil || ans.All == 0 {
		return ans, err
	}
	seen, last := map[string]bool{}, ""
	err = db.each(ctx, fmt.Sprintf(`
SELECT trace_id, reinterpretAsUInt64(span_id), reinterpretAsUInt64(parent_span_id), toUnixTimestamp64Nano(ts), duration_ns, service, name, toString(kind), status = 'error', resource,
       attr.value[indexOf(attr.key, 'db.system.name')] AS db_new, attr.value[indexOf(attr.key, 'db.system')] AS db_old, if(db_new != '', db_new, db_old) AS db,
       attr.value[indexOf(attr.key, 'messaging.system')] AS queue,
       multiIf(kind NOT IN ('client', 'producer'), '', db != '', 'database', queue != '', 'messaging', 'external') AS peer_kind,
       if(peer_kind = '', '', arrayFirst(x -> x != '', [attr.value[indexOf(attr.key, 'server.address')], attr.value[indexOf(attr.key, 'net.peer.name')],
           attr.value[indexOf(attr.key, 'peer.service')], domain(attr.value[indexOf(attr.key, 'url.full')]), attr.value[indexOf(attr.key, 'db.namespace')],
           attr.value[indexOf(attr.key, 'messaging.destination.name')], db, queue])) AS peer
FROM spans PREWHERE (%s) AND trace_id IN (SELECT trace_id %s GROUP BY trace_id ORDER BY sipHash64(trace_id) LIMIT {n:UInt32})
ORDER BY trace_id, ts, duration_ns DESC LIMIT 1 BY trace_id, span_id LIMIT %d`, outer, chosen, mostSampled), a, func(rows driver.Rows) error {
		var t TraceSpan
		var failed uint8
		var dbNew, dbOld, system, queue string
		if err := rows.Scan(&t.Trace, &t.ID, &t.Parent, &t.Start, &t.Duration, &t.Service, &t.Name, &t.Kind, &failed, &t.Resource,
			&dbNew, &dbOld, &system, &queue, &t.PeerKind, &t.Peer); err != nil {
			return err
		}
		t.Error = failed == 1
		if t.Trace != last {
			seen[t.Trace], last = true, t.Trace
		}
		ans.Spans = append(ans.Spans, t)
		return nil
	})
	ans.Traces = len(seen)
	return ans, err
}

func subjectServices(subjects []TraceSubject) []string {
	var out []string
	for _, s := range subjects {
		if !contains(out, s.Service) {
			out = append(out, s.Service)
		}
	}
	return out
}

// subjectCondition binds the subjects: services as a whole by what comes in, operations by their name.
func subjectCondition(subjects []TraceSubject, a args) string {
	var whole, pairs []string
	for _, s := range subjects {
		if s.Operation == "" {
			whole = append(whole, s.Service)
			continue
		}
		i := len(pairs)
		a[fmt.Sprintf("s%d", i)], a[fmt.Sprintf("o%d", i)] = s.Service, s.Operation
		pairs = append(pairs, fmt.Sprintf("(service = {s%d:String} AND name = {o%d:String})", i, i))
	}
	if len(whole) > 0 {
		a["whole"] = whole
		pairs = append(pairs, "(service IN {whole:Array(String)} AND (kind IN ('server', 'consumer') OR parent_span_id = toFixedString('', 8)))")
	}
	return "(" + strings.Join(pairs, " OR ") + ")"
}

// sampleSlices are the parts of a window that are looked at: all of it, or twelve slices spread over it when there are
// too many spans to choose from.
func (db *DB) sampleSlices(ctx context.Context, w Window, services []string) ([]Window, float64, error) {
	r := db.lay(w, 0, 0)
	a := args{"services": services}
	var n uint64
	err := db.each(ctx, fmt.Sprintf("SELECT sum(calls) FROM red_%s WHERE level = 'operation' AND service IN {services:Array(String)} AND %s", r.Resolution, within(r, a)), a,
		func(rows driver.Rows) error { return rows.Scan(&n) })
	if err != nil || n <= mostChosen {
		return []Window{w}, 1, err
	}
	const parts = 12
	share := mostChosen / float64(n)
	period := w.To.Sub(w.From) / parts
	length := time.Duration(math.Max(float64(period)*share, float64(100*time.Millisecond)))
	out := make([]Window, parts)
	for i := range out {
		from := w.From.Add(time.Duration(i) * period)
		out[i] = Window{from, from.Add(length)}
	}
	return out, float64(length) / float64(period), nil
}

// sliceConditions are the conditions for spans within the slices, and for all spans of traces that touch them.
func sliceConditions(slices []Window) (inner, outer string) {
	before, after := sampleBefore, sampleAfter
	if len(slices) > 1 {
		before, after = 5*time.Second, 5*time.Second
	}
	var in, out []string
	cond := func(from, to time.Time) string {
		return fmt.Sprintf("(ts >= fromUnixTimestamp64Nano(toInt64(%d)) AND ts < fromUnixTimestamp64Nano(toInt64(%d)))", from.UnixNano(), to.UnixNano())
	}
	for _, s := range slices {
		in = append(in, cond(s.From, s.To))
		out = append(out, cond(s.From.Add(-before), s.To.Add(after)))
	}
	return strings.Join(in, " OR "), strings.Join(out, " OR ")
}

// SpanAttributes answers the attributes of spans by their ids, all of one service or a few, within a window.
func (db *DB) SpanAttributes(ctx context.Context, w Window, services []string, ids []uint64) (map[uint64]map[string]string, error) {
	out := make(map[uint64]map[string]string, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	a := args{"services": services, "ids": ids}
	err := db.each(ctx, fmt.Sprintf(`
SELECT reinterpretAsUInt64(span_id) AS id, attr.key, attr.value FROM spans PREWHERE %s AND service IN {services:Array(String)} AND reinterpretAsUInt64(span_id) IN {ids:Array(UInt64)} LIMIT %d`,
		bounds(w.From.Add(-sampleBefore), w.To.Add(sampleAfter), a), mostSampled), a, func(rows driver.Rows) error {
		var id uint64
		var keys, values []string
		if err := rows.Scan(&id, &keys, &values); err != nil {
			return err
		}
		m := make(map[string]string, len(keys))
		for i, k := range keys {
			m[k] = values[i]
		}
		out[id] = m
		return nil
	})
	return out, err
}

// ResourceRow is a resource with what it is known by.
type ResourceRow struct {
	Service, Env, Version, Instance string
	Attributes                      map[string]string
}

// ResourcesOf answers resources by fingerprint.
func (db *DB) ResourcesOf(ctx context.Context, fingerprints []uint64) (map[uint64]ResourceRow, error) {
	out := make(map[uint64]ResourceRow, len(fingerprints))
	if len(fingerprints) == 0 {
		return out, nil
	}
	err := db.each(ctx, `
SELECT fingerprint, max(service), max(env), max(version), max(instance), anyLast(attributes)
FROM resources WHERE fingerprint IN {list:Array(UInt64)} GROUP BY fingerprint`, args{"list": fingerprints}, func(rows driver.Rows) error {
		var f uint64
		var r ResourceRow
		if err := rows.Scan(&f, &r.Service, &r.Env, &r.Version, &r.Instance, &r.Attributes); err != nil {
			return err
		}
		out[f] = r
		return nil
	})
	return out, err
}

// SubjectCalls counts what the subjects were asked, and how much of it failed.
func (db *DB) SubjectCalls(ctx context.Context, w Window, subjects []TraceSubject, env string) (calls, errors uint64, err error) {
	r := db.lay(w, 0, 0)
	a := args{}
	time := within(r, a)
	var whole, pairs []string
	for _, s := range subjects {
		if s.Operation == "" {
			whole = append(whole, s.Service)
			continue
		}
		i := len(pairs)
		a[fmt.Sprintf("s%d", i)], a[fmt.Sprintf("o%d", i)] = s.Service, s.Operation
		pairs = append(pairs, fmt.Sprintf("(level = 'operation' AND service = {s%d:String} AND name = {o%d:String})", i, i))
	}
	if len(whole) > 0 {
		a["whole"] = whole
		pairs = append(pairs, "(level = 'service' AND service IN {whole:Array(String)})")
	}
	if len(pairs) == 0 {
		return 0, 0, nil
	}
	if env != "" {
		a["env"] = env
		time += " AND env = {env:String}"
	}
	err = db.each(ctx, fmt.Sprintf("SELECT sum(calls), sum(errors) FROM red_%s WHERE %s AND (%s)", r.Resolution, time, strings.Join(pairs, " OR ")), a,
		func(rows driver.Rows) error { return rows.Scan(&calls, &errors) })
	return calls, errors, err
}
