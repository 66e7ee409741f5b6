package query

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/query/filter"
)

// signalFields is what the search language knows of a signal besides attributes: a field's name to its condition.
type signalFields struct {
	name string
	// builtin returns the condition of a term, ok = false where the key is an attribute.
	builtin func(c *compiler, t filter.Term) (sql string, ok bool, err error)
	// text returns the condition of a free word or phrase.
	text func(c *compiler, s string) string
}

// compiler turns a tree into a condition, collecting parameters.
type compiler struct {
	fields signalFields
	args   args
	known  map[string]where // attribute keys
}

// where says on what an attribute key has been seen.
type where struct{ item, resource bool }

// compile parses a search and returns its condition; "1" when it is empty.
func (db *DB) compile(ctx context.Context, fields signalFields, text string, a args) (string, error) {
	n, err := filter.Parse(text)
	if err == nil {
		known := map[string]where{}
		if known, err = db.keys(ctx, fields, n); err == nil {
			return (&compiler{fields, a, known}).sql(n)
		}
	}
	if err != nil {
		var fe *filter.Error
		if errors.As(err, &fe) {
			return "", &InputError{"q", fe.Error()}
		}
	}
	return "", err
}

// keys looks up on what the attribute keys of a search occur, so that each is looked for there only: a condition
// joined by OR would keep the index from skipping anything.
func (db *DB) keys(ctx context.Context, fields signalFields, n filter.Node) (map[string]where, error) {
	var list []string
	filter.Walk(n, func(n filter.Node) {
		if t, ok := n.(filter.Term); ok {
			list = append(list, attributeKey(t))
		}
	})
	known := map[string]where{}
	if len(list) == 0 {
		return known, nil
	}
	err := db.each(ctx, "SELECT key, max(signal != 'resource') AS i, max(signal = 'resource') AS r FROM attribute_values WHERE signal IN ({signal:String}, 'resource') AND key IN {keys:Array(String)} GROUP BY key",
		args{"signal": fields.name, "keys": list}, func(rows driver.Rows) error {
			var key string
			var item, resource uint8
			err := rows.Scan(&key, &item, &resource)
			known[key] = where{item == 1, resource == 1}
			return err
		})
	return known, err
}

func attributeKey(t filter.Term) string { return strings.TrimPrefix(t.Key, "resource.") }

// param binds a value and returns its placeholder.
func (c *compiler) param(v any, typ string) string {
	name := "f" + strconv.Itoa(len(c.args))
	c.args[name] = v
	return "{" + name + ":" + typ + "}"
}

func (c *compiler) sql(n filter.Node) (string, error) {
	switch n := n.(type) {
	case filter.And:
		return c.join(n, " AND ", "1")
	case filter.Or:
		return c.join(n, " OR ", "0")
	case filter.Not:
		s, err := c.sql(n.X)
		return "NOT " + s, err
	case filter.Text:
		return c.fields.text(c, n.Value), nil
	case filter.Term:
		s, ok, err := c.fields.builtin(c, n)
		if err == nil && !ok {
			s, err = c.attribute(n)
		}
		if err != nil {
			return "", &InputError{"q", fmt.Sprintf("at %d: %s", n.Pos, err)}
		}
		return s, nil
	}
	return "", fmt.Errorf("query: unknown node %T", n)
}

func (c *compiler) join(list []filter.Node, with, empty string) (string, error) {
	if len(list) == 0 {
		return empty, nil
	}
	parts := make([]string, len(list))
	for i, n := range list {
		s, err := c.sql(n)
		if err != nil {
			return "", err
		}
		parts[i] = s
	}
	return "(" + strings.Join(parts, with) + ")", nil
}

