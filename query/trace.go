package query

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
)

// TraceAnswer is one trace.
type TraceAnswer struct {
	TraceID   string                       `json:"trace_id"`
	Start     string                       `json:"start_ns"`
	End       string                       `json:"end_ns"`
	Spans     []Span                       `json:"spans"`
	Services  []string                     `json:"services"`
	Truncated bool                         `json:"truncated"`
	Resources map[string]map[string]string `json:"resources"` // by fingerprint
	NowMS     int64                        `json:"now_ms"`
}

// Span is one span.
type Span struct {
	SpanID        string      `json:"span_id"`
	ParentSpanID  string      `json:"parent_span_id"`
	TS            string      `json:"ts_ns"`
	DurationNS    uint64      `json:"duration_ns"`
	Service       string      `json:"service"`
	Name          string      `json:"name"`
	Kind          string      `json:"kind"`
	Status        string      `json:"status"`
	StatusMessage string      `json:"status_message"`
	Scope         string      `json:"scope"`
	Resource      string      `json:"resource"`
	Attributes    []Attr      `json:"attributes"`
	Events        []SpanEvent `json:"events"`
	Links         []SpanLink  `json:"links"`
	Dropped       Dropped     `json:"dropped"`
}

// Attr is one attribute with its type's name.
type Attr struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Type  string `json:"type"`
}

// SpanEvent is something that happened within a span.
type SpanEvent struct {
	TS         string         `json:"ts_ns"`
	Name       string         `json:"name"`
	Attributes map[string]any `json:"attributes"`
}

// SpanLink points at another span.
type SpanLink struct {
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	Attributes map[string]any `json:"attributes"`
}

// Dropped counts what the sender or our limits left out.
type Dropped struct {
	Attributes uint32 `json:"attributes"`
	Events     uint32 `json:"events"`
	Links      uint32 `json:"links"`
}

// mostSpans bounds one trace's answer.
const mostSpans = 20_000

var attrTypes = []string{"string", "bool", "int", "double", "json", "bytes"}

