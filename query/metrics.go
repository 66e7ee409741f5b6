package query

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// MetricsAnswer lists metrics.
type MetricsAnswer struct {
	Metrics []MetricInfo `json:"metrics"`
	More    bool         `json:"more"`
}

// MetricInfo describes a metric.
type MetricInfo struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Unit        string   `json:"unit"`
	Description string   `json:"description"`
	Temporality string   `json:"temporality"`
	Monotonic   bool     `json:"monotonic"`
	Series      uint64   `json:"series"`
	Services    []string `json:"services"`
	Labels      []string `json:"labels"`
	LastSeenMS  int64    `json:"last_seen_ms"`
}

// mostMetrics is how many metrics a list has.
const mostMetrics = 1000

// Metrics lists the metrics with points since a window's beginning whose name or description contains q.
func (db *DB) Metrics(ctx context.Context, w Window, q, service string) (*MetricsAnswer, error) {
	a := args{"from": w.From.Unix() - 7200, "q": q}
	having := ""
	if service != "" {
		a["service"] = service
		having = " AND service = {service:String}"
	}
	ans := &MetricsAnswer{Metrics: []MetricInfo{}}
	err := db.each(ctx, fmt.Sprintf(`
SELECT name, argMax(t, seen), argMax(u, seen), argMax(d, seen), argMax(p, seen), argMax(m, seen), count(), arraySort(groupUniqArray(50)(service)),
       arraySort(groupUniqArrayArray(50)(labels)), toInt64(toUnixTimestamp(max(seen))) * 1000
FROM (SELECT name, fingerprint, max(type) AS t, max(unit) AS u, max(description) AS d, max(temporality) AS p, max(monotonic) AS m, max(service) AS service,
             mapKeys(anyLast(attributes)) AS labels, max(last_seen) AS seen
      FROM metric_series WHERE positionCaseInsensitive(name, {q:String}) > 0 OR positionCaseInsensitive(description, {q:String}) > 0
      GROUP BY name, fingerprint HAVING seen >= toDateTime({from:Int64})%s)
GROUP BY name ORDER BY name LIMIT %d`, having, mostMetrics+1), a, func(rows driver.Rows) error {
		var m MetricInfo
		var monotonic uint8
		if err := rows.Scan(&m.Name, &m.Type, &m.Unit, &m.Description, &m.Temporality, &monotonic, &m.Series, &m.Services, &m.Labels, &m.LastSeenMS); err != nil {
			return err
		}
		m.Monotonic = monotonic == 1
		ans.Metrics = append(ans.Metrics, m)
		return nil
	})
	if len(ans.Metrics) > mostMetrics {
		ans.Metrics, ans.More = ans.Metrics[:mostMetrics], true
	}
	return ans, err
}

// MetricQuestion is one chart of a metric.
type MetricQuestion struct {
	Name   string
	Agg    string   // auto, avg, sum, min, max, rate, count, p50, p90, p95, p99
	By     []string // labels
	Filter []string // key:value
	Limit  int      // series shown
}

// MetricChartAnswer is a chart of one metric.
type MetricChartAnswer struct {
	Range  Range        `json:"range"`
	Unit   string       `json:"unit"`
	Agg    string       `json:"agg"`
	Series []MetricLine `json:"series"`
	More   int          `json:"more"`
}

// MetricLine is one line: the labels that name it and a value a step.
type MetricLine struct {
	Labels map[string]string `json:"labels"`
	Values []*float64        `json:"values"`
}

