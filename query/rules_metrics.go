package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// RuleMetricQuestion is one number made of the series of a metric.
type RuleMetricQuestion struct {
	Name   string
	Agg    string   // auto, avg, sum, min, max, rate, count, p50, p90, p95, p99; see MetricChart
	Filter []string // key:value
}

// RuleMetricSet is what questions about metrics stand for: which series, and of what type. Series come and go: it is
// good for a minute or so.
type RuleMetricSet struct {
	questions []RuleMetricQuestion
	infos     []MetricInfo
	series    [][]uint64
	Missing   []bool // metrics that are not there (yet)
}

// Unit is the unit of an answer.
func (s *RuleMetricSet) Unit(i int) string { return metricUnit(s.infos[i], s.questions[i].Agg) }

func metricUnit(m MetricInfo, agg string) string {
	distribution := m.Type == "histogram" || m.Type == "exponential_histogram"
	switch {
	case agg == "count", agg == "rate" && distribution:
		return "/s"
	case agg == "rate":
		return strings.TrimSuffix(m.Unit, "/s") + "/s"
	}
	return m.Unit
}

// mostRuleSeries is how many series one rule may look at.
const mostRuleSeries = 20_000

// RuleMetricSeries finds the series of questions about metrics. A metric that does not exist is no error; a question
// that makes no sense for its metric is an InputError.
func (db *DB) RuleMetricSeries(ctx context.Context, questions []RuleMetricQuestion) (*RuleMetricSet, error) {
	n := len(questions)
	s := &RuleMetricSet{append([]RuleMetricQuestion(nil), questions...), make([]MetricInfo, n), make([][]uint64, n), make([]bool, n)}
	for i := range s.questions {
		q := &s.questions[i]
		m, err := db.metricType(ctx, q.Name)
		if errors.Is(err, ErrNotFound) {
			s.Missing[i] = true
			continue
		} else if err != nil {
			return nil, err
		}
		if q.Agg == "" || q.Agg == "auto" {
			q.Agg = autoAgg(m)
		}
		if strings.HasPrefix(q.Agg, "p") && m.Type != "histogram" && m.Type != "exponential_histogram" {
			return nil, &InputError{"metric.aggregation", fmt.Sprintf("%s needs a histogram, and %s is a %s", q.Agg, q.Name, m.Type)}
		}
		s.infos[i] = m
		a := args{"name": q.Name}
		sql, err := seriesSQL(MetricQuestion{Name: q.Name, Filter: q.Filter}, a)
		if err != nil {
			return nil, err
		}
		err = db.each(ctx, "SELECT fingerprint FROM ("+sql+")", a, func(rows driver.Rows) error {
			var f uint64
			err := rows.Scan(&f)
			s.series[i] = append(s.series[i], f)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(s.series[i]) > mostRuleSeries {
			return nil, &InputError{"metric.filter", fmt.Sprintf("selects %d series of %s; a rule looks at %d at most", len(s.series[i]), q.Name, mostRuleSeries)}
		}
	}
	return s, nil
}

// across adds up the series of one question at one tick.
type across struct {
	series, points, sum, last, means float64
	low, high, increase              float64
}

// RuleMetrics answers the questions of a set: one statement for all plain metrics, and one for each histogram.
func (db *DB) RuleMetrics(ctx context.Context, t RuleTicks, s *RuleMetricSet) ([][]RulePoint, error) {
	out := make([][]RulePoint, len(s.questions))
	plain := map[uint64][]int{} // series → the questions it is part of
	names := []string{}
	for i, q := range s.questions {
		out[i] = make([]RulePoint, t.N)
		m := s.infos[i]
		if m.Type == "histogram" || m.Type == "exponential_histogram" {
			if err := db.ruleDistribution(ctx, t, s, i, out[i]); err != nil {
				return nil, err
			}
			continue
		}
		for _, f := range s.series[i] {
			plain[f] = append(plain[f], i)
		}
		names = append(names, q.Name)
	}
	if len(plain) == 0 {
		return out, nil
	}
	cells := map[int][]across{}
	err := db.ruleSamples(ctx, t, names, plain, func(q, tick int, one across) {
		if cells[q] == nil {
			cells[q] = make([]across, t.N)
		}
		cells[q][tick].add(one)
	})
	if err != nil {
		return nil, err
	}
	for q, ticks := range cells {
		for i := range ticks {
			out[q][i] = ticks[i].point(s.questions[q].Agg, s.infos[q], t.Window)
		}
	}
	return out, nil
}

func (c *across) add(o across) {
	if c.series == 0 {
		c.low, c.high = o.low, o.high
	}
	c.series++
	c.points += o.points
	c.sum += o.sum
	c.last += o.last
	c.means += o.sum / o.points
	c.increase += o.increase
	c.low, c.high = min(c.low, o.low), max(c.high, o.high)
}

func (c *across) point(agg string, m MetricInfo, window time.Duration) RulePoint {
	if c.series == 0 {
		return RulePoint{}
	}
	p := RulePoint{Sample: c.points, Data: true}
	switch {
	case agg == "avg":
		p.Value = c.means / c.series
	case agg == "min":
		p.Value = c.low
	case agg == "max":
		p.Value = c.high
	case agg == "count":
		p.Value = c.points / window.Seconds()
	case agg == "rate" && m.Temporality == "delta":
		p.Value = c.sum / window.Seconds()
	case agg == "rate":
		p.Value = c.increase / window.Seconds()
	case agg == "sum" && m.Temporality == "delta":
		p.Value = c.sum
	default:
		p.Value = c.last
	}
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		return RulePoint{}
	}
	return p
}

// ruleSamples reads every series at every tick. An increase counts a fall as a restart from zero and belongs to the
// later point.
func (db *DB) ruleSamples(ctx context.Context, t RuleTicks, names []string, plain map[uint64][]int, each func(question, tick int, one across)) error {
	width, _, k := t.buckets()
	w := t.window()
	series := make([]uint64, 0, len(plain))
	for f := range plain {
		series = append(series, f)
	}
	return db.each(ctx, `
SELECT series, toInt64(j), toFloat64(sum(n)), sum(s), min(lo), max(hi), argMax(l, b), sum(inc) FROM (
  SELECT series, b, n, s, lo, hi, l, inc, arrayJoin(range(toUInt64(greatest(b - {k:Int64} + 1, 0)), toUInt64(least(b, {n:Int64} - 1) + 1))) AS j FROM (
    SELECT series, toInt64(intDiv(toUnixTimestamp64Milli(ts) - {from:Int64}, {step:Int64})) AS b,
           count() AS n, sum(value) AS s, min(value) AS lo, max(value) AS hi, argMax(value, ts) AS l, sum(multiIf(nth = 1, 0, value < before, value, value - before)) AS inc
    FROM (SELECT series, ts, value, lagInFrame(value) OVER w AS before, row_number() OVER w AS nth FROM metric_samples
          WHERE name IN {names:Array(String)} AND series IN {series:Array(UInt64)} AND bitAnd(flags, 1) = 0
            AND ts >= fromUnixTimestamp64Milli({from:Int64} - 600000) AND ts < fromUnixTimestamp64Milli({to:Int64})
          WINDOW w AS (PARTITION BY series ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))
    WHERE ts >= fromUnixTimestamp64Milli({from:Int64}) GROUP BY series, b))
GROUP BY series, j`, args{"from": w.From.UnixMilli(), "to": w.To.UnixMilli(), "step": width.Milliseconds(), "k": k, "n": t.N, "names": names, "series": series},
		func(rows driver.Rows) error {
			var f uint64
			var j int64
			var c across
			if err := rows.Scan(&f, &j, &c.points, &c.sum, &c.low, &c.high, &c.last, &c.increase); err != nil {
				return err
			}
			for _, q := range plain[f] {
				if j >= 0 && int(j) < t.N {
					each(q, int(j), c)
				}
			}
			return nil
		})
}

// ruleDistribution answers one question about a histogram: counts are merged across series, cumulative ones after
// taking the increase since the point before.
func (db *DB) ruleDistribution(ctx context.Context, t RuleTicks, s *RuleMetricSet, question int, out []RulePoint) error {
	width, n, k := t.buckets()
	w := t.window()
	steps := make([]merger, n)
	read := 0
	before, cumulative := map[uint64]shape{}, s.infos[question].Temporality != "delta"
	a := args{"name": s.questions[question].Name, "series": s.series[question], "from": w.From.UnixMilli(), "to": w.To.UnixMilli(), "back": int64(600_000)}
	err := db.each(ctx, `
SELECT series, toUnixTimestamp64Milli(ts) AS t, `+shapeColumns+`
FROM metric_distributions WHERE `+metricBounds+` AND series IN {series:Array(UInt64)} ORDER BY series, ts LIMIT 500000`, a, func(rows driver.Rows) error {
		if read++; read == 500_000 {
			return &InputError{"metric.filter", "selects more points than one rule may read: choose fewer series or a shorter range"}
		}
		var f uint64
		var at int64
		var row shapeRow
		if err := rows.Scan(append([]any{&f, &at}, row.fields()...)...); err != nil {
			return err
		}
		p := row.shape()
		add := p
		if cumulative {
			last, ok := before[f]
			if before[f] = p; !ok {
				return nil
			}
			add = p.since(last)
		}
		if i := (at - w.From.UnixMilli()) / width.Milliseconds(); at >= w.From.UnixMilli() && int(i) < n {
			steps[i].add(add)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for tick := range out {
		var m merger
		for b := tick; b < tick+k; b++ {
			m.join(&steps[b])
		}
		if v := m.value(s.questions[question].Agg, t.Window.Seconds()); m.any && v != nil {
			out[tick] = RulePoint{Value: *v, Sample: m.count, Data: true}
		}
	}
	return nil
}

// join adds what another has merged.
func (m *merger) join(o *merger) {
	if !o.any {
		return
	}
	if m.buckets == nil {
		m.buckets = map[[2]float64]float64{}
		m.min, m.max = math.Inf(1), math.Inf(-1)
	}
	m.any = true
	m.count += o.count
	m.sum += o.sum
	m.min, m.max = min(m.min, o.min), max(m.max, o.max)
	for b, n := range o.buckets {
		m.buckets[b] += n
	}
}
