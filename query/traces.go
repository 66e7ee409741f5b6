package query

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TracesAnswer is a page of traces that have matching spans.
type TracesAnswer struct {
	Range       Range     `json:"range"`
	Spans       []SpanHit `json:"spans"`
	NextCursor  *string   `json:"next_cursor"`
	ScannedToMS int64     `json:"scanned_to_ms"` // how far back this page has looked
	Partial     bool      `json:"partial"`       // time ran out: there may be more within the range
}

// SpanHit is the best matching span of a trace; trace_* describe the whole.
type SpanHit struct {
	TraceID         string            `json:"trace_id"`
	SpanID          string            `json:"span_id"`
	TS              string            `json:"ts_ns"`
	DurationNS      uint64            `json:"duration_ns"`
	Service         string            `json:"service"`
	Name            string            `json:"name"`
	Kind            string            `json:"kind"`
	Status          string            `json:"status"`
	StatusMessage   string            `json:"status_message"`
	RootService     string            `json:"root_service"`
	RootName        string            `json:"root_name"`
	TraceStart      string            `json:"trace_start_ns"`
	TraceDurationNS uint64            `json:"trace_duration_ns"`
	TraceSpans      uint64            `json:"trace_spans"`
	TraceErrors     uint64            `json:"trace_errors"`
	MatchedSpans    uint64            `json:"matched_spans"`
	Attributes      map[string]string `json:"attributes"`

	ts int64
}

// telling are the attributes shown in lists.
var telling = []string{"http.request.method", "http.route", "http.response.status_code", "url.path", "url.full", "db.query.text", "db.system.name",
	"rpc.method", "messaging.destination.name", "exception.type", "error.type"}

// cursor continues a list: newest first below TS, slowest first from Offset.
type cursor struct {
	TS     int64  `json:"t,omitempty"`
	Trace  string `json:"i,omitempty"`
	Offset int    `json:"o,omitempty"`
}

func (c cursor) String() *string {
	b, _ := json.Marshal(c)
	s := base64.RawURLEncoding.EncodeToString(b)
	return &s
}

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Offset < 0 || c.Offset > 100_000 {
		return c, &InputError{"cursor", "is not one that an earlier page gave"}
	}
	return c, nil
}

// listBudget is how long a list looks for more before it answers with what it has.
const listBudget = 3 * time.Second

// firstSlice is how much time a list looks at first where nothing is known of how much lies when; each further slice is
// sliceGrowth times as long.
const firstSlice = 10 * time.Second

// lookBack calls look for ever older and larger slices of [from, to) until it says enough, the beginning is reached or
// the budget is used up. It answers how far back it came.
func lookBack(from, to time.Time, d density, budget time.Duration, look func(from, to time.Time) (enough bool, err error)) (reached time.Time, err error) {
	began := time.Now()
	rows := float64(sliceRows)
	for length := firstSlice; ; length *= sliceGrowth {
		start, known := d.back(to, rows)
		rows *= sliceGrowth
		if !known || to.Sub(start) < 0 {
			start = to.Add(-length)
			if n := len(d); n > 0 && start.After(d[n-1].from) && !d[n-1].from.Before(from) {
				start = d[n-1].from
			}
		}
		if start.Before(from) {
			start = from
		}
		enough, err := look(start, to)
		if err != nil || enough || !start.After(from) {
			return start, err
		}
		if time.Since(began) > budget {
			return start, nil
		}
		to = start
	}
}

// Traces lists traces with matching spans, newest first or slowest first, limit a page.
func (db *DB) Traces(ctx context.Context, w Window, q, sortBy, after string, limit int) (*TracesAnswer, error) {
	cur, err := parseCursor(after)
	if err != nil {
		return nil, err
	}
	if sortBy != "" && sortBy != "newest" && sortBy != "slowest" {
		return nil, &InputError{"sort", "is newest or slowest"}
	}
	limit = clamp(limit, 50, 500)
	ans := &TracesAnswer{Range: db.lay(w, 0, 0), Spans: []SpanHit{}, ScannedToMS: w.From.UnixMilli()}
	ans.Range.Resolution = "raw"
	a := args{}
	cond, err := db.compile(ctx, spanFields, q, a)
	if err != nil {
		return nil, err
	}
	if sortBy == "slowest" {
		err = db.slowest(ctx, w, cond, a, cur, limit, ans)
	} else {
		err = db.newest(ctx, w, cond, a, cur, limit, ans)
	}
	if err != nil {
		return nil, err
	}
	if err := db.describeTraces(ctx, ans.Spans); err != nil {
		return nil, err
	}
	return ans, db.countMatches(ctx, w, cond, a, sortBy, cur, ans)
}

