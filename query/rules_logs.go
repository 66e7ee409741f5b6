package query

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/query/filter"
)

// RuleLogs counts the log records that match each of several searches: three statements for all of them. A count is
// known, and may be zero, while any log record comes in.
func (db *DB) RuleLogs(ctx context.Context, t RuleTicks, searches []string) ([][]RulePoint, error) {
	a := args{}
	conds, err := db.compileAll(ctx, logFields, searches, a)
	if err != nil {
		return nil, err
	}
	width, n, k := t.buckets()
	w := t.window()
	within := bounds(w.From, w.To, a)
	a["step"] = width.Nanoseconds()
	counts := make([][]uint64, len(searches))
	columns := make([]string, len(searches))
	for i, c := range conds {
		counts[i], columns[i] = make([]uint64, n), "countIf("+c+")"
	}
	row := make([]any, len(searches)+1)
	var i int64
	values := make([]uint64, len(searches))
	row[0] = &i
	for c := range values {
		row[c+1] = &values[c]
	}
	err = db.each(ctx, fmt.Sprintf(`
SELECT intDiv(toUnixTimestamp64Nano(ts) - {from:Int64}, {step:Int64}) AS i, %s
FROM logs PREWHERE %s WHERE (%s) GROUP BY i`, strings.Join(columns, ", "), within, strings.Join(conds, " OR ")), a, func(rows driver.Rows) error {
		if err := rows.Scan(row...); err != nil {
			return err
		}
		for c := range values {
			if i >= 0 && int(i) < n {
				counts[c][i] += values[c]
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	alive, err := db.ruleAlive(ctx, t, "toUnixTimestamp(ts)", "logs WHERE ts >= fromUnixTimestamp64Milli({from:Int64} * 1000) AND ts < fromUnixTimestamp64Milli({to:Int64} * 1000)")
	if err != nil {
		return nil, err
	}
	out := make([][]RulePoint, len(searches))
	for c := range searches {
		out[c] = make([]RulePoint, t.N)
		var s uint64
		for b := range n {
			s += counts[c][b]
			if b >= k {
				s -= counts[c][b-k]
			}
			if tick := b - k + 1; tick >= 0 {
				out[c][tick] = RulePoint{Value: float64(s), Sample: float64(s), Data: alive[tick]}
			}
		}
	}
	return out, nil
}

// CheckSearch says why a search of a signal (traces, logs) cannot be understood, as an InputError on q.
func (db *DB) CheckSearch(ctx context.Context, signal, search string) error {
	fields := logFields
	if signal == "traces" {
		fields = spanFields
	}
	_, err := db.compileAll(ctx, fields, []string{search}, args{})
	return err
}

// compileAll parses searches and returns their conditions, which share their parameters. What they need to know of
// attribute keys is read once for all.
func (db *DB) compileAll(ctx context.Context, fields signalFields, searches []string, a args) ([]string, error) {
	trees := make(filter.And, len(searches))
	for i, text := range searches {
		n, err := filter.Parse(text)
		if err != nil {
			var fe *filter.Error
			if errors.As(err, &fe) {
				return nil, &InputError{"q", fe.Error()}
			}
			return nil, err
		}
		trees[i] = n
	}
	known, err := db.keys(ctx, fields, trees)
	if err != nil {
		return nil, err
	}
	c, conds := &compiler{fields, a, known}, make([]string, len(searches))
	for i, n := range trees {
		if conds[i], err = c.sql(n); err != nil {
			return nil, err
		}
	}
	return conds, nil
}
