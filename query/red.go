package query

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
)

// Red is rate, errors and latency over a whole range.
type Red struct {
	Calls      uint64   `json:"calls"`
	Rate       float64  `json:"rate"` // per second
	Errors     uint64   `json:"errors"`
	ErrorRatio float64  `json:"error_ratio"`
	P50        *float64 `json:"p50_ns"`
	P95        *float64 `json:"p95_ns"`
	P99        *float64 `json:"p99_ns"`
	Max        *float64 `json:"max_ns"`
}

// Selection says which calls are meant. Empty fields select everything; naming an operation or kind counts single
// operations, else a service's entry spans are counted.
type Selection struct {
	Service, Operation, Kind, Env, Version, Instance string
}

// RedSeries is one line of a chart.
type RedSeries struct {
	Key        string     `json:"key"`
	Rate       []*float64 `json:"rate"`
	ErrorRatio []*float64 `json:"error_ratio"`
	P50        []*float64 `json:"p50_ns"`
	P95        []*float64 `json:"p95_ns"`
	P99        []*float64 `json:"p99_ns"`
	Total      Red        `json:"total"`
}

// RedAnswer is RED over time.
type RedAnswer struct {
	Range  Range       `json:"range"`
	Series []RedSeries `json:"series"`
}

// mostSeries bounds the lines of one chart.
const mostSeries = 50

var kinds = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}

// groups are the columns a chart can be split by.
var groups = map[string]string{"": "''", "none": "''", "service": "service", "operation": "name", "version": "version", "instance": "instance"}

