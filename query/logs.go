package query

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// LogsAnswer is a page of log records.
type LogsAnswer struct {
	Range       Range       `json:"range"`
	Logs        []LogRecord `json:"logs"`
	NextCursor  *string     `json:"next_cursor"`
	ScannedToMS int64       `json:"scanned_to_ms"`
	Partial     bool        `json:"partial"`
}

// LogRecord is one record.
type LogRecord struct {
	ID           string            `json:"id"` // names the record within its answer and across refreshes
	TS           string            `json:"ts_ns"`
	ObservedTS   string            `json:"observed_ts_ns"`
	Service      string            `json:"service"`
	Severity     uint8             `json:"severity"`
	SeverityText string            `json:"severity_text"`
	Body         string            `json:"body"`
	EventName    string            `json:"event_name"`
	TraceID      string            `json:"trace_id"`
	SpanID       string            `json:"span_id"`
	Scope        string            `json:"scope"`
	Attributes   []Attr            `json:"attributes"`
	Resource     map[string]string `json:"resource"`

	ts       int64
	hash     uint64
	resource uint64
}

// logHash orders records of the same nanosecond and names them.
const logHash = "cityHash64(service, body, span_id, attr.value)"

// Logs lists matching records, newest or oldest first.
func (db *DB) Logs(ctx context.Context, w Window, q, order, after string, limit int) (*LogsAnswer, error) {
	cur, err := parseCursor(after)
	if err != nil {
		return nil, err
	}
	if order != "" && order != "newest" && order != "oldest" {
		return nil, &InputError{"order", "is newest or oldest"}
	}
	limit = clamp(limit, 100, 1000)
	a := args{}
	cond, err := db.compile(ctx, logFields, q, a)
	if err != nil {
		return nil, err
	}
	ans := &LogsAnswer{Range: db.lay(w, 0, 0), Logs: []LogRecord{}, ScannedToMS: w.From.UnixMilli()}
	ans.Range.Resolution = "raw"
	if cur.TS != 0 {
		h, err := strconv.ParseUint(cur.Trace, 16, 64)
		if err != nil {
			return nil, &InputError{"cursor", "is not one that an earlier page gave"}
		}
		sign := "<"
		if order == "oldest" {
			sign = ">"
		}
		cond += fmt.Sprintf(" AND (toUnixTimestamp64Nano(ts), %s) %s ({cts:Int64}, {ch:UInt64})", logHash, sign)
		a["cts"], a["ch"] = cur.TS, h
	}
	if order == "oldest" {
		from := w.From
		if cur.TS != 0 {
			from = time.Unix(0, cur.TS)
		}
		ans.Logs, err = db.records(ctx, from, w.To, cond, a, "ts, h", limit+1)
	} else {
		err = db.newestLogs(ctx, w, cur, cond, a, limit, ans)
	}
	if err != nil {
		return nil, err
	}
	if len(ans.Logs) > limit {
		ans.Logs = ans.Logs[:limit]
		last := ans.Logs[limit-1]
		ans.NextCursor = cursor{TS: last.ts, Trace: strconv.FormatUint(last.hash, 16)}.String()
	}
	return ans, db.describeLogs(ctx, ans.Logs)
}

func (db *DB) newestLogs(ctx context.Context, w Window, cur cursor, cond string, a args, limit int, ans *LogsAnswer) error {
	to := w.To
	if cur.TS != 0 {
		to = time.Unix(0, cur.TS+1)
	}
	reached, err := lookBack(w.From, to, nil, listBudget, func(from, to time.Time) (bool, error) {
		more, err := db.records(ctx, from, to, cond, a, "ts DESC, h DESC", limit+1-len(ans.Logs))
		ans.Logs = append(ans.Logs, more...)
		return len(ans.Logs) > limit, err
	})
	if err != nil {
		return err
	}
	ans.ScannedToMS = reached.UnixMilli()
	if ans.Partial = reached.After(w.From) && len(ans.Logs) <= limit; ans.Partial {
		ans.NextCursor = cursor{TS: reached.UnixNano(), Trace: "0"}.String()
	}
	return nil
}