// Trace answers one trace by its id; ErrNotFound when nothing of it is stored.
func (db *DB) Trace(ctx context.Context, traceID string) (*TraceAnswer, error) {
	if _, err := id("trace_id", traceID, 16); err != nil {
		return nil, err
	}
	var found uint64
	var start, end int64
	err := db.each(ctx, `
SELECT count(), toUnixTimestamp64Nano(min(start)), toUnixTimestamp64Nano(max(end))
FROM trace_index WHERE trace_id = toFixedString(unhex({id:String}), 16)`, args{"id": traceID}, func(rows driver.Rows) error {
		return rows.Scan(&found, &start, &end)
	})
	if err != nil {
		return nil, err
	}
	if found == 0 {
		return nil, fmt.Errorf("trace %s: %w", traceID, ErrNotFound)
	}
	ans := &TraceAnswer{TraceID: lower(traceID), Spans: []Span{}, Services: []string{}, Resources: map[string]map[string]string{}, NowMS: db.o.Now().UnixMilli()}
	a := args{"id": traceID}
	within := bounds(time.Unix(0, start), time.Unix(0, end+1), a)
	var resources []uint64
	first, last := int64(0), int64(0)
	err = db.each(ctx, fmt.Sprintf(`
SELECT hex(span_id), hex(parent_span_id), toUnixTimestamp64Nano(ts), duration_ns, service, name, toString(kind), toString(status), status_message, scope, resource,
       attr.key, attr.value, arrayMap(x -> toUInt16(x), attr.type),
       arrayMap(x -> toUnixTimestamp64Nano(x), event.ts), event.name, event.attributes,
       arrayMap(x -> hex(x), link.trace_id), arrayMap(x -> hex(x), link.span_id), link.attributes,
       dropped_attributes, dropped_events, dropped_links
FROM spans PREWHERE trace_id = toFixedString(unhex({id:String}), 16) AND %s
ORDER BY ts, duration_ns DESC LIMIT 1 BY span_id LIMIT %d`, within, mostSpans+1), a, func(rows driver.Rows) error {
		var s Span
		var ts int64
		var resource uint64
		var keys, values, names, eventAttrs, linkTraces, linkSpans, linkAttrs []string
		var types []uint16
		var times []int64
		if err := rows.Scan(&s.SpanID, &s.ParentSpanID, &ts, &s.DurationNS, &s.Service, &s.Name, &s.Kind, &s.Status, &s.StatusMessage, &s.Scope, &resource,
			&keys, &values, &types, &times, &names, &eventAttrs, &linkTraces, &linkSpans, &linkAttrs, &s.Dropped.Attributes, &s.Dropped.Events, &s.Dropped.Links); err != nil {
			return err
		}
		s.SpanID, s.ParentSpanID, s.TS = lower(s.SpanID), idOrNone(s.ParentSpanID), strconv.FormatInt(ts, 10)
		s.Resource = strconv.FormatUint(resource, 16)
		s.Attributes = attrs(keys, values, types)
		s.Events, s.Links = []SpanEvent{}, []SpanLink{}
		for i := range names {
			s.Events = append(s.Events, SpanEvent{strconv.FormatInt(times[i], 10), names[i], object(eventAttrs[i])})
		}
		for i := range linkTraces {
			s.Links = append(s.Links, SpanLink{lower(linkTraces[i]), lower(linkSpans[i]), object(linkAttrs[i])})
		}
		if first == 0 || ts < first {
			first = ts
		}
		last = max(last, ts+int64(s.DurationNS))
		resources = append(resources, resource)
		ans.Spans, ans.Services = append(ans.Spans, s), append(ans.Services, s.Service)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(ans.Spans) == 0 {
		return nil, fmt.Errorf("trace %s: its spans are no longer kept: %w", traceID, ErrNotFound)
	}
	if len(ans.Spans) > mostSpans {
		ans.Spans, ans.Truncated = ans.Spans[:mostSpans], true
	}
	ans.Services = unique(ans.Services)
	ans.Start, ans.End = strconv.FormatInt(first, 10), strconv.FormatInt(last, 10)
	ans.Resources, err = db.resourcesBy(ctx, resources)
	return ans, err
}

// resourcesBy reads resources' attributes by fingerprint in hexadecimal.
func (db *DB) resourcesBy(ctx context.Context, fingerprints []uint64) (map[string]map[string]string, error) {
	seen, list := map[uint64]bool{}, []uint64{}
	for _, f := range fingerprints {
		if !seen[f] {
			seen[f] = true
			list = append(list, f)
		}
	}
	out := map[string]map[string]string{}
	if len(list) == 0 {
		return out, nil
	}
	err := db.each(ctx, "SELECT fingerprint, anyLast(attributes) FROM resources WHERE fingerprint IN {list:Array(UInt64)} GROUP BY fingerprint", args{"list": list},
		func(rows driver.Rows) error {
			var f uint64
			var attributes map[string]string
			if err := rows.Scan(&f, &attributes); err != nil {
				return err
			}
			out[strconv.FormatUint(f, 16)] = attributes
			return nil
		})
	return out, err
}

func attrs(keys, values []string, types []uint16) []Attr {
	out := make([]Attr, len(keys))
	for i := range keys {
		typ := "string"
		if i < len(types) && int(types[i]) < len(attrTypes) {
			typ = attrTypes[types[i]]
		}
		out[i] = Attr{keys[i], values[i], typ}
	}
	return out
}

// object reads a JSON object that ingest wrote; what cannot be read is shown as it is.
func object(s string) map[string]any {
	out := map[string]any{}
	if s == "" {
		return out
	}
	if err := json.Unmarshal([]byte(s), &out); err != nil {
		return map[string]any{"attributes": s}
	}
	return out
}

// UsualAnswer is where a duration stands among the same operation's of the last 24 hours.
type UsualAnswer struct {
	Count      uint64   `json:"count"`
	Percentile *float64 `json:"percentile"` // 0..100: that share was quicker
	P50        *float64 `json:"p50_ns"`
	P95        *float64 `json:"p95_ns"`
	P99        *float64 `json:"p99_ns"`
}

// Usual answers where a duration stands among its kind.
func (db *DB) Usual(ctx context.Context, service, name, kind, env string, durationNS uint64) (*UsualAnswer, error) {
	now := db.o.Now()
	r := db.lay(Window{now.Add(-24 * time.Hour), now}, 0, 24)
	cond, a, err := Selection{Service: service, Operation: name, Kind: kind, Env: env}.where("operation")
	if err != nil {
		return nil, err
	}
	cond += " AND " + within(r, a)
	var c cell
	err = db.each(ctx, fmt.Sprintf("SELECT sum(calls), mapKeys(sumMap(duration_hist) AS h), mapValues(h) FROM red_%s WHERE %s", r.Resolution, cond), a,
		func(rows driver.Rows) error { return rows.Scan(&c.calls, &c.buckets, &c.counts) })
	if err != nil {
		return nil, err
	}
	q := quantiles(c.buckets, c.counts, .5, .95, .99)
	ans := &UsualAnswer{Count: c.calls, P50: q[0], P95: q[1], P99: q[2]}
	if c.calls > 0 {
		var below float64
		own := store.LatencyBucket(durationNS)
		for i, b := range c.buckets {
			switch {
			case b < own:
				below += float64(c.counts[i])
			case b == own:
				below += float64(c.counts[i]) / 2
			}
		}
		ans.Percentile = finite(100 * below / float64(c.calls))
	}
	return ans, nil
}

// ErrorsAnswer groups a service's failures.
type ErrorsAnswer struct {
	Range     Range        `json:"range"`
	Groups    []ErrorGroup `json:"groups"`
	Truncated bool         `json:"truncated"`
}

// ErrorGroup is one kind of failure with its newest example.
type ErrorGroup struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Operation string `json:"operation"`
	Count     uint64 `json:"count"`
	Seen
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

// mostErrors bounds how many failed spans are looked at, the newest first.
const mostErrors = 200_000

// Errors groups a service's failed spans by exception type, message without numbers and ids, and operation.
func (db *DB) Errors(ctx context.Context, w Window, service, env string) (*ErrorsAnswer, error) {
	a := args{"service": service}
	cond := "service = {service:String} AND status = 'error'"
	if env != "" {
		a["env"] = env
		cond += " AND resource IN (SELECT fingerprint FROM resources WHERE env = {env:String})"
	}
	ans := &ErrorsAnswer{Range: db.lay(w, 0, 0), Groups: []ErrorGroup{}}
	ans.Range.Resolution = "raw"
	within := bounds(w.From, w.To, a)
	var all uint64
	err := db.each(ctx, fmt.Sprintf(`
WITH failed AS (
    SELECT ts, trace_id, span_id, name,
           indexOf(event.name, 'exception') AS e,
           if(e > 0, JSONExtractString(event.attributes[e], 'exception.type'), attr.value[indexOf(attr.key, 'error.type')]) AS type,
           if(e > 0, JSONExtractString(event.attributes[e], 'exception.message'), status_message) AS message
    FROM spans PREWHERE %s WHERE %s LIMIT %d)
SELECT type, substring(replaceRegexpAll(message, '[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|[0-9a-f]{16,}|[0-9]+', '#'), 1, 300) AS text, name,
       count() AS n, toUnixTimestamp64Milli(toDateTime64(min(ts), 3)), toUnixTimestamp64Milli(toDateTime64(max(ts), 3)), argMax(hex(trace_id), ts), argMax(hex(span_id), ts),
       (SELECT count() FROM failed)
FROM failed GROUP BY type, text, name ORDER BY n DESC LIMIT 200`, within, cond, mostErrors), a, func(rows driver.Rows) error {
		var g ErrorGroup
		if err := rows.Scan(&g.Type, &g.Message, &g.Operation, &g.Count, &g.FirstSeenMS, &g.LastSeenMS, &g.TraceID, &g.SpanID, &all); err != nil {
			return err
		}
		g.TraceID, g.SpanID = lower(g.TraceID), lower(g.SpanID)
		ans.Groups = append(ans.Groups, g)
		return nil
	})
	ans.Truncated = all >= mostErrors || len(ans.Groups) == 200
	return ans, err
}

// CompareAnswer says what is commoner among selected spans than among the rest.
type CompareAnswer struct {
	Selected uint64       `json:"selected"`
	Baseline uint64       `json:"baseline"`
	Rows     []CompareRow `json:"rows"`
}

// CompareRow is one value and its share on both sides.
type CompareRow struct {
	Key           string  `json:"key"`
	Value         string  `json:"value"`
	SelectedShare float64 `json:"selected_share"`
	BaselineShare float64 `json:"baseline_share"`
	Score         float64 `json:"score"`
}

// compareRows is how many spans of each side are looked at.
const compareRows = 20_000

// Compare answers which values set the matching spans within a rectangle of time and duration apart from the other
// matching spans of the window. The score is the difference of the shares, weighted by how much it is beyond chance.
func (db *DB) Compare(ctx context.Context, w, selected Window, q string, minNS, maxNS uint64) (*CompareAnswer, error) {
	a := args{}
	cond, err := db.compile(ctx, spanFields, q, a)
	if err != nil {
		return nil, err
	}
	within := bounds(w.From, w.To, a)
	a["sf"], a["st"], a["min"], a["max"] = selected.From, selected.To, minNS, maxNS
	ans := &CompareAnswer{Rows: []CompareRow{}}
	err = db.each(ctx, fmt.Sprintf(`
WITH ts >= fromUnixTimestamp64Nano({sf:Int64}) AND ts < fromUnixTimestamp64Nano({st:Int64}) AND duration_ns BETWEEN {min:UInt64} AND {max:UInt64} AS inside,
picked AS (
    SELECT inside AS s, resource, arrayConcat(['service', 'name', 'kind', 'status'], attr.key) AS k, arrayConcat([service, name, toString(kind), toString(status)], attr.value) AS v
    FROM spans PREWHERE %[1]s WHERE %[2]s ORDER BY sipHash64(span_id) LIMIT %[3]d BY inside),
widened AS (
    SELECT s, arrayConcat(k, ['version', 'instance', 'env']) AS k, arrayConcat(v, [r.version, r.instance, r.env]) AS v
    FROM picked LEFT JOIN (SELECT fingerprint, max(version) AS version, max(instance) AS instance, max(env) AS env FROM resources GROUP BY fingerprint) AS r ON picked.resource = r.fingerprint)
SELECT k1, v1, countIf(s) AS inside_n, countIf(NOT s) AS outside_n, (SELECT countIf(s) FROM picked), (SELECT countIf(NOT s) FROM picked)
FROM widened ARRAY JOIN k AS k1, v AS v1 WHERE v1 != '' AND length(v1) <= 256
GROUP BY k1, v1 HAVING inside_n + outside_n >= 3 ORDER BY inside_n DESC LIMIT 5000`, within, cond, compareRows), a, func(rows driver.Rows) error {
		var row CompareRow
		var in, out uint64
		if err := rows.Scan(&row.Key, &row.Value, &in, &out, &ans.Selected, &ans.Baseline); err != nil {
			return err
		}
		row.SelectedShare, row.BaselineShare = ratioOf(in, ans.Selected), ratioOf(out, ans.Baseline)
		row.Score = row.SelectedShare - row.BaselineShare
		ans.Rows = append(ans.Rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sort.SliceStable(ans.Rows, func(i, j int) bool { return abs(ans.Rows[i].Score) > abs(ans.Rows[j].Score) })
	kept := ans.Rows[:0]
	for _, r := range ans.Rows {
		if abs(r.Score) >= 0.05 && len(kept) < 50 {
			kept = append(kept, r)
		}
	}
	ans.Rows = kept
	return ans, nil
}

func abs(f float64) float64 {
	if f < 0 {
		return -f
	}
	return f
}

// idOrNone writes an id in lower case; empty when it is all zeros, which means none.
func idOrNone(hexID string) string {
	if strings.Trim(hexID, "0") == "" {
		return ""
	}
	return strings.ToLower(hexID)
}
