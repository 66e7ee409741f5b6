package ingest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// Types of an attribute's value, as stored in attr.type.
const (
	typeString = iota
	typeBool
	typeInt
	typeDouble
	typeJSON
	typeBytes
)

// anyValue is one OTLP AnyValue still lying in its message: the last of its alternatives counts.
type anyValue struct {
	kind uint8 // type… above; maps and arrays are typeJSON
	list bool  // typeJSON: an array rather than a map
	num  uint64
	raw  []byte
}

func parseValue(b []byte) (v anyValue, ok bool) {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			v = anyValue{kind: typeString, raw: r.bytes()}
		case 2<<3 | wireVarint:
			v = anyValue{kind: typeBool, num: r.uvarint()}
		case 3<<3 | wireVarint:
			v = anyValue{kind: typeInt, num: r.uvarint()}
		case 4<<3 | wireFixed64:
			v = anyValue{kind: typeDouble, num: r.fixed64()}
		case 5<<3 | wireBytes:
			v = anyValue{kind: typeJSON, list: true, raw: r.bytes()}
		case 6<<3 | wireBytes:
			v = anyValue{kind: typeJSON, raw: r.bytes()}
		case 7<<3 | wireBytes:
			v = anyValue{kind: typeBytes, raw: r.bytes()}
		default:
			r.skip(tag)
		}
	}
	return v, !r.bad
}

// appendText renders a value the way it is stored: strings as they are, numbers in decimal, arrays and maps as JSON,
// bytes in base64. Containers deeper than depth become null.
func (v anyValue) appendText(dst []byte, depth int) []byte {
	switch v.kind {
	case typeString:
		return append(dst, v.raw...)
	case typeBytes:
		return base64.StdEncoding.AppendEncode(dst, v.raw)
	case typeDouble:
		return strconv.AppendFloat(dst, math.Float64frombits(v.num), 'g', -1, 64)
	}
	return v.appendJSON(dst, depth)
}

func (v anyValue) appendJSON(dst []byte, depth int) []byte {
	switch v.kind {
	case typeBool:
		return strconv.AppendBool(dst, v.num != 0)
	case typeInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case typeDouble:
		f := math.Float64frombits(v.num)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			dst = append(dst, '"')
			dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
			return append(dst, '"')
		}
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	case typeBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.raw)
		return append(dst, '"')
	case typeJSON:
		if depth <= 0 {
			return append(dst, "null"...)
		}
		if v.list {
			return appendJSONArray(dst, v.raw, depth-1)
		}
		return appendJSONObject(dst, v.raw, depth-1)
	}
	return appendJSONString(dst, v.raw)
}

// appendJSONArray renders the content of an ArrayValue.
func appendJSONArray(dst, b []byte, depth int) []byte {
	dst = append(dst, '[')
	r := reader{b: b}
	for first := true; r.more(); {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		v, _ := parseValue(r.bytes())
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = v.appendJSON(dst, depth)
	}
	return append(dst, ']')
}

// appendJSONObject renders the content of a KeyValueList.
func appendJSONObject(dst, b []byte, depth int) []byte {
	dst = append(dst, '{')
	r := reader{b: b}
	for first := true; r.more(); {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		k, raw, _ := parseKeyValue(r.bytes())
		v, _ := parseValue(raw)
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSONString(dst, k)
		dst = append(dst, ':')
		dst = v.appendJSON(dst, depth)
	}
	return append(dst, '}')
}

func appendJSONString(dst, s []byte) []byte {
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			q, _ := json.Marshal(string(s)) // replaces invalid UTF-8
			return append(dst, unescapeHTML(q)...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// unescapeHTML undoes what encoding/json does to <, > and &, so that a string reads the same in a list as alone.
func unescapeHTML(q []byte) []byte {
	out := q[:0]
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' {
			out = append(out, q[i])
			continue
		}
		if i+5 < len(q) && q[i+1] == 'u' && q[i+2] == '0' && q[i+3] == '0' {
			switch string(q[i+4 : i+6]) {
			case "3c":
				out, i = append(out, '<'), i+5
				continue
			case "3e":
				out, i = append(out, '>'), i+5
				continue
			case "26":
				out, i = append(out, '&'), i+5
				continue
			}
		}
		out = append(out, q[i], q[i+1])
		i++
	}
	return out
}

// parseKeyValue splits a KeyValue into its key and its still encoded AnyValue.
func parseKeyValue(b []byte) (key, value []byte, ok bool) {
	if len(b) > 1 && b[0] == 1<<3|wireBytes && b[1] < 0x80 { // the usual form: a short key, then the value
		k := 2 + int(b[1])
		if k+1 < len(b) && b[k] == 2<<3|wireBytes && b[k+1] < 0x80 && k+2+int(b[k+1]) == len(b) {
			return b[2:k], b[k+2:], true
		}
	}
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			key = r.bytes()
		case 2<<3 | wireBytes:
			value = mergeValue(value, r.bytes())
		default:
			r.skip(tag)
		}
	}
	return key, value, !r.bad
}

// mergeValue is what protobuf asks for when a message field comes twice; the last alternative wins.
func mergeValue(old, new []byte) []byte {
	if len(new) == 0 {
		return old
	}
	return new
}

// checkValue walks a value to the end, so that damage deep inside is found before anything is stored.
func checkValue(b []byte, depth int) bool {
	v, ok := parseValue(b)
	if !ok {
		return false
	}
	if v.kind != typeJSON || depth <= 0 {
		return true
	}
	r := reader{b: v.raw}
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		item := r.bytes()
		if !v.list {
			if _, item, ok = parseKeyValue(item); !ok {
				return false
			}
		}
		if !checkValue(item, depth-1) {
			return false
		}
	}
	return !r.bad
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s []byte, n int) []byte {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// appendString appends s as ClickHouse's native format writes a String: its length, then its bytes.
func appendString(dst, s []byte) []byte {
	if len(s) < 0x80 {
		dst = append(dst, byte(len(s)))
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
	}
	return append(dst, s...)
}