// where is the condition of a selection over a rollup, and its parameters.
func (s Selection) where(by string) (string, args, error) {
	level := "service"
	if s.Operation != "" || s.Kind != "" || by == "operation" {
		level = "operation"
	}
	if s.Kind != "" && !contains(kinds, s.Kind) {
		return "", nil, &InputError{"kind", fmt.Sprintf("%q is not a span kind", s.Kind)}
	}
	if level == "operation" && (s.Instance != "" || by == "instance") {
		return "", nil, &InputError{"instance", "operations are not counted by instance"}
	}
	cond, a := []string{"level = '" + level + "'"}, args{}
	for _, f := range []struct{ column, value string }{{"service", s.Service}, {"name", s.Operation}, {"kind", s.Kind},
		{"env", s.Env}, {"version", s.Version}, {"instance", s.Instance}} {
		if f.value != "" {
			cond = append(cond, f.column+" = {"+f.column+":String}")
			a[f.column] = f.value
		}
	}
	return strings.Join(cond, " AND "), a, nil
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// within is the condition that keeps a rollup's rows to a range.
func within(r Range, a args) string {
	a["from"], a["to"] = r.FromMS/1000, r.ToMS/1000
	return "ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})"
}

// cell is one key's numbers in one step.
type cell struct {
	key           string
	i             int
	calls, errors uint64
	max           uint64
	buckets       []int16
	counts        []uint64
}

// cells reads a selection by key and step.
func (db *DB) cells(ctx context.Context, r Range, s Selection, by string, each func(cell)) error {
	column, ok := groups[by]
	if !ok {
		return &InputError{"by", fmt.Sprintf("%q is not one of none, service, operation, version, instance", by)}
	}
	cond, a, err := s.where(by)
	if err != nil {
		return err
	}
	cond += " AND " + within(r, a)
	a["step"] = r.StepMS / 1000
	top := ""
	if column != "''" {
		top = fmt.Sprintf(" AND %[1]s IN (SELECT %[1]s FROM red_%[2]s WHERE %[3]s GROUP BY %[1]s ORDER BY sum(calls) DESC, %[1]s LIMIT %[4]d)", column, r.Resolution, cond, mostSeries)
	}
	sql := fmt.Sprintf(`
SELECT %s AS key, toInt64(intDiv(toUnixTimestamp(ts) - {from:Int64}, {step:Int64})) AS i,
       sum(calls), sum(errors), max(duration_max), sumMap(duration_hist) AS h, mapKeys(h), mapValues(h)
FROM red_%s WHERE %s%s
GROUP BY key, i ORDER BY key, i`, column, r.Resolution, cond, top)
	sql = strings.Replace(sql, "sumMap(duration_hist) AS h, mapKeys(h), mapValues(h)", "mapKeys(sumMap(duration_hist) AS h), mapValues(h)", 1)
	n := r.Points()
	return db.each(ctx, sql, a, func(rows driver.Rows) error {
		var c cell
		var i int64
		if err := rows.Scan(&c.key, &i, &c.calls, &c.errors, &c.max, &c.buckets, &c.counts); err != nil {
			return err
		}
		if c.i = int(i); c.i >= 0 && c.i < n {
			each(c)
		}
		return nil
	})
}

// Red answers RED over time for a selection, split by a column. step 0 chooses one.
func (db *DB) Red(ctx context.Context, w Window, s Selection, by string, step time.Duration) (*RedAnswer, error) {
	r := db.lay(w, step, 0)
	ans := &RedAnswer{Range: r, Series: []RedSeries{}}
	var totals []*total
	err := db.cells(ctx, r, s, by, func(c cell) {
		if n := len(ans.Series); n == 0 || ans.Series[n-1].Key != c.key {
			ans.Series = append(ans.Series, emptySeries(c.key, r.Points()))
			totals = append(totals, new(total))
		}
		line := &ans.Series[len(ans.Series)-1]
		rate, ratio := float64(c.calls)/r.seconds(), ratioOf(c.errors, c.calls)
		line.Rate[c.i], line.ErrorRatio[c.i] = &rate, &ratio
		q := quantiles(c.buckets, c.counts, .5, .95, .99)
		line.P50[c.i], line.P95[c.i], line.P99[c.i] = q[0], q[1], q[2]
		totals[len(totals)-1].add(c)
	})
	if err != nil {
		return nil, err
	}
	seconds := db.seconds(w)
	for i := range ans.Series {
		ans.Series[i].Total = totals[i].red(seconds)
		// Nothing arrived in a step that is over and lies between two that have data: the rate was zero, not unknown.
		fillZero(ans.Series[i].Rate)
	}
	sort.SliceStable(ans.Series, func(a, b int) bool { return ans.Series[a].Total.Calls > ans.Series[b].Total.Calls })
	return ans, nil
}

// seconds is how long a window has lasted so far.
func (db *DB) seconds(w Window) float64 {
	to := w.To
	if now := db.o.Now(); now.Before(to) {
		to = now
	}
	return max(1, to.Sub(w.From).Seconds())
}

func emptySeries(key string, n int) RedSeries {
	return RedSeries{Key: key, Rate: make([]*float64, n), ErrorRatio: make([]*float64, n), P50: make([]*float64, n), P95: make([]*float64, n), P99: make([]*float64, n)}
}

// fillZero turns gaps between the first and the last known value into zeros.
func fillZero(v []*float64) {
	first, last := -1, -1
	for i := range v {
		if v[i] != nil {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return
	}
	for i := first; i < last; i++ {
		if v[i] == nil {
			v[i] = new(float64)
		}
	}
}

func ratioOf(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// total merges cells.
type total struct {
	calls, errors, max uint64
	hist               []uint64 // by bucket; as long as the greatest bucket needs
}

func (t *total) add(c cell) {
	t.calls += c.calls
	t.errors += c.errors
	t.max = max(t.max, c.max)
	if n := len(c.buckets); n > 0 { // ascending
		if need := int(c.buckets[n-1]) + 1; need > len(t.hist) {
			t.hist = append(t.hist, make([]uint64, need-len(t.hist))...)
		}
	}
	for i, b := range c.buckets {
		if b >= 0 {
			t.hist[b] += c.counts[i]
		}
	}
}

// buckets are the histogram's buckets that hold anything, ascending, and their counts.
func (t *total) buckets() (buckets []int16, counts []uint64) {
	for b, n := range t.hist {
		if n > 0 {
			buckets, counts = append(buckets, int16(b)), append(counts, n)
		}
	}
	return buckets, counts
}

func (t *total) red(seconds float64) Red {
	r := Red{Calls: t.calls, Rate: float64(t.calls) / seconds, Errors: t.errors, ErrorRatio: ratioOf(t.errors, t.calls)}
	if t.calls == 0 {
		return r
	}
	buckets, counts := t.buckets()
	q := quantiles(buckets, counts, .5, .95, .99)
	r.P50, r.P95, r.P99 = q[0], q[1], q[2]
	r.Max = finite(float64(t.max))
	return r
}

// quantiles reads quantiles, in nanoseconds, from a histogram with ascending buckets; nil where it is empty. Each is
// within 1.1 % of the value of that rank (see store.LatencyValue).
func quantiles(buckets []int16, counts []uint64, qs ...float64) []*float64 {
	out := make([]*float64, len(qs))
	var n uint64
	for _, c := range counts {
		n += c
	}
	if n == 0 {
		return out
	}
	for k, q := range qs {
		rank := uint64(q * float64(n-1))
		var seen uint64
		for i, c := range counts {
			if seen += c; seen > rank {
				v := store.LatencyValue(buckets[i])
				out[k] = &v
				break
			}
		}
	}
	return out
}
