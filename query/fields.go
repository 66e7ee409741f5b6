package query

import (
	"context"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// FieldsAnswer lists what can be searched for.
type FieldsAnswer struct {
	Fields []Field `json:"fields"`
}

// Field is a key of the search language.
type Field struct {
	Key         string   `json:"key"`
	Kind        string   `json:"kind"` // builtin, attribute, resource
	Operators   []string `json:"operators"`
	Description string   `json:"description"`
}

var equality, comparisons = []string{":"}, []string{":", ">", ">=", "<", "<="}

var sharedFields = []Field{
	{"service", "builtin", equality, "Service that sent it"},
	{"env", "builtin", equality, "Deployment environment"},
	{"version", "builtin", equality, "Version of the service"},
	{"instance", "builtin", equality, "Instance of the service"},
	{"trace", "builtin", equality, "Trace id, 32 hexadecimal digits"},
	{"span", "builtin", equality, "Span id, 16 hexadecimal digits"},
	{"scope", "builtin", equality, "Instrumentation scope"},
	{"has", "builtin", equality, "An attribute that must be there"},
}

var builtinFields = map[string][]Field{
	"traces": append([]Field{
		{"name", "builtin", equality, "Name of the span"},
		{"duration", "builtin", []string{">", ">=", "<", "<="}, "How long the span took: 500ms, 2s"},
		{"status", "builtin", equality, "unset, ok or error"},
		{"kind", "builtin", equality, "server, client, internal, producer or consumer"},
		{"root", "builtin", equality, "true for spans without a parent"},
		{"event", "builtin", equality, "Name of an event of the span"},
	}, sharedFields...),
	"logs": append([]Field{
		{"severity", "builtin", comparisons, "trace, debug, info, warn, error or fatal"},
		{"body", "builtin", equality, "Text of the record"},
		{"event", "builtin", equality, "Name of the event"},
	}, sharedFields...),
	"metrics": {{"service", "builtin", equality, "Service that sent it"}},
}

var builtinValues = map[string][]string{
	"status": {"error", "ok", "unset"}, "kind": {"server", "client", "internal", "producer", "consumer"}, "root": {"true", "false"},
	"severity": {"fatal", "error", "warn", "info", "debug", "trace"},
}

// Fields lists the keys that start with, or contain, a prefix.
func (db *DB) Fields(ctx context.Context, signal, prefix string) (*FieldsAnswer, error) {
	builtin, ok := builtinFields[signal]
	if !ok {
		return nil, &InputError{"signal", "is traces, logs or metrics"}
	}
	ans := &FieldsAnswer{Fields: []Field{}}
	for _, f := range builtin {
		if strings.Contains(f.Key, strings.ToLower(prefix)) {
			ans.Fields = append(ans.Fields, f)
		}
	}
	err := db.each(ctx, `
SELECT key, max(signal = 'resource') AS r FROM attribute_values
WHERE signal IN ({signal:String}, 'resource') AND positionCaseInsensitive(key, {prefix:String}) > 0
GROUP BY key ORDER BY startsWith(key, {prefix:String}) DESC, key LIMIT 200`, args{"signal": signal, "prefix": prefix}, func(rows driver.Rows) error {
		f := Field{Kind: "attribute", Operators: comparisons}
		var resource uint8
		if err := rows.Scan(&f.Key, &resource); err != nil {
			return err
		}
		if f.Description = "Attribute"; resource == 1 {
			f.Kind, f.Operators, f.Description = "resource", equality, "Attribute of the resource"
		}
		ans.Fields = append(ans.Fields, f)
		return nil
	})
	return ans, err
}

// FieldValuesAnswer lists values of a key.
type FieldValuesAnswer struct {
	Values []KnownValue `json:"values"`
	More   bool         `json:"more"` // there are further ones, or more than are remembered
}

// KnownValue is a value; Count is known for few.
type KnownValue struct {
	Value string  `json:"value"`
	Count *uint64 `json:"count"`
}

// mostValues is how many values completion offers.
const mostValues = 50

// FieldValues lists values of a key that contain a prefix.
func (db *DB) FieldValues(ctx context.Context, w Window, signal, key, prefix string) (*FieldValuesAnswer, error) {
	if _, ok := builtinFields[signal]; !ok {
		return nil, &InputError{"signal", "is traces, logs or metrics"}
	}
	ans := &FieldValuesAnswer{Values: []KnownValue{}}
	add := func(v string, n *uint64) {
		if len(ans.Values) < mostValues {
			ans.Values = append(ans.Values, KnownValue{v, n})
		} else {
			ans.More = true
		}
	}
	if values, ok := builtinValues[key]; ok && (signal == "traces") == (key != "severity") {
		for _, v := range values {
			if strings.HasPrefix(v, strings.ToLower(prefix)) {
				add(v, nil)
			}
		}
		return ans, nil
	}
	a := args{"key": key, "prefix": prefix, "signal": signal}
	sql := `
SELECT value, toUInt64(0) FROM attribute_values WHERE signal IN ({signal:String}, 'resource') AND key = {key:String} AND positionCaseInsensitive(value, {prefix:String}) > 0
GROUP BY value ORDER BY max(last_seen) DESC, value LIMIT 51`
	if column := map[string]string{"service": "service", "name": "name", "env": "env", "version": "version", "instance": "instance"}[key]; column != "" {
		r := db.lay(w, 0, 0)
		level := "service"
		if key == "name" {
			level = "operation"
		}
		sql = "SELECT " + column + " AS v, sum(calls) AS n FROM red_" + r.Resolution + " WHERE level = '" + level + "' AND " + within(r, a) +
			" AND v != '' AND positionCaseInsensitive(v, {prefix:String}) > 0 GROUP BY v ORDER BY n DESC, v LIMIT 51"
	}
	err := db.each(ctx, sql, a, func(rows driver.Rows) error {
		var v string
		var n uint64
		if err := rows.Scan(&v, &n); err != nil {
			return err
		}
		switch {
		case v == "":
			ans.More = true
		case n > 0:
			add(v, &n)
		default:
			add(v, nil)
		}
		return nil
	})
	return ans, err
}

// Environments lists the environments seen in the last week.
func (db *DB) Environments(ctx context.Context) ([]string, error) {
	out := []string{}
	err := db.each(ctx, "SELECT DISTINCT env FROM resources WHERE env != '' AND last_seen > now() - INTERVAL 7 DAY ORDER BY env LIMIT 100", nil,
		func(rows driver.Rows) error {
			var s string
			err := rows.Scan(&s)
			out = append(out, s)
			return err
		})
	return out, err
}

// HasData answers whether anything but Tidemark's own telemetry is stored, and since when.
func (db *DB) HasData(ctx context.Context) (has bool, firstMS int64, err error) {
	err = db.each(ctx, "SELECT count() > 0, toInt64(toUnixTimestamp(min(first_seen))) * 1000 FROM resources WHERE service != 'tidemark'", nil,
		func(rows driver.Rows) error { return rows.Scan(&has, &firstMS) })
	return has, firstMS, err
}