func (db *DB) records(ctx context.Context, from, to time.Time, cond string, a args, order string, limit int) ([]LogRecord, error) {
	a = copyArgs(a)
	within := bounds(from, to, a)
	records := []LogRecord{}
	err := db.each(ctx, fmt.Sprintf(`
SELECT toUnixTimestamp64Nano(ts) AS t, toUnixTimestamp64Nano(observed_ts), service, severity, severity_text, body, event_name,
       hex(trace_id), hex(span_id), scope, attr.key, attr.value, arrayMap(x -> toUInt16(x), attr.type), resource, %s AS h
FROM logs PREWHERE %s WHERE %s ORDER BY %s LIMIT %d`, logHash, within, cond, order, limit), a, func(rows driver.Rows) error {
		var l LogRecord
		var observed int64
		var trace, span string
		var keys, values []string
		var types []uint16
		if err := rows.Scan(&l.ts, &observed, &l.Service, &l.Severity, &l.SeverityText, &l.Body, &l.EventName, &trace, &span, &l.Scope,
			&keys, &values, &types, &l.resource, &l.hash); err != nil {
			return err
		}
		l.ID = strconv.FormatInt(l.ts, 36) + "-" + strconv.FormatUint(l.hash, 36)
		l.TS, l.ObservedTS = strconv.FormatInt(l.ts, 10), strconv.FormatInt(observed, 10)
		l.TraceID, l.SpanID = idOrNone(trace), idOrNone(span)
		l.Attributes = attrs(keys, values, types)
		records = append(records, l)
		return nil
	})
	return records, err
}

func (db *DB) describeLogs(ctx context.Context, records []LogRecord) error {
	var prints []uint64
	for _, l := range records {
		prints = append(prints, l.resource)
	}
	resources, err := db.resourcesBy(ctx, prints)
	for i := range records {
		if records[i].Resource = resources[strconv.FormatUint(records[i].resource, 16)]; records[i].Resource == nil {
			records[i].Resource = map[string]string{}
		}
	}
	return err
}

// LogHistogramAnswer counts matching records over time by severity.
type LogHistogramAnswer struct {
	Range   Range          `json:"range"`
	Series  []SeverityLine `json:"series"`
	Sampled bool           `json:"sampled"`
}

// SeverityLine is one severity's counts, a point each.
type SeverityLine struct {
	Severity string   `json:"severity"`
	Counts   []uint64 `json:"counts"`
}

var severityNames = []string{"unset", "trace", "debug", "info", "warn", "error", "fatal"}

// LogsHistogram counts matching records over time.
func (db *DB) LogsHistogram(ctx context.Context, w Window, q string) (*LogHistogramAnswer, error) {
	r := db.lay(w, 0, 90)
	r.Resolution = "raw"
	a := args{}
	cond, err := db.compile(ctx, logFields, q, a)
	if err != nil {
		return nil, err
	}
	within := bounds(time.UnixMilli(r.FromMS), time.UnixMilli(r.ToMS), a)
	a["step"] = r.StepMS * 1_000_000
	lines := map[int][]uint64{}
	err = db.each(ctx, fmt.Sprintf(`
SELECT intDiv(toUnixTimestamp64Nano(ts) - {from:Int64}, {step:Int64}) AS i, toInt64(if(severity = 0, 0, intDiv(severity - 1, 4) + 1)) AS s, count()
FROM logs PREWHERE %s WHERE %s GROUP BY i, s`, within, cond), a, func(rows driver.Rows) error {
		var i, s int64
		var n uint64
		if err := rows.Scan(&i, &s, &n); err != nil {
			return err
		}
		if i < 0 || int(i) >= r.Points() || s < 0 || int(s) >= len(severityNames) {
			return nil
		}
		if lines[int(s)] == nil {
			lines[int(s)] = make([]uint64, r.Points())
		}
		lines[int(s)][i] += n
		return nil
	})
	if err != nil {
		return nil, err
	}
	ans := &LogHistogramAnswer{Range: r, Series: []SeverityLine{}}
	for s := len(severityNames) - 1; s >= 0; s-- {
		if lines[s] != nil {
			ans.Series = append(ans.Series, SeverityLine{severityNames[s], lines[s]})
		}
	}
	return ans, nil
}