// attribute is the condition on an attribute of the item or of its resource. Equality on an item goes through the
// filter over its values, see the schema; resources are few and found first.
func (c *compiler) attribute(t filter.Term) (string, error) {
	name := attributeKey(t)
	key := c.param(name, "String")
	item := "`attr.value`[indexOf(`attr.key`, " + key + ")]"
	on := c.known[name]
	if name != t.Key {
		on = where{resource: true}
	}
	either := func(itemCond, resourceCond string) string {
		resourceCond = "resource IN (SELECT fingerprint FROM resources WHERE " + resourceCond + ")"
		switch {
		case on.resource && on.item:
			return "(" + itemCond + " OR " + resourceCond + ")"
		case on.resource:
			return resourceCond
		}
		return itemCond
	}
	switch {
	case t.Op == "has":
		return either("has(`attr.key`, "+key+")", "mapContains(attributes, "+key+")"), nil
	case t.Op == "=" && t.Wildcard:
		pattern := c.param(like(t.Value), "String")
		return either("("+item+" LIKE "+pattern+" AND has(`attr.key`, "+key+"))", "attributes["+key+"] LIKE "+pattern), nil
	case t.Op == "=" && t.Value == "":
		return either("(has(`attr.key`, "+key+") AND "+item+" = '')", "mapContains(attributes, "+key+") AND attributes["+key+"] = ''"), nil
	case t.Op == "=":
		value := c.param(t.Value, "String")
		return either("(has(`attr.value`, "+value+") AND "+item+" = "+value+")", "attributes["+key+"] = "+value), nil
	}
	number, err := strconv.ParseFloat(t.Value, 64)
	if err != nil {
		return "", fmt.Errorf("%q is not a number: %s compares numbers", t.Value, t.Op)
	}
	p := c.param(number, "Float64")
	return either("ifNull(toFloat64OrNull("+item+") "+t.Op+" "+p+", 0)", "ifNull(toFloat64OrNull(attributes["+key+"]) "+t.Op+" "+p+", 0)"), nil
}

// like turns a pattern with * into one for LIKE.
func like(pattern string) string {
	return strings.ReplaceAll(strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(pattern), "*", "%")
}

// column is the condition on a text column.
func (c *compiler) column(name string, t filter.Term) (string, bool, error) {
	switch {
	case t.Op == "has":
		return name + " != ''", true, nil
	case t.Op != "=":
		return "", true, fmt.Errorf("%s is text: use %s:value", t.Key, t.Key)
	case t.Wildcard:
		return name + " LIKE " + c.param(like(t.Value), "String"), true, nil
	}
	return name + " = " + c.param(t.Value, "String"), true, nil
}

// resourceColumn is the condition on a column of the item's resource.
func (c *compiler) resourceColumn(name string, t filter.Term) (string, bool, error) {
	s, ok, err := c.column(name, t)
	return "resource IN (SELECT fingerprint FROM (SELECT fingerprint, max(env) AS env, max(version) AS version, max(instance) AS instance FROM resources GROUP BY fingerprint) WHERE " + s + ")", ok, err
}

// common are the fields that traces and logs share.
func (c *compiler) common(t filter.Term) (string, bool, error) {
	switch t.Key {
	case "service", "service.name":
		return c.column("service", t)
	case "scope":
		return c.column("scope", t)
	case "env", "environment", "deployment.environment.name":
		return c.resourceColumn("env", t)
	case "version", "service.version":
		return c.resourceColumn("version", t)
	case "instance", "service.instance.id":
		return c.resourceColumn("instance", t)
	case "trace", "trace_id":
		return c.hex("trace_id", t, 16)
	case "span", "span_id":
		return c.hex("span_id", t, 8)
	}
	return "", false, nil
}

func (c *compiler) hex(column string, t filter.Term, n int) (string, bool, error) {
	if t.Op == "has" {
		return column + " != toFixedString('', " + strconv.Itoa(n) + ")", true, nil
	}
	if _, err := id(t.Key, t.Value, n); err != nil || t.Op != "=" {
		return "", true, fmt.Errorf("%s takes %d hexadecimal digits", t.Key, 2*n)
	}
	return fmt.Sprintf("%s = toFixedString(unhex(%s), %d)", column, c.param(t.Value, "String"), n), true, nil
}

