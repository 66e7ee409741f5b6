package query

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
)

// RuleTicks are the moments at which rules look at the past: N ticks, Step apart, the first at First. At each, a rule
// sees the Window before it. Window is a multiple of Step, which is one of a rollup (10 s, 1 m, 1 h); ticks lie on it.
type RuleTicks struct {
	First  time.Time
	Step   time.Duration
	N      int
	Window time.Duration
}

// At is the moment of tick i.
func (t RuleTicks) At(i int) time.Time { return t.First.Add(time.Duration(i) * t.Step) }

// window is all that the ticks look at.
func (t RuleTicks) window() Window {
	return Window{t.First.Add(-t.Window), t.At(t.N - 1)}
}

// k is how many steps a window has.
func (t RuleTicks) k() int { return int(t.Window / t.Step) }

// buckets are the steps that all windows have together. A single tick needs one only, as wide as its window.
func (t RuleTicks) buckets() (width time.Duration, n, k int) {
	if t.N == 1 {
		return t.Window, 1, 1
	}
	return t.Step, t.N + t.k() - 1, t.k()
}

// table is the rollup that serves the ticks.
func (t RuleTicks) table() string {
	switch {
	case t.Step%time.Hour == 0:
		return "red_1h"
	case t.Step%time.Minute == 0:
		return "red_1m"
	}
	return "red_10s"
}

// RulePoint is what a rule sees at one tick.
type RulePoint struct {
	Value  float64
	Sample float64 // requests, points or records that the value stands on
	Data   bool    // telemetry came in: without it, nothing is known, which is not the same as zero
}

// RuleRedQuestion is one number of a service or an operation over time.
type RuleRedQuestion struct {
	Selection Selection // Service is set; Version and Instance play no part
	Measure   string    // rate, error_ratio, latency
	Quantile  float64   // of latency: 0 to 1
}

func (q RuleRedQuestion) operation() bool {
	return q.Selection.Operation != "" || q.Selection.Kind != ""
}

// ruleKey is one series of a rollup.
type ruleKey struct {
	operation                bool
	service, name, kind, env string
}

func (q RuleRedQuestion) matches(k ruleKey) bool {
	s := q.Selection
	return k.operation == q.operation() && k.service == s.Service && (s.Operation == "" || s.Operation == k.name) &&
		(s.Kind == "" || s.Kind == k.kind) && (s.Env == "" || s.Env == k.env)
}

// sum is a window that slides over steps: what comes in is added, what leaves is subtracted.
type sum struct {
	calls, errors uint64
	hist          []uint64
}

func (s *sum) add(c *cell) {
	s.calls += c.calls
	s.errors += c.errors
	for i, b := range c.buckets {
		if b < 0 {
			continue
		}
		if need := int(b) + 1; need > len(s.hist) {
			s.hist = append(s.hist, make([]uint64, need-len(s.hist))...)
		}
		s.hist[b] += c.counts[i]
	}
}

func (s *sum) subtract(c *cell) {
	s.calls -= c.calls
	s.errors -= c.errors
	for i, b := range c.buckets {
		if b >= 0 {
			s.hist[b] -= c.counts[i]
		}
	}
}

// above counts the calls that took longer than a bound: whole buckets whose upper bound lies above it.
func (s *sum) above(ns float64) (n uint64) {
	first := sort.Search(len(s.hist), func(b int) bool { return store.LatencyBound(int16(b)) > ns*(1+1e-9) })
	for _, c := range s.hist[first:] {
		n += c
	}
	return n
}

func (s *sum) quantile(q float64) float64 {
	rank, seen := uint64(q*float64(max(1, s.calls)-1)), uint64(0)
	for b, n := range s.hist {
		if seen += n; n > 0 && seen > rank {
			return store.LatencyValue(int16(b))
		}
	}
	return 0
}

// RuleRed answers any number of questions about rate, errors and latency with two statements. A rate is known, and
// may be zero, while spans of anybody come in.
func (db *DB) RuleRed(ctx context.Context, t RuleTicks, questions []RuleRedQuestion) ([][]RulePoint, error) {
	cells, err := db.ruleCells(ctx, t, questions)
	if err != nil {
		return nil, err
	}
	alive, err := db.ruleAlive(ctx, t, "toUnixTimestamp(ts)", t.table()+" WHERE level = 'service' AND ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})")
	if err != nil {
		return nil, err
	}
	out := make([][]RulePoint, len(questions))
	for i, q := range questions {
		out[i] = make([]RulePoint, t.N)
		slide(t, cells[i], func(tick int, s *sum) {
			p := RulePoint{Sample: float64(s.calls), Data: alive[tick] || s.calls > 0}
			switch {
			case q.Measure == "rate":
				p.Value = float64(s.calls) / t.Window.Seconds()
			case q.Measure == "error_ratio":
				p.Value = ratioOf(s.errors, s.calls)
			default:
				p.Value = s.quantile(q.Quantile)
			}
			out[i][tick] = p
		})
	}
	return out, nil
}

// slide calls f with the window of every tick.
func slide(t RuleTicks, cells [][]cell, f func(tick int, s *sum)) {
	_, n, k := t.buckets()
	var s sum
	for b := range n {
		for c := range cells[b] {
			s.add(&cells[b][c])
		}
		if b >= k {
			for c := range cells[b-k] {
				s.subtract(&cells[b-k][c])
			}
		}
		if tick := b - k + 1; tick >= 0 {
			f(tick, &s)
		}
	}
}

