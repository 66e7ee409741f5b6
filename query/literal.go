package query

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var escapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "'", `\'`)

// literal writes a value the way ClickHouse reads a query parameter: text in the escaped form of its TSV format,
// elements of arrays quoted.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return strconv.FormatInt(v.UnixNano(), 10)
	case []string:
		q := make([]string, len(v))
		for i, s := range v {
			q[i] = "'" + escapes.Replace(s) + "'"
		}
		return "[" + strings.Join(q, ",") + "]"
	case []uint64:
		q := make([]string, len(v))
		for i, n := range v {
			q[i] = strconv.FormatUint(n, 10)
		}
		return "[" + strings.Join(q, ",") + "]"
	}
	panic(fmt.Sprintf("query: no literal for %T", v)) // a programming error
}

// id decodes a hexadecimal id of n bytes.
func id(field, s string, n int) (string, error) {
	b, err := hex.DecodeString(strings.ToLower(s))
	if err != nil || len(b) != n {
		return "", &InputError{field, fmt.Sprintf("%q is not %d hexadecimal digits", s, 2*n)}
	}
	return string(b), nil
}
