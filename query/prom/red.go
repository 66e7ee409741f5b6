package prom

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// cells describe a table of counts by step: its labels and where each is found.
type cells struct {
	table   string
	columns []string // SQL, beside labels
	labels  []string
	calls   string // SQL of the number of calls
	errors  string
	sum     string // of durations in ns
	hist    string // sumMap of the distribution, "" where there is none
	where   string
}

// cell is one step of one series. Its slices hold until the next one.
type cell struct {
	labels  []string
	t       int64 // start of the step, ms
	calls   uint64
	errors  uint64
	sum     uint64
	buckets []int16
	counts  []uint64
}

// readCells reads counts by series and step, and keeps those whose labels the matchers choose.
func (q *querier) readCells(ctx context.Context, c cells, g grid, matchers []*labels.Matcher, each func(*cell)) error {
	text := make([]proto.ColStr, len(c.labels))
	var t, calls, errors, sum proto.ColUInt64
	buckets, counts := proto.NewArray[int16](new(proto.ColInt16)), countArray{}
	var b strings.Builder
	b.WriteString("SELECT ")
	var groups []string
	var result proto.Results
	for i, column := range c.columns {
		alias := fmt.Sprintf("l%d", i)
		fmt.Fprintf(&b, "CAST(%s, 'String') AS %s, ", column, alias)
		groups = append(groups, alias)
		result = append(result, proto.ResultColumn{Name: alias, Data: &text[i]})
	}
	fmt.Fprintf(&b, "toUInt64(intDiv(toUnixTimestamp(ts), %[1]d) * %[1]d * 1000) AS t, toUInt64(%[2]s) AS c, toUInt64(%[3]s) AS e, toUInt64(%[4]s) AS s", g.step/1000, c.calls, c.errors, c.sum)
	result = append(result, proto.Results{{Name: "t", Data: &t}, {Name: "c", Data: &calls}, {Name: "e", Data: &errors}, {Name: "s", Data: &sum}}...)
	if c.hist != "" {
		fmt.Fprintf(&b, ", mapKeys(%s AS h) AS hk, mapValues(h) AS hv", c.hist)
		result = append(result, proto.Results{{Name: "hk", Data: buckets}, {Name: "hv", Data: counts.init()}}...)
	}
	fmt.Fprintf(&b, " FROM %s WHERE ts >= toDateTime(%d) AND ts < toDateTime(%d) AND %s", c.table, g.from/1000, (g.from+int64(g.n)*g.step)/1000, c.where)
	params := map[string]any{}
	for i, name := range c.labels {
		for _, m := range matchers {
			if m.Name == name && m.Type == labels.MatchEqual && m.Value != "" && !strings.HasPrefix(c.columns[i], "multiIf") {
				key := fmt.Sprintf("p%d", len(params))
				fmt.Fprintf(&b, " AND CAST(%s, 'String') = {%s:String}", c.columns[i], key)
				params[key] = m.Value
			}
		}
	}
	b.WriteString(" GROUP BY " + strings.Join(append(groups, "t"), ", "))
	row := cell{labels: make([]string, len(c.labels))}
	return q.e.columns.run(ctx, statement{sql: b.String(), params: params, result: result, block: func() error {
		if err := q.take(int64(len(t)), int64(len(t))*64); err != nil {
			return err
		}
		for i := range t {
			for j := range text {
				row.labels[j] = text[j].Row(i)
			}
			row.t, row.calls, row.errors, row.sum = int64(t[i]), calls[i], errors[i], sum[i]
			if c.hist != "" {
				row.buckets, row.counts = buckets.Row(i), counts.row(i)
			}
			each(&row)
		}
		return nil
	}})
}

// named builds labels from parallel names and values, with those that are given besides.
func namedLabels(name string, keys, values []string, more ...string) labels.Labels {
	b := labels.NewScratchBuilder(len(keys) + 2)
	b.Add(model.MetricNameLabel, name)
	for i, k := range keys {
		if values[i] != "" {
			b.Add(k, values[i])
		}
	}
	for i := 0; i < len(more); i += 2 {
		b.Add(more[i], more[i+1])
	}
	b.Sort()
	return b.Labels()
}

// counted gathers counters by their labels.
type counted struct {
	g   grid
	all map[string]*countedSeries
}

type countedSeries struct {
	labels labels.Labels
	by     grown
}

func (c *counted) add(key string, ls func() labels.Labels, i int, n float64) {
	s := c.all[key]
	if s == nil {
		s = &countedSeries{ls(), grown{}}
		c.all[key] = s
	}
	if i >= 0 && i < c.g.n {
		s.by[i] += n
	}
}

func (c *counted) series(matchers []*labels.Matcher) []*series {
	var out []*series
	for _, s := range c.all {
		if matches(s.labels, matchers) && len(s.by) > 0 {
			out = append(out, &series{s.labels, c.g.counter(s.by)})
		}
	}
	return out
}

const (
	serviceLabel = "service"
	envLabel     = "deployment_environment_name"
	versionLabel = "service_version"
)

// spanCells are the rollups of spans at a resolution.
func spanCells(step int64, hist bool) cells {
	c := cells{
		table: "{{red_" + map[int64]string{10_000: "10s", 60_000: "1m", 3600_000: "1h"}[step] + "}}", labels: []string{serviceLabel, "span_name", "span_kind", envLabel, versionLabel},
		columns: []string{"service", "name", "concat('SPAN_KIND_', upper(toString(kind)))", "env", "version"},
		calls:   "sum(calls)", errors: "sum(errors)", sum: "sum(duration_sum)", where: "level = 'operation'",
	}
	if hist {
		c.hist = "sumMap(duration_hist)"
	}
	return c
}

