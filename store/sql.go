package store

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Formats are the output formats of Select.
var Formats = []string{"TSV", "TSVWithNames", "CSV", "CSVWithNames", "JSON", "JSONEachRow"}

// Select runs one read-only statement and writes its rows to w in a format (see Formats). The server enforces
// reading only (readonly = 2 forbids changes and DDL). ClickHouse's native protocol carries columns, not text, so
// rows are rendered here, values as ClickHouse's own formats write them.
func Select(ctx context.Context, conn driver.Conn, sql, format string, w io.Writer) error {
	out, err := newRowWriter(format, w)
	if err != nil {
		return err
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"readonly": 2}))
	rows, err := conn.Query(ctx, strings.TrimRight(strings.TrimSpace(sql), ";"))
	if err != nil {
		return fmt.Errorf("run the statement: %w", err)
	}
	defer rows.Close()
	types := rows.ColumnTypes()
	names := rows.Columns()
	values := make([]any, len(types))
	for i, t := range types {
		values[i] = reflect.New(t.ScanType()).Interface()
	}
	if err := out.begin(names, types); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		if err := out.row(names, values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the rows: %w", err)
	}
	return out.end()
}

type rowWriter interface {
	begin(names []string, types []driver.ColumnType) error
	row(names []string, values []any) error
	end() error
}

func newRowWriter(format string, w io.Writer) (rowWriter, error) {
	switch strings.ToLower(format) {
	case "tsv", "tabseparated":
		return &separated{w: w}, nil
	case "tsvwithnames", "tabseparatedwithnames":
		return &separated{w: w, names: true}, nil
	case "csv":
		return &separated{csv: csv.NewWriter(w)}, nil
	case "csvwithnames":
		return &separated{csv: csv.NewWriter(w), names: true}, nil
	case "json":
		return &jsonRows{w: w, whole: true}, nil
	case "jsoneachrow":
		return &jsonRows{w: w}, nil
	}
	return nil, fmt.Errorf("the format %q is not known: use %s", format, strings.Join(Formats, ", "))
}

// separated writes TSV, or CSV where csv is set.
type separated struct {
	w     io.Writer
	csv   *csv.Writer
	names bool
}

func (s *separated) begin(names []string, _ []driver.ColumnType) error {
	if !s.names {
		return nil
	}
	return s.line(names)
}

func (s *separated) row(_ []string, values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = text(reflect.ValueOf(v).Elem().Interface())
	}
	return s.line(cells)
}

var tsvEscapes = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")

func (s *separated) line(cells []string) error {
	if s.csv != nil {
		return s.csv.Write(cells)
	}
	for i, c := range cells {
		if c != `\N` {
			cells[i] = tsvEscapes.Replace(c)
		}
	}
	_, err := fmt.Fprintln(s.w, strings.Join(cells, "\t"))
	return err
}

func (s *separated) end() error {
	if s.csv == nil {
		return nil
	}
	s.csv.Flush()
	return s.csv.Error()
}

// text is a value as ClickHouse's text formats write it.
func text(v any) string {
	v = plain(v)
	switch v := v.(type) {
	case nil:
		return `\N`
	case string:
		return v
	case float64, float32, bool:
		b, _ := json.Marshal(number(v))
		return strings.Trim(string(b), `"`)
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map || rv.Kind() == reflect.Struct {
		b, err := json.Marshal(v)
		if err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}

// plain takes pointers off, formats times and turns fixed strings into strings.
func plain(v any) any {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return nil
		}
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil
	}
	if t, ok := rv.Interface().(time.Time); ok {
		s := t.Format("2006-01-02 15:04:05.000000000")
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if b, ok := rv.Interface().([]uint8); ok { // an Array(UInt8): encoding/json would take it for bytes
		numbers := make([]int, len(b))
		for i := range b {
			numbers[i] = int(b[i])
		}
		return numbers
	}
	return rv.Interface()
}

// number keeps NaN and infinities, which JSON has no numbers for, as the words ClickHouse uses.
func number(v any) any {
	if _, err := json.Marshal(v); err != nil {
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(v), "+"))
	}
	return v
}

// jsonRows writes {"meta":…,"data":[…],"rows":n}, or one object a line.
type jsonRows struct {
	w     io.Writer
	whole bool
	n     int
}

func (j *jsonRows) begin(names []string, types []driver.ColumnType) error {
	if !j.whole {
		return nil
	}
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	meta := make([]column, len(names))
	for i := range names {
		meta[i] = column{names[i], types[i].DatabaseTypeName()}
	}
	b, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.w, "{\"meta\":%s,\n\"data\":[", b)
	return err
}

func (j *jsonRows) row(names []string, values []any) error {
	var b strings.Builder
	if j.whole {
		if j.n > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	j.n++
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name)
		value, err := json.Marshal(number(plain(reflect.ValueOf(values[i]).Elem().Interface())))
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	if !j.whole {
		b.WriteByte('\n')
	}
	_, err := io.WriteString(j.w, b.String())
	return err
}

func (j *jsonRows) end() error {
	if !j.whole {
		return nil
	}
	_, err := fmt.Fprintf(j.w, "\n],\"rows\":%d}\n", j.n)
	return err
}
