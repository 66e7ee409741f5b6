package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/tidemarkhq/tidemark/query"
)

// wantsCSV reports whether the client asks for a table: Accept: text/csv, or format=csv for links.
func wantsCSV(r *http.Request) bool {
	return r.URL.Query().Get("format") == "csv" || strings.HasPrefix(r.Header.Get("Accept"), "text/csv")
}

// csvOf writes the first list of rows in an answer as CSV: a header of JSON names, then the plain columns.
func csvOf(answer any) ([]byte, error) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
			return csvRows(f)
		}
	}
	return nil, &query.InputError{Field: "format", Reason: "this answer is not a table: it has no CSV"}
}

func csvRows(rows reflect.Value) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	fields := plainFields(rows.Type().Elem(), nil)
	head := make([]string, len(fields))
	for i, f := range fields {
		head[i] = f.name
	}
	_ = w.Write(head)
	for i := range rows.Len() {
		line := make([]string, len(fields))
		for j, f := range fields {
			line[j] = csvValue(rows.Index(i).FieldByIndex(f.index))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

type plainField struct {
	name  string
	index []int
}

// plainFields are the columns of a row: numbers, texts and lists of texts, those of embedded structs included.
func plainFields(t reflect.Type, at []int) (out []plainField) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), at...), i)
		switch kind := f.Type.Kind(); {
		case f.Anonymous && kind == reflect.Struct:
			out = append(out, plainFields(f.Type, index)...)
		case !f.IsExported() || kind == reflect.Struct || kind == reflect.Map:
		case kind == reflect.Slice && f.Type.Elem().Kind() != reflect.String:
		case kind == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
		default:
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, plainField{name, index})
		}
	}
	return out
}

func csvValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return csvValue(v.Elem())
	case reflect.Slice:
		list, _ := v.Interface().([]string)
		return csvText(strings.Join(list, " "))
	case reflect.String:
		return csvText(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// csvText keeps spreadsheets from running what a name says.
func csvText(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