// ruleCells reads what the questions need by step: cells[question][step].
func (db *DB) ruleCells(ctx context.Context, t RuleTicks, questions []RuleRedQuestion) ([][][]cell, error) {
	width, n, _ := t.buckets()
	w := t.window()
	hist := "CAST([], 'Array(Int16)'), CAST([], 'Array(UInt64)')"
	services, operations, names, nameless := []string{}, []string{}, []string{}, []string{}
	byService := map[string][]int{}
	cells := make([][][]cell, len(questions))
	for i, q := range questions {
		cells[i] = make([][]cell, n)
		byService[q.Selection.Service] = append(byService[q.Selection.Service], i)
		switch {
		case !q.operation():
			services = append(services, q.Selection.Service)
		case q.Selection.Operation == "":
			nameless = append(nameless, q.Selection.Service)
			fallthrough
		default:
			operations, names = append(operations, q.Selection.Service), append(names, q.Selection.Operation)
		}
		if q.Measure != "rate" && q.Measure != "error_ratio" {
			hist = "mapKeys(sumMap(duration_hist) AS h), mapValues(h)"
		}
	}
	err := db.each(ctx, fmt.Sprintf(`
SELECT level = 'operation' AS operation, service, name, toString(kind) AS k, env,
       toInt64(intDiv(toUnixTimestamp(ts) - {from:Int64}, {step:Int64})) AS i, sum(calls), sum(errors), %s
FROM %s WHERE ts >= toDateTime({from:Int64}) AND ts < toDateTime({to:Int64})
  AND (level = 'service' AND service IN {services:Array(String)}
    OR level = 'operation' AND service IN {operations:Array(String)} AND (name IN {names:Array(String)} OR service IN {nameless:Array(String)}))
GROUP BY operation, service, name, k, env, i`, hist, t.table()),
		args{"from": w.From.Unix(), "to": w.To.Unix(), "step": int64(width.Seconds()), "services": services, "operations": operations, "names": names, "nameless": nameless},
		func(rows driver.Rows) error {
			var key ruleKey
			var operation uint8
			var i int64
			var c cell
			if err := rows.Scan(&operation, &key.service, &key.name, &key.kind, &key.env, &i, &c.calls, &c.errors, &c.buckets, &c.counts); err != nil {
				return err
			}
			key.operation = operation == 1
			for _, q := range byService[key.service] {
				if questions[q].matches(key) && i >= 0 && int(i) < n {
					cells[q][i] = append(cells[q][i], c)
				}
			}
			return nil
		})
	return cells, err
}

// ruleAlive tells for each tick whether anything at all is in its window. unix is the column in seconds; what follows
// FROM is bounded by {from} and {to}.
func (db *DB) ruleAlive(ctx context.Context, t RuleTicks, unix, from string) ([]bool, error) {
	width, n, k := t.buckets()
	w := t.window()
	seen := make([]bool, n)
	err := db.each(ctx, fmt.Sprintf("SELECT DISTINCT toInt64(intDiv(%s - {from:Int64}, {step:Int64})) AS i FROM %s", unix, from),
		args{"from": w.From.Unix(), "to": w.To.Unix(), "step": int64(width.Seconds())}, func(rows driver.Rows) error {
			var i int64
			err := rows.Scan(&i)
			if err == nil && i >= 0 && int(i) < n {
				seen[i] = true
			}
			return err
		})
	alive := make([]bool, t.N)
	last := -1 << 30
	for b := range n {
		if seen[b] {
			last = b
		}
		if tick := b - k + 1; tick >= 0 {
			alive[tick] = last >= tick
		}
	}
	return alive, err
}

// RuleObjective is what an objective counts as bad: failed calls, or those slower than SlowerThan nanoseconds.
type RuleObjective struct {
	Selection  Selection // Service is set
	SlowerThan float64   // 0: failed calls
}

// RuleCount is the requests of one step and how many of them were bad.
type RuleCount struct {
	At         time.Time // the step's beginning
	Total, Bad float64
}

// RuleCounts counts, for any number of objectives, requests and bad ones by step (10 s, 1 m or 1 h) with one
// statement. Steps without requests are left out.
func (db *DB) RuleCounts(ctx context.Context, w Window, step time.Duration, objectives []RuleObjective) ([][]RuleCount, error) {
	questions := make([]RuleRedQuestion, len(objectives))
	for i, o := range objectives {
		questions[i] = RuleRedQuestion{Selection: o.Selection, Measure: "error_ratio"}
		if o.SlowerThan > 0 {
			questions[i].Measure = "latency"
		}
	}
	from, to := w.From.Truncate(step), w.To.Truncate(step)
	out := make([][]RuleCount, len(objectives))
	if !from.Before(to) {
		return out, nil
	}
	t := RuleTicks{First: from.Add(step), Step: step, N: int(to.Sub(from) / step), Window: step}
	cells, err := db.ruleCells(ctx, t, questions)
	if err != nil {
		return nil, err
	}
	for i, o := range objectives {
		for b, list := range cells[i] {
			var s sum
			for c := range list {
				s.add(&list[c])
			}
			if s.calls == 0 {
				continue
			}
			bad := s.errors
			if o.SlowerThan > 0 {
				bad = s.above(o.SlowerThan)
			}
			out[i] = append(out[i], RuleCount{from.Add(time.Duration(b) * step), float64(s.calls), float64(bad)})
		}
	}
	return out, nil
}

// RuleStep is the finest step at which requests since from are still kept: 10 s, 1 m or 1 h.
func (db *DB) RuleStep(from time.Time) time.Duration {
	ten, minute := db.rollups()
	switch age := db.o.Now().Sub(from); {
	case age > minute:
		return time.Hour
	case age > ten:
		return time.Minute
	}
	return 10 * time.Second
}
