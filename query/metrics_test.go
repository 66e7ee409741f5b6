package query

import (
	"math"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// meters fills a database with one metric of each kind over the 10 minutes before noon, a point every 10 s.
func meters(t testing.TB, conn driver.Conn) {
	t.Helper()
	at := "toDateTime64('" + noon.Add(-10*time.Minute).Format("2006-01-02 15:04:05") + "', 3, 'UTC') + toIntervalSecond(10 * i)"
	exec(t, conn, `
INSERT INTO resources (fingerprint, service, attributes, first_seen, last_seen) VALUES (1, 'a', map('cloud.region', 'eu'), now(), now()), (2, 'b', map('cloud.region', 'us'), now(), now())`, `
INSERT INTO metric_series (name, fingerprint, type, temporality, monotonic, unit, description, service, resource, attributes, first_seen, last_seen) VALUES
('memory', 1, 'gauge', '', 0, 'By', 'Memory in use', 'a', 1, map('host', 'x'), now(), now()),
('memory', 2, 'gauge', '', 0, 'By', 'Memory in use', 'b', 2, map('host', 'y'), now(), now()),
('requests', 3, 'sum', 'cumulative', 1, '1', '', 'a', 1, map(), now(), now()),
('events', 4, 'sum', 'delta', 1, '1', '', 'a', 1, map(), now(), now()),
('latency', 5, 'histogram', 'cumulative', 0, 'ms', '', 'a', 1, map(), now(), now()),
('sizes', 6, 'histogram', 'delta', 0, 'By', '', 'a', 1, map(), now(), now()),
('waits', 7, 'exponential_histogram', 'delta', 0, 's', '', 'a', 1, map(), now(), now()),
('percentiles', 8, 'summary', '', 0, 's', '', 'a', 1, map(), now(), now()),
('native', 9, 'exponential_histogram', 'cumulative', 1, 's', '', 'a', 1, map(), now(), now()),
('native_float', 10, 'exponential_histogram', 'cumulative', 1, 's', '', 'a', 1, map(), now(), now()),
('native_custom', 11, 'histogram', 'cumulative', 1, 's', '', 'a', 1, map(), now(), now()),
('rescaled', 12, 'exponential_histogram', 'cumulative', 1, 's', '', 'a', 1, map(), now(), now())`, `
INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)
SELECT 'memory', 1, `+at+`, 0, 100, 0 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'memory', 2, `+at+`, 0, 300, 0 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'memory', 2, `+at+` + toIntervalSecond(5), 0, nan, 1 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'requests', 3, `+at+`, 0, if(i < 30, 1000 + i * 20, (i - 30) * 20), 0 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'events', 4, `+at+`, 0, 50, 0 FROM (SELECT number AS i FROM numbers(60))`, `
INSERT INTO metric_distributions (name, series, ts, count, sum, min, max, bounds, counts)
SELECT 'latency', 5, `+at+`, (i + 1) * 100, (i + 1) * 1000, nan, nan, [10, 20, 40], [(i + 1) * 50, (i + 1) * 40, (i + 1) * 10, 0] FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'sizes', 6, `+at+`, 100, 1000, 1, 39, [10, 20, 40], [50, 40, 10, 0] FROM (SELECT number AS i FROM numbers(60))`, `
INSERT INTO metric_distributions (name, series, ts, count, sum, min, max, counts, scale, positive_offset)
SELECT 'waits', 7, `+at+`, 100, 1000, nan, nan, [100], 0, 3 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'rescaled', 12, `+at+`, (i + 1) * 100, (i + 1) * 1000, nan, nan, if(i < 30, [0, (i + 1) * 100], [(i + 1) * 100]), if(i < 30, 1, 0), if(i < 30, 5, 3) FROM (SELECT number AS i FROM numbers(60))`, `
INSERT INTO metric_distributions (name, series, ts, count, sum, min, max, bounds, values, counts, scale, zero_count, positive_offset, flags)
SELECT 'native', 9, `+at+`, (i + 1) * 100, (i + 1) * 1000, nan, nan, [], [2, 1, 1, 2, 1], [(i + 1) * 50, (i + 1) * 50], toInt8(0), 0, 0, 2 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'native_float', 10, `+at+`, reinterpretAsUInt64((i + 1) * 0.5), (i + 1) * 5, nan, nan, [], [1, 4, 1], [reinterpretAsUInt64((i + 1) * 0.5)], toInt8(0), 0, 3, 6 FROM (SELECT number AS i FROM numbers(60))
UNION ALL SELECT 'native_custom', 11, `+at+`, (i + 1) * 100, (i + 1) * 1000, nan, nan, [10, 20, 40], [2, 0, 1, 1, 1], [(i + 1) * 50, (i + 1) * 50], toInt8(-53), 0, 0, 2 FROM (SELECT number AS i FROM numbers(60))`)
}

func TestMetrics(t *testing.T) {
	db, conn := open(t)
	meters(t, conn)
	ans, err := db.Metrics(t.Context(), last(10*time.Minute), "", "")
	if err != nil || len(ans.Metrics) != 11 {
		t.Fatalf("%+v, %v", ans, err)
	}
	if ans, err = db.Metrics(t.Context(), last(10*time.Minute), "MEMORY in", ""); err != nil || len(ans.Metrics) != 1 || ans.Metrics[0].Series != 2 || ans.Metrics[0].Unit != "By" || ans.Metrics[0].Labels[0] != "host" {
		t.Errorf("%+v, %v", ans, err)
	}
	if ans, err = db.Metrics(t.Context(), last(10*time.Minute), "", "b"); err != nil || len(ans.Metrics) != 1 {
		t.Errorf("of b: %+v, %v", ans, err)
	}
}

// The value that every step has, ends aside.
func TestMetricChart(t *testing.T) {
	db, conn := open(t)
	meters(t, conn)
	for _, c := range []struct {
		q      MetricQuestion
		series int
		want   float64 // of the first line
	}{
		{MetricQuestion{Name: "memory"}, 1, 200},
		{MetricQuestion{Name: "memory", Agg: "max"}, 1, 300},
		{MetricQuestion{Name: "memory", Agg: "sum"}, 1, 400},
		{MetricQuestion{Name: "memory", By: []string{"host"}}, 2, 300},
		{MetricQuestion{Name: "memory", By: []string{"service"}, Limit: 1}, 1, 300},
		{MetricQuestion{Name: "memory", By: []string{"cloud.region"}}, 2, 300},
		{MetricQuestion{Name: "memory", Filter: []string{"host:x"}}, 1, 100},
		{MetricQuestion{Name: "memory", Filter: []string{"cloud.region:eu"}}, 1, 100},
		{MetricQuestion{Name: "memory", Filter: []string{"host:z"}}, 0, 0},
		{MetricQuestion{Name: "requests"}, 1, 2},
		{MetricQuestion{Name: "events"}, 1, 5},
		{MetricQuestion{Name: "events", Agg: "sum"}, 1, 50},
		{MetricQuestion{Name: "latency", Agg: "p50"}, 1, 10},
		{MetricQuestion{Name: "latency", Agg: "p90"}, 1, 20},
		{MetricQuestion{Name: "latency", Agg: "avg"}, 1, 10},
		{MetricQuestion{Name: "latency", Agg: "rate"}, 1, 10},
		{MetricQuestion{Name: "sizes", Agg: "p50"}, 1, 10},
		{MetricQuestion{Name: "sizes", Agg: "max"}, 1, 39},
		{MetricQuestion{Name: "sizes", Agg: "count"}, 1, 10},
		{MetricQuestion{Name: "waits", Agg: "p50"}, 1, 12},
		{MetricQuestion{Name: "percentiles"}, 0, 0},
		{MetricQuestion{Name: "native", Agg: "p50"}, 1, 2}, // half in (1, 2], half in (8, 16]
		{MetricQuestion{Name: "native", Agg: "p99"}, 1, 15.84},
		{MetricQuestion{Name: "native", Agg: "avg"}, 1, 10},
		{MetricQuestion{Name: "native_float", Agg: "p50"}, 1, 12},
		{MetricQuestion{Name: "native_float", Agg: "rate"}, 1, 0.05},
		{MetricQuestion{Name: "native_custom", Agg: "p50"}, 1, 10},
		{MetricQuestion{Name: "native_custom", Agg: "p90"}, 1, 36},
		{MetricQuestion{Name: "rescaled", Agg: "rate"}, 1, 10},
	} {
		ans, err := db.MetricChart(t.Context(), last(10*time.Minute), c.q)
		if err != nil {
			t.Errorf("%+v: %v", c.q, err)
			continue
		}
		if len(ans.Series) != c.series {
			t.Errorf("%+v: %d lines, want %d", c.q, len(ans.Series), c.series)
			continue
		}
		if c.series == 0 {
			continue
		}
		values := ans.Series[0].Values
		for i := 1; i < len(values)-1; i++ {
			if restart := c.q.Name == "requests" && i >= 29 && i <= 31; !restart && (values[i] == nil || math.Abs(*values[i]-c.want) > 1e-6) {
				t.Errorf("%+v: step %d of %d is %v, want %v", c.q, i, len(values), deref(values[i]), c.want)
				break
			}
			if values[i] != nil && *values[i] < 0 {
				t.Errorf("%+v: step %d is negative", c.q, i)
			}
		}
	}
	for _, q := range []MetricQuestion{{Name: "absent"}, {Name: "memory", Agg: "p50"}, {Name: "memory", Agg: "mode"}, {Name: "memory", Filter: []string{"x"}}} {
		if _, err := db.MetricChart(t.Context(), last(time.Hour), q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
}