// spanFields are what the language knows of spans.
var spanFields = signalFields{name: "traces",
	text: func(c *compiler, s string) string {
		return "positionCaseInsensitive(name, " + c.param(s, "String") + ") > 0"
	},
	builtin: func(c *compiler, t filter.Term) (string, bool, error) {
		switch t.Key {
		case "name", "operation":
			return c.column("name", t)
		case "kind":
			return c.enum("kind", t, kinds)
		case "status":
			return c.enum("status", t, []string{"unset", "ok", "error"})
		case "status_message":
			return c.column("status_message", t)
		case "duration":
			d, err := parseDuration(t.Value)
			if err != nil || t.Op == "has" {
				return "", true, errors.New("duration takes a length of time: duration>500ms")
			}
			return "duration_ns " + t.Op + " " + c.param(uint64(d), "UInt64"), true, nil
		case "root":
			switch {
			case t.Op == "=" && t.Value == "true":
				return "parent_span_id = toFixedString('', 8)", true, nil
			case t.Op == "=" && t.Value == "false":
				return "parent_span_id != toFixedString('', 8)", true, nil
			}
			return "", true, errors.New("root is true or false")
		case "event":
			if t.Op != "=" {
				return "", true, errors.New("use event:name")
			}
			return "has(`event.name`, " + c.param(t.Value, "String") + ")", true, nil
		}
		return c.common(t)
	},
}

func (c *compiler) enum(column string, t filter.Term, values []string) (string, bool, error) {
	v := strings.ToLower(t.Value)
	if t.Op != "=" || !contains(values, v) {
		return "", true, fmt.Errorf("%s is one of %s", t.Key, strings.Join(values, ", "))
	}
	return column + " = '" + v + "'", true, nil
}

// severities are the lowest severity numbers of each word, as OpenTelemetry defines them.
var severities = map[string]int{"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21}

// logFields are what the language knows of log records.
var logFields = signalFields{name: "logs",
	text: func(c *compiler, s string) string {
		p := c.param(s, "String")
		cond := "positionCaseInsensitiveUTF8(body, " + p + ") > 0"
		// Whole words are in the index, which skips what cannot match; the first and the last may be parts of words.
		if words := strings.FieldsFunc(strings.ToLower(s), notWord); len(words) > 2 {
			for _, w := range words[1 : len(words)-1] {
				cond = "hasToken(lower(body), " + c.param(w, "String") + ") AND " + cond
			}
		}
		return "(" + cond + ")"
	},
	builtin: func(c *compiler, t filter.Term) (string, bool, error) {
		switch t.Key {
		case "severity", "level":
			return c.severity(t)
		case "body", "message":
			if t.Op == "=" && !t.Wildcard {
				return c.fields.text(c, t.Value), true, nil
			}
			return c.column("body", t)
		case "event":
			return c.column("event_name", t)
		}
		return c.common(t)
	},
}

func notWord(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127)
}

func (c *compiler) severity(t filter.Term) (string, bool, error) {
	low, ok := severities[strings.ToLower(t.Value)]
	if !ok {
		n, err := strconv.Atoi(t.Value)
		if err != nil || n < 0 || n > 24 {
			return "", true, errors.New("severity is trace, debug, info, warn, error, fatal or a number up to 24")
		}
		return fmt.Sprintf("severity %s %d", t.Op, n), true, nil
	}
	switch t.Op {
	case "=":
		return fmt.Sprintf("severity BETWEEN %d AND %d", low, low+3), true, nil
	case ">", "<=":
		return fmt.Sprintf("severity %s %d", t.Op, low+3), true, nil
	case ">=", "<":
		return fmt.Sprintf("severity %s %d", t.Op, low), true, nil
	}
	return "severity > 0", true, nil
}

var durationUnits = regexp.MustCompile(`^([0-9.]+)(ns|us|µs|ms|s|m|h)$`)

// parseDuration reads 250us, 1.5s, 2m; a bare number is milliseconds.
func parseDuration(s string) (time.Duration, error) {
	if ms, err := strconv.ParseFloat(s, 64); err == nil && ms >= 0 {
		return time.Duration(ms * float64(time.Millisecond)), nil
	}
	if !durationUnits.MatchString(s) {
		return 0, fmt.Errorf("%q is not a length of time", s)
	}
	return time.ParseDuration(s)
}