// newest looks at ever older slices. After a page that ended with a trace, spans of the same nanosecond with a greater
// trace id are still to come; after one that ran out of time, everything before it.
func (db *DB) newest(ctx context.Context, w Window, cond string, a args, cur cursor, limit int, ans *TracesAnswer) error {
	to := w.To
	if cur.TS != 0 {
		to = time.Unix(0, cur.TS)
		if cur.Trace != "" {
			to = to.Add(1)
			a = copyArgs(a)
			a["cts"], a["ctrace"] = cur.TS, cur.Trace
			cond += " AND (ts < fromUnixTimestamp64Nano({cts:Int64}) OR trace_id > toFixedString(unhex({ctrace:String}), 16))"
		}
	}
	seen := map[string]bool{}
	dense, err := db.density(ctx, w.From, to)
	if err != nil {
		return err
	}
	reached, err := lookBack(w.From, to, dense, listBudget, func(from, to time.Time) (bool, error) {
		hits, err := db.hits(ctx, from, to, cond, a, "ts DESC, trace_id", limit+1, 0)
		for _, h := range hits {
			if !seen[h.TraceID] && len(ans.Spans) <= limit {
				seen[h.TraceID] = true
				ans.Spans = append(ans.Spans, h)
			}
		}
		return len(ans.Spans) > limit, err
	})
	if err != nil {
		return err
	}
	ans.ScannedToMS = reached.UnixMilli()
	ans.Partial = reached.After(w.From) && len(ans.Spans) <= limit
	if len(ans.Spans) > limit {
		ans.Spans = ans.Spans[:limit]
		last := ans.Spans[limit-1]
		ans.NextCursor = cursor{TS: last.ts, Trace: last.TraceID}.String()
	} else if ans.Partial {
		ans.NextCursor = cursor{TS: reached.UnixNano()}.String()
	}
	return nil
}

func (db *DB) slowest(ctx context.Context, w Window, cond string, a args, cur cursor, limit int, ans *TracesAnswer) error {
	hits, err := db.hits(ctx, w.From, w.To, cond, a, "duration_ns DESC, ts DESC, trace_id", limit+1, cur.Offset)
	if err != nil {
		return err
	}
	if len(hits) > limit {
		hits = hits[:limit]
		ans.NextCursor = cursor{Offset: cur.Offset + limit}.String()
	}
	ans.Spans = append(ans.Spans, hits...)
	return nil
}

// bounds limits raw rows to [from, to), by the sort key's time bucket too.
func bounds(from, to time.Time, a args) string {
	a["from"], a["to"] = from, to
	return `ts >= fromUnixTimestamp64Nano({from:Int64}) AND ts < fromUnixTimestamp64Nano({to:Int64})`
}