// spanGrid is the grid of a question about rollups of spans.
func (q *querier) spanGrid(v virtualQuestion) grid {
	if v.bare() {
		v.w.from = max(v.w.from, min(v.w.to, q.e.db.Now().UnixMilli())-bareWindow)
		return lay(window{v.w.from, min(v.w.to, q.e.db.Now().UnixMilli()+3600_000)}, 3600_000)
	}
	step := chooseStep(v, q.e.db.Now())
	return lay(window{v.w.from, v.w.to}, step)
}

func readSpanCalls(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	g := q.spanGrid(v)
	c := spanCells(g.step, false)
	out := counted{g, map[string]*countedSeries{}}
	err := q.readCells(ctx, c, g, v.matchers, func(row *cell) {
		key := strings.Join(row.labels, "\x00")
		for status, n := range map[string]uint64{"STATUS_CODE_UNSET": row.calls - row.errors, "STATUS_CODE_ERROR": row.errors} {
			if n > 0 {
				out.add(key+status, func() labels.Labels { return namedLabels(v.name, c.labels, row.labels, "status_code", status) }, g.index(row.t), float64(n))
			}
		}
	})
	return out.series(v.matchers), err
}

func readSpanDurations(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	g := q.spanGrid(v)
	part := partOf(v.name)
	return q.readDurations(ctx, spanCells(g.step, part == "_bucket" || part == ""), g, 1, v)
}

// readDurations makes the parts of a histogram of durations; each row is spread over so many steps.
func (q *querier) readDurations(ctx context.Context, c cells, g grid, steps int, v virtualQuestion) ([]*series, error) {
	part := partOf(v.name)
	type named struct {
		labels labels.Labels
		durations
	}
	all := map[string]*named{}
	err := q.readCells(ctx, c, g, v.matchers, func(row *cell) {
		key := strings.Join(row.labels, "\x00")
		s := all[key]
		if s == nil {
			s = &named{labels: namedLabels(v.name, c.labels, row.labels)}
			all[key] = s
		}
		for k := range steps {
			if i := g.index(row.t) + k; i >= 0 && i < g.n {
				s.add(i, row, part, 1/float64(steps))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var out []*series
	rest := slices.DeleteFunc(slices.Clone(v.matchers), func(m *labels.Matcher) bool { return part == "_bucket" && m.Name == model.BucketLabel })
	for _, s := range all {
		if matches(s.labels, rest) {
			out = append(out, s.series(g, s.labels, part, v.matchers)...)
		}
	}
	return out, nil
}

// edgeCells are calls between services, and to what is known from its callers only. A minute is computed several
// times while spans arrive; its newest computation counts, with exactly its rows.
func edgeCells(g grid, hist bool) cells {
	between := fmt.Sprintf("ts >= toDateTime(%d) AND ts < toDateTime(%d)", g.from/1000, (g.from+int64(g.n)*g.step)/1000)
	c := cells{
		table: "{{edges}}", labels: []string{"client", "server", "connection_type", "server_system", envLabel},
		columns: []string{"client", "target", "multiIf(target_kind = 'database', 'database', target_kind = 'messaging' OR startsWith(client, 'messaging:'), 'messaging_system', target_kind = 'external', 'virtual_node', '')",
			"target_system", "env"},
		calls: "sum(calls)", errors: "sum(errors)", sum: "sum(duration_sum)",
		where: "(ts, computed) IN (SELECT ts, max(computed) FROM {{edges}} WHERE " + between + " GROUP BY ts)",
	}
	if hist {
		c.hist = "sumMap(duration_hist)"
	}
	return c
}

// spreadOver is over how many steps of a grid a minute of edges is spread evenly: they are kept by the minute, and a
// rate over a minute needs more than one sample.
func spreadOver(g grid) int { return int(max(1, 60_000/g.step)) }

func readEdgeCalls(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	g := q.spanGrid(v)
	c := edgeCells(g, false)
	failed := strings.HasSuffix(v.name, "_failed_total")
	out := counted{g, map[string]*countedSeries{}}
	err := q.readCells(ctx, c, g, v.matchers, func(row *cell) {
		n := row.calls
		if failed {
			n = row.errors
		}
		steps := spreadOver(g)
		for k := range steps {
			out.add(strings.Join(row.labels, "\x00"), func() labels.Labels { return namedLabels(v.name, c.labels, row.labels) }, g.index(row.t)+k, float64(n)/float64(steps))
		}
	})
	return out.series(v.matchers), err
}

func readEdgeDurations(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	g := q.spanGrid(v)
	part := partOf(v.name)
	return q.readDurations(ctx, edgeCells(g, part == "_bucket" || part == ""), g, spreadOver(g), v)
}

// readLogCounts counts log records by service and severity.
func readLogCounts(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error) {
	g := q.spanGrid(v)
	if v.bare() && g.n > 1 { // there is no rollup: the last hour is enough to name them
		g.from, g.n = g.from+int64(g.n-1)*g.step, 1
	}
	c := cells{
		table: "{{logs}}", labels: []string{serviceLabel, "severity"},
		columns: []string{"service", "multiIf(severity = 0, 'unspecified', severity < 5, 'trace', severity < 9, 'debug', severity < 13, 'info', severity < 17, 'warn', severity < 21, 'error', 'fatal')"},
		calls:   "count()", errors: "0", sum: "0", where: "1",
	}
	out := counted{g, map[string]*countedSeries{}}
	err := q.readCells(ctx, c, g, v.matchers, func(row *cell) {
		out.add(strings.Join(row.labels, "\x00"), func() labels.Labels { return namedLabels(v.name, c.labels, row.labels) }, g.index(row.t), float64(row.calls))
	})
	return out.series(v.matchers), err
}
