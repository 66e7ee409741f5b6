package query

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// OperationKey names an operation of a service.
type OperationKey struct{ Service, Name, Kind string }

// Moments are the calls of an operation in a window.
type Moments struct {
	Calls, Errors float64
	MeanLog       float64 // mean of the natural logarithm of the duration in ns
}

// OperationMoments answers the calls of operations in each of some windows, from the rollup of a minute.
func (db *DB) OperationMoments(ctx context.Context, windows []Window, operations []OperationKey, env string) ([]map[OperationKey]Moments, error) {
	out := make([]map[OperationKey]Moments, len(windows))
	for i := range out {
		out[i] = map[OperationKey]Moments{}
	}
	if len(windows) == 0 || len(operations) == 0 {
		return out, nil
	}
	a := args{}
	var columns, times, pairs []string
	for _, w := range windows {
		in := fmt.Sprintf("ts >= toDateTime(%d) AND ts < toDateTime(%d)", w.From.Unix()/60*60, (w.To.Unix()+59)/60*60)
		times = append(times, "("+in+")")
		columns = append(columns, fmt.Sprintf("sumIf(calls, %[1]s), sumIf(errors, %[1]s), sumIf(logs, %[1]s)", in))
	}
	for i, o := range operations {
		a[fmt.Sprintf("s%d", i)], a[fmt.Sprintf("n%d", i)], a[fmt.Sprintf("k%d", i)] = o.Service, o.Name, o.Kind
		pairs = append(pairs, fmt.Sprintf("(service = {s%[1]d:String} AND name = {n%[1]d:String} AND kind = {k%[1]d:String})", i))
	}
	cond := ""
	if env != "" {
		a["env"], cond = env, " AND env = {env:String}"
	}
	err := db.each(ctx, fmt.Sprintf(`
SELECT service, name, toString(kind) AS k, %s FROM (
    SELECT service, name, kind, ts, calls, errors, toFloat64(arraySum(arrayMap((b, n) -> b * n, mapKeys(duration_hist), mapValues(duration_hist)))) AS logs
    FROM red_1m WHERE level = 'operation' AND (%s) AND (%s)%s)
GROUP BY service, name, k`, strings.Join(columns, ", "), strings.Join(times, " OR "), strings.Join(pairs, " OR "), cond), a, func(rows driver.Rows) error {
		var o OperationKey
		calls, errors, logs := make([]uint64, len(windows)), make([]uint64, len(windows)), make([]float64, len(windows))
		dest := []any{&o.Service, &o.Name, &o.Kind}
		for i := range windows {
			dest = append(dest, &calls[i], &errors[i], &logs[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i := range windows {
			if calls[i] > 0 {
				out[i][o] = Moments{float64(calls[i]), float64(errors[i]), logs[i] / float64(calls[i]) * math.Ln2 / 32} // a bucket is a 32nd of an octave
			}
		}
		return nil
	})
	return out, err
}