// hits finds the first matching span of each trace in an order: which ones first, from the few columns that it takes to
// tell, then what there is to say about them.
func (db *DB) hits(ctx context.Context, from, to time.Time, cond string, a args, order string, limit, offset int) ([]SpanHit, error) {
	a = copyArgs(a)
	var times, ids, services []string
	var buckets []uint64
	err := db.each(ctx, fmt.Sprintf(`SELECT toUnixTimestamp64Nano(ts), hex(span_id), service FROM spans PREWHERE %s WHERE %s
ORDER BY %s LIMIT 1 BY trace_id LIMIT %d OFFSET %d`, bounds(from, to, a), cond, order, limit, offset), a, func(rows driver.Rows) error {
		var ts int64
		var id, service string
		if err := rows.Scan(&ts, &id, &service); err != nil {
			return err
		}
		times, ids, services = append(times, strconv.FormatInt(ts, 10)), append(ids, id), append(services, service)
		buckets = append(buckets, uint64(ts/1e9/bucket*bucket))
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	a["times"], a["ids"], a["services"], a["buckets"], a["telling"] = times, ids, services, buckets, telling
	var hits []SpanHit
	err = db.each(ctx, fmt.Sprintf(`
SELECT toUnixTimestamp64Nano(ts), hex(trace_id), hex(span_id), duration_ns, service, name, toString(kind), toString(status), status_message,
       mapFilter((k, v) -> has({telling:Array(String)}, k), mapFromArrays(attr.key, attr.value))
FROM spans PREWHERE toStartOfFifteenMinutes(toDateTime(ts)) IN (SELECT toDateTime(arrayJoin({buckets:Array(UInt64)}))) AND service IN {services:Array(String)}
  AND ts IN (SELECT fromUnixTimestamp64Nano(toInt64(arrayJoin({times:Array(String)})))) WHERE span_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 8)) AND %s
ORDER BY %s LIMIT 1 BY trace_id LIMIT %d`, cond, order, limit), a, func(rows driver.Rows) error {
		var h SpanHit
		if err := rows.Scan(&h.ts, &h.TraceID, &h.SpanID, &h.DurationNS, &h.Service, &h.Name, &h.Kind, &h.Status, &h.StatusMessage, &h.Attributes); err != nil {
			return err
		}
		h.TS, h.TraceID, h.SpanID = strconv.FormatInt(h.ts, 10), lower(h.TraceID), lower(h.SpanID)
		h.MatchedSpans = 1
		hits = append(hits, h)
		return nil
	})
	return hits, err
}

// describeTraces adds what the index knows of the whole traces.
func (db *DB) describeTraces(ctx context.Context, hits []SpanHit) error {
	if len(hits) == 0 {
		return nil
	}
	ids := make([]string, len(hits))
	index := map[string]*SpanHit{}
	for i := range hits {
		ids[i] = hits[i].TraceID
		index[hits[i].TraceID] = &hits[i]
	}
	return db.each(ctx, `
SELECT hex(trace_id), toUnixTimestamp64Nano(min(start)), toUnixTimestamp64Nano(max(end)), max(root_service), max(root_name), sum(spans), sum(errors)
FROM trace_index WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16)) GROUP BY trace_id`,
		args{"ids": ids}, func(rows driver.Rows) error {
			var id, service, name string
			var start, end int64
			var spans, errs uint64
			if err := rows.Scan(&id, &start, &end, &service, &name, &spans, &errs); err != nil {
				return err
			}
			if h := index[lower(id)]; h != nil {
				h.TraceStart, h.TraceDurationNS = strconv.FormatInt(start, 10), uint64(max(0, end-start))
				h.RootService, h.RootName, h.TraceSpans, h.TraceErrors = service, name, spans, errs
			}
			return nil
		})
}

// bucket is the time bucket that the spans' order begins with, in seconds.
const bucket = 15 * 60

// countMatches counts the matching spans of each listed trace, and drops traces that an earlier page has listed by a
// newer span.
func (db *DB) countMatches(ctx context.Context, w Window, cond string, a args, sortBy string, cur cursor, ans *TracesAnswer) error {
	if len(ans.Spans) == 0 {
		return nil
	}
	a = copyArgs(a)
	var ids []string
	var buckets []uint64
	oldest, newest := w.To, w.From
	for _, h := range ans.Spans {
		ids = append(ids, h.TraceID)
		start, end := h.ts, h.ts
		if s, err := strconv.ParseInt(h.TraceStart, 10, 64); err == nil && s > 0 && s <= h.ts {
			start, end = s, max(end, s+int64(min(h.TraceDurationNS, uint64(24*time.Hour))))
		}
		for b := start / 1e9 / bucket; b <= end/1e9/bucket; b++ {
			buckets = append(buckets, uint64(b*bucket))
		}
		if t := time.Unix(0, start); t.Before(oldest) {
			oldest = t
		}
		if t := time.Unix(0, end+1); t.After(newest) {
			newest = t
		}
	}
	if oldest.Before(w.From) {
		oldest = w.From
	}
	if newest.After(w.To) {
		newest = w.To
	}
	a["ids"], a["buckets"] = ids, buckets
	type match struct {
		spans  uint64
		newest int64
	}
	matches := map[string]match{}
	err := db.each(ctx, fmt.Sprintf(`
SELECT hex(trace_id), uniqExact(span_id), toUnixTimestamp64Nano(max(ts)) FROM spans
PREWHERE toStartOfFifteenMinutes(toDateTime(ts)) IN (SELECT toDateTime(arrayJoin({buckets:Array(UInt64)}))) AND %s
     AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))
WHERE %s GROUP BY trace_id`, bounds(oldest, newest, a), cond), a, func(rows driver.Rows) error {
		var id string
		var m match
		err := rows.Scan(&id, &m.spans, &m.newest)
		matches[lower(id)] = m
		return err
	})
	kept := ans.Spans[:0]
	for _, h := range ans.Spans {
		m := matches[h.TraceID]
		listed := m.newest > cur.TS || m.newest == cur.TS && h.TraceID <= cur.Trace || m.newest == cur.TS && cur.Trace == ""
		if cur.TS != 0 && sortBy != "slowest" && listed {
			continue
		}
		h.MatchedSpans = max(1, m.spans)
		kept = append(kept, h)
	}
	ans.Spans = kept
	return err
}

func copyArgs(a args) args {
	b := make(args, len(a)+4)
	for k, v := range a {
		b[k] = v
	}
	return b
}

func clamp(n, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(n, most)
}

func lower(hexID string) string {
	b, err := hex.DecodeString(hexID)
	if err != nil {
		return hexID
	}
	return hex.EncodeToString(b)
}

// sampleRows is how many matching rows facets and comparisons look at, at most.
const sampleRows = 100_000

// TraceHeatmapAnswer is the distribution of matching spans.
type TraceHeatmapAnswer struct {
	HeatmapAnswer
	Errors  []uint64 `json:"errors"` // a column
	Sampled bool     `json:"sampled"`
}

// TracesHeatmap answers the latency distribution of matching spans over time. It reads raw spans; over many, a sample
// by trace stands for all and the counts are scaled up.
func (db *DB) TracesHeatmap(ctx context.Context, w Window, q string) (*TraceHeatmapAnswer, error) {
	r := db.lay(w, 0, 120)
	a := args{}
	cond, err := db.compile(ctx, spanFields, q, a)
	if err != nil {
		return nil, err
	}
	rate, err := db.sampleRate(ctx, w)
	if err != nil {
		return nil, err
	}
	within := bounds(time.UnixMilli(r.FromMS), time.UnixMilli(r.ToMS), a)
	a["step"] = r.StepMS * 1_000_000
	cells := map[int]*cell{}
	ans := &TraceHeatmapAnswer{Errors: make([]uint64, r.Points()), Sampled: rate > 1}
	err = db.each(ctx, fmt.Sprintf(`
SELECT intDiv(toUnixTimestamp64Nano(ts) - {from:Int64}, {step:Int64}) AS i,
       toInt16(if(duration_ns <= 1, 0, ceil(32 * log2(duration_ns)))) AS b, count() * %d, countIf(status = 'error') * %d
FROM spans PREWHERE %s%s WHERE %s GROUP BY i, b ORDER BY i, b`, rate, rate, within, sampled(rate), cond), a, func(rows driver.Rows) error {
		var i int64
		var b int16
		var n, errs uint64
		if err := rows.Scan(&i, &b, &n, &errs); err != nil {
			return err
		}
		if i < 0 || int(i) >= r.Points() {
			return nil
		}
		c := cells[int(i)]
		if c == nil {
			c = &cell{i: int(i)}
			cells[int(i)] = c
		}
		c.buckets, c.counts = append(c.buckets, b), append(c.counts, n)
		ans.Errors[i] += errs
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]cell, 0, len(cells))
	for _, c := range cells {
		list = append(list, *c)
	}
	r.Resolution = "raw"
	ans.HeatmapAnswer = *layHeat(r, list)
	return ans, nil
}

// heatmapRows is how many spans a heatmap reads before it samples.
const heatmapRows = 3_000_000

// sampleRate is 1, or n where only one trace in n should be read so that a window stays affordable. The rollup tells
// how many spans there are.
func (db *DB) sampleRate(ctx context.Context, w Window) (int, error) {
	r := db.lay(w, 0, 0)
	a := args{}
	var n uint64
	err := db.each(ctx, fmt.Sprintf("SELECT sum(calls) FROM red_%s WHERE level = 'operation' AND %s", r.Resolution, within(r, a)), a,
		func(rows driver.Rows) error { return rows.Scan(&n) })
	return 1 + int(n/heatmapRows), err
}

func sampled(rate int) string {
	if rate <= 1 {
		return ""
	}
	return fmt.Sprintf(" AND sipHash64(trace_id) %% %d = 0", rate)
}

// FacetsAnswer counts values among matching items.
type FacetsAnswer struct {
	Facets  []Facet `json:"facets"`
	Sampled bool    `json:"sampled"`
	Total   uint64  `json:"total"`
}

// Facet is a field with its commonest values.
type Facet struct {
	Key    string       `json:"key"`
	Values []FacetValue `json:"values"`
}

// FacetValue is a value and how often it occurs.
type FacetValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// TracesFacets counts the values of fields among the newest matching spans.
func (db *DB) TracesFacets(ctx context.Context, w Window, q string) (*FacetsAnswer, error) {
	return db.facets(ctx, w, q, spanFields, "spans", []string{"service", "name", "toString(kind)", "toString(status)"}, []string{"service", "name", "kind", "status"})
}

// LogsFacets counts the values of fields among the newest matching records.
func (db *DB) LogsFacets(ctx context.Context, w Window, q string) (*FacetsAnswer, error) {
	severity := "multiIf(severity >= 21, 'fatal', severity >= 17, 'error', severity >= 13, 'warn', severity >= 9, 'info', severity >= 5, 'debug', severity >= 1, 'trace', 'unset')"
	return db.facets(ctx, w, q, logFields, "logs", []string{"service", severity}, []string{"service", "severity"})
}

func (db *DB) facets(ctx context.Context, w Window, q string, fields signalFields, table string, columns, names []string) (*FacetsAnswer, error) {
	a := args{}
	cond, err := db.compile(ctx, fields, q, a)
	if err != nil {
		return nil, err
	}
	within := bounds(w.From, w.To, a)
	order := map[string][]FacetValue{}
	ans := &FacetsAnswer{Facets: []Facet{}}
	err = db.each(ctx, fmt.Sprintf(`
WITH matched AS (
    SELECT arrayConcat(['%s'], attr.key) AS k, arrayConcat([%s], attr.value) AS v
    FROM %s PREWHERE %s WHERE %s LIMIT %d)
SELECT k1, v1, n, (SELECT count() FROM matched) FROM (
    SELECT k1, v1, count() AS n FROM matched ARRAY JOIN k AS k1, v AS v1 WHERE length(v1) <= 256
    GROUP BY k1, v1 ORDER BY n DESC LIMIT 12 BY k1)
ORDER BY n DESC, v1 LIMIT 2000`, join(names, "', '"), join(columns, ", "), table, within, cond, sampleRows), a, func(rows driver.Rows) error {
		var k, v string
		var n uint64
		if err := rows.Scan(&k, &v, &n, &ans.Total); err != nil {
			return err
		}
		order[k] = append(order[k], FacetValue{v, n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	ans.Sampled = ans.Total >= sampleRows
	for k, values := range order {
		ans.Facets = append(ans.Facets, Facet{k, values})
	}
	rank := func(k string) int {
		for i, n := range names {
			if k == n {
				return i
			}
		}
		return len(names)
	}
	total := func(f Facet) (n uint64) {
		for _, v := range f.Values {
			n += v.Count
		}
		return n
	}
	sort.Slice(ans.Facets, func(i, j int) bool {
		a, b := ans.Facets[i], ans.Facets[j]
		if ra, rb := rank(a.Key), rank(b.Key); ra != rb {
			return ra < rb
		}
		if ta, tb := total(a), total(b); ta != tb {
			return ta > tb
		}
		return a.Key < b.Key
	})
	if len(ans.Facets) > 30 {
		ans.Facets = ans.Facets[:30]
	}
	return ans, nil
}

func join(list []string, with string) string {
	s := ""
	for i, e := range list {
		if i > 0 {
			s += with
		}
		s += e
	}
	return s
}