// metricType reads what a metric is.
func (db *DB) metricType(ctx context.Context, name string) (m MetricInfo, err error) {
	found := false
	err = db.each(ctx, `SELECT argMax(type, last_seen), argMax(unit, last_seen), argMax(temporality, last_seen), argMax(monotonic, last_seen)
FROM metric_series WHERE name = {name:String} GROUP BY name`, args{"name": name}, func(rows driver.Rows) error {
		var monotonic uint8
		found = true
		err := rows.Scan(&m.Type, &m.Unit, &m.Temporality, &monotonic)
		m.Monotonic = monotonic == 1
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("metric %q: %w", name, ErrNotFound)
	}
	return m, err
}

// autoAgg is what most people want to see of a metric.
func autoAgg(m MetricInfo) string {
	switch {
	case m.Type == "histogram" || m.Type == "exponential_histogram":
		return "p95"
	case m.Type == "summary":
		return "avg"
	case m.Type == "sum" && m.Monotonic:
		return "rate"
	case m.Type == "sum":
		return "sum"
	}
	return "avg"
}

var aggs = []string{"avg", "sum", "min", "max", "rate", "count", "p50", "p90", "p95", "p99"}

// MetricChart answers one metric over time, a line for each combination of the labels in By.
func (db *DB) MetricChart(ctx context.Context, w Window, q MetricQuestion) (*MetricChartAnswer, error) {
	m, err := db.metricType(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	if q.Agg == "" || q.Agg == "auto" {
		q.Agg = autoAgg(m)
	}
	if !contains(aggs, q.Agg) {
		return nil, &InputError{"agg", "is one of auto, " + strings.Join(aggs, ", ")}
	}
	distribution := m.Type == "histogram" || m.Type == "exponential_histogram"
	if strings.HasPrefix(q.Agg, "p") && !distribution {
		return nil, &InputError{"agg", fmt.Sprintf("%s needs a histogram, and %s is a %s", q.Agg, q.Name, m.Type)}
	}
	r := db.lay(w, 0, 0)
	r.Resolution = "raw"
	ans := &MetricChartAnswer{Range: r, Unit: m.Unit, Agg: q.Agg, Series: []MetricLine{}}
	a := args{"name": q.Name, "from": r.FromMS, "to": r.ToMS, "step": r.StepMS}
	series, err := seriesSQL(q, a)
	if err != nil {
		return nil, err
	}
	acc := newLines(q.By, r.Points())
	if distribution {
		err = db.distributions(ctx, m, q, series, a, acc)
	} else {
		err = db.samples(ctx, m, q, series, a, acc)
	}
	if err != nil {
		return nil, err
	}
	if q.Agg == "rate" || q.Agg == "count" && m.Type != "gauge" {
		ans.Unit = strings.TrimSuffix(m.Unit, "/s") + "/s"
		if distribution || q.Agg == "count" {
			ans.Unit = "/s"
		}
	}
	ans.Series, ans.More = acc.largest(clamp(q.Limit, 20, 100))
	return ans, nil
}

// seriesSQL selects the series of a question: fingerprint, and g, the values of the labels it is split by.
func seriesSQL(q MetricQuestion, a args) (string, error) {
	cond := "name = {name:String}"
	value := func(key string) string {
		k := fmt.Sprintf("k%d", len(a))
		a[k] = key
		p := "{" + k + ":String}"
		if key == "service" || key == "service.name" {
			return "max(service)"
		}
		return "if(mapContains(anyLast(s.attributes), " + p + "), anyLast(s.attributes)[" + p + "], any(r.attributes)[" + p + "])"
	}
	having := "1"
	for _, f := range q.Filter {
		key, v, ok := strings.Cut(f, ":")
		if !ok || key == "" {
			return "", &InputError{"filter", fmt.Sprintf("%q is not key:value", f)}
		}
		p := fmt.Sprintf("v%d", len(a))
		a[p] = v
		having += " AND " + value(key) + " = {" + p + ":String}"
	}
	groups := make([]string, len(q.By))
	for i, key := range q.By {
		groups[i] = value(key)
	}
	g := "CAST([], 'Array(String)')"
	if len(groups) > 0 {
		g = "[" + join(groups, ", ") + "]"
	}
	return fmt.Sprintf(`SELECT s.fingerprint AS fingerprint, %s AS g FROM metric_series AS s
LEFT JOIN (SELECT fingerprint, anyLast(attributes) AS attributes FROM resources GROUP BY fingerprint) AS r ON s.resource = r.fingerprint
WHERE %s GROUP BY s.fingerprint HAVING %s LIMIT 100000`, g, cond, having), nil
}

const metricBounds = "name = {name:String} AND ts >= fromUnixTimestamp64Milli({from:Int64} - {back:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64}) AND bitAnd(flags, 1) = 0"

// samples charts gauges, sums and summaries. A cumulative sum's rate is its increase, a fall counted as a restart
// from zero; increases belong to the step of the later point.
func (db *DB) samples(ctx context.Context, m MetricInfo, q MetricQuestion, series string, a args, acc *lines) error {
	a["back"] = int64(0)
	perSeries := map[string]string{"avg": "avg(value)", "min": "min(value)", "max": "max(value)", "count": "toFloat64(count()) * 1000 / {step:Int64}", "sum": "argMax(value, ts)"}[q.Agg]
	across := map[string]string{"avg": "avg(v)", "min": "min(v)", "max": "max(v)"}[q.Agg]
	if across == "" {
		across = "sum(v)"
	}
	from := "metric_samples WHERE " + metricBounds
	if m.Temporality == "delta" && (q.Agg == "rate" || q.Agg == "sum") {
		perSeries = "sum(value)"
		if q.Agg == "rate" {
			perSeries = "sum(value) * 1000 / {step:Int64}"
		}
	} else if q.Agg == "rate" {
		a["back"] = int64(600_000)
		from = `(SELECT series, ts, n, if(point < before, point, point - before) AS value
      FROM (SELECT series, ts, value AS point, lagInFrame(point) OVER w AS before, row_number() OVER w AS n FROM metric_samples WHERE ` + metricBounds + `
            AND series IN (SELECT fingerprint FROM chosen) WINDOW w AS (PARTITION BY series ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)))
WHERE n > 1 AND ts >= fromUnixTimestamp64Milli({from:Int64})`
		perSeries = "sum(value) * 1000 / {step:Int64}"
	}
	return db.each(ctx, fmt.Sprintf(`
WITH chosen AS (%s)
SELECT g, i, %s FROM (
    SELECT series, toInt64(intDiv(toUnixTimestamp64Milli(ts) - {from:Int64}, {step:Int64})) AS i, %s AS v FROM %s
    AND series IN (SELECT fingerprint FROM chosen) GROUP BY series, i) AS p
INNER JOIN chosen ON p.series = chosen.fingerprint GROUP BY g, i`, series, across, perSeries, from), a, func(rows driver.Rows) error {
		var g []string
		var i int64
		var v float64
		if err := rows.Scan(&g, &i, &v); err != nil {
			return err
		}
		acc.set(g, i, v)
		return nil
	})
}

// distributions charts histograms: their counts are merged across series, cumulative ones after taking the increase
// since the point before, and quantiles are read from the merged buckets.
func (db *DB) distributions(ctx context.Context, m MetricInfo, q MetricQuestion, series string, a args, acc *lines) error {
	a["back"] = int64(0)
	if m.Temporality != "delta" {
		a["back"] = int64(600_000)
	}
	merged := map[string]*merger{}
	var order []string
	points := map[string]shape{} // the point before, by series
	err := db.each(ctx, fmt.Sprintf(`
WITH chosen AS (%s)
SELECT g, series, toUnixTimestamp64Milli(ts) AS t, `+shapeColumns+`
FROM metric_distributions AS p INNER JOIN chosen ON p.series = chosen.fingerprint
WHERE %s AND series IN (SELECT fingerprint FROM chosen) ORDER BY series, ts LIMIT 500000`, series, metricBounds), a, func(rows driver.Rows) error {
		var g []string
		var fp uint64
		var t int64
		var row shapeRow
		if err := rows.Scan(append([]any{&g, &fp, &t}, row.fields()...)...); err != nil {
			return err
		}
		s := row.shape()
		add := s
		if m.Temporality != "delta" {
			key := fmt.Sprint(fp)
			before, ok := points[key]
			points[key] = s
			if !ok {
				return nil
			}
			add = s.since(before)
		}
		i := (t - a["from"].(int64)) / a["step"].(int64)
		if t < a["from"].(int64) {
			return nil
		}
		k := fmt.Sprintf("%s\x00%d", strings.Join(g, "\x00"), i)
		if merged[k] == nil {
			merged[k] = &merger{g: g, i: i}
			order = append(order, k)
		}
		merged[k].add(add)
		return nil
	})
	if err != nil {
		return err
	}
	seconds := float64(a["step"].(int64)) / 1000
	for _, k := range order {
		if v := merged[k].value(q.Agg, seconds); v != nil {
			acc.set(merged[k].g, merged[k].i, *v)
		}
	}
	return nil
}

// lines collects values by labels.
type lines struct {
	by     []string
	points int
	index  map[string]int
	all    []MetricLine
}

func newLines(by []string, points int) *lines { return &lines{by, points, map[string]int{}, nil} }

func (l *lines) set(g []string, i int64, v float64) {
	if i < 0 || int(i) >= l.points {
		return
	}
	k := strings.Join(g, "\x00")
	n, ok := l.index[k]
	if !ok {
		n = len(l.all)
		l.index[k] = n
		labels := map[string]string{}
		for j, key := range l.by {
			if j < len(g) {
				labels[key] = g[j]
			}
		}
		l.all = append(l.all, MetricLine{labels, make([]*float64, l.points)})
	}
	l.all[n].Values[i] = finite(v)
}

// largest are the lines with the greatest mean, and how many others there are.
func (l *lines) largest(limit int) ([]MetricLine, int) {
	mean := func(line MetricLine) float64 {
		sum, n := 0.0, 0.0
		for _, v := range line.Values {
			if v != nil {
				sum, n = sum+*v, n+1
			}
		}
		return sum / max(1, n)
	}
	sort.SliceStable(l.all, func(i, j int) bool { return mean(l.all[i]) > mean(l.all[j]) })
	if l.all == nil {
		return []MetricLine{}, 0
	}
	if len(l.all) > limit {
		return l.all[:limit], len(l.all) - limit
	}
	return l.all, 0
}
