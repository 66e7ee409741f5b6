package prom

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/promql"
)

// noon is the moment at which tests ask.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)

func exec(t testing.TB, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := conn.Exec(context.Background(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
}

// at is a moment before noon in SQL.
func at(before time.Duration) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(toInt64(%d))", noon.Add(-before).UnixMilli())
}

func asMap(pairs string) string {
	if pairs == "" {
		return "map()::Map(String, String)"
	}
	return "map(" + pairs + ")"
}

// shop fills a database with one OTLP metric of each type, a point each 15 s for ten minutes before noon.
func shop(t testing.TB, conn driver.Conn) {
	t.Helper()
	series := func(fp int, name, typ, temporality, unit string, monotonic int, attributes string) string {
		return fmt.Sprintf(`INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, description, service, resource, scope, attributes, first_seen, last_seen)
VALUES (%d, '%s', '%s', '%s', %d, '%s', 'about this', 'checkout', 7, 'lib', %s, %s, %s)`, fp, name, typ, temporality, monotonic, unit, asMap(attributes), at(10*time.Minute), at(0))
	}
	samples := func(fp int, name, value string) string {
		return fmt.Sprintf(`INSERT INTO metric_samples (name, series, ts, start_ts, value, flags) SELECT '%s', %d, %s + INTERVAL number * 15 SECOND, %s, %s, 0 FROM numbers(41)`,
			name, fp, at(10*time.Minute), at(10*time.Minute), value)
	}
	exec(t, conn,
		`INSERT INTO resources (fingerprint, service, instance, attributes, first_seen, last_seen) VALUES
(7, 'checkout', 'pod-1', map('service.name', 'checkout', 'service.namespace', 'shop', 'service.instance.id', 'pod-1', 'cloud.region', 'eu'), `+at(10*time.Minute)+`, `+at(0)+`)`,
		series(1, "http.server.active_requests", "sum", "cumulative", "{request}", 0, "'http.request.method', 'GET'"), samples(1, "http.server.active_requests", "number % 5"),
		series(2, "jobs.done", "sum", "cumulative", "1", 1, "'queue', 'a'"), samples(2, "jobs.done", "number * 3"),
		series(3, "cpu.utilization", "gauge", "", "1", 0, ""), samples(3, "cpu.utilization", "0.25"),
		series(4, "bytes.sent", "sum", "delta", "By", 1, ""),
		`INSERT INTO metric_samples (name, series, ts, start_ts, value, flags) SELECT 'bytes.sent', 4, `+at(10*time.Minute)+` + INTERVAL (number + 1) * 15 SECOND, `+at(10*time.Minute)+` + INTERVAL number * 15 SECOND, 30, 0 FROM numbers(40)`,
		series(5, "http.server.request.duration", "histogram", "cumulative", "s", 0, "'http.route', '/pay'"),
		`INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, bounds, counts) SELECT 'http.server.request.duration', 5, `+at(10*time.Minute)+` + INTERVAL number * 15 SECOND, `+at(10*time.Minute)+`,
4 * number, number, [0.1, 0.5], [2 * number, number, number] FROM numbers(41)`,
		series(6, "queue.wait", "exponential_histogram", "delta", "ms", 0, ""),
		`INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, scale, zero_count, positive_offset, counts) SELECT 'queue.wait', 6, `+at(10*time.Minute)+` + INTERVAL (number + 1) * 15 SECOND,
`+at(10*time.Minute)+` + INTERVAL number * 15 SECOND, 3, 10, 0, 1, 2, [1, 1] FROM numbers(40)`,
		series(8, "rpc.latency", "summary", "", "s", 0, ""),
		`INSERT INTO metric_distributions (name, series, ts, count, sum, bounds, values) SELECT 'rpc.latency', 8, `+at(10*time.Minute)+` + INTERVAL number * 15 SECOND, number, number * 2, [0.5, 0.99], [0.1, 0.9] FROM numbers(41)`,
	)
}

// ask evaluates at noon and writes the answer as lines of labels and values.
func ask(t testing.TB, e *Engine, expr string) []string {
	t.Helper()
	a, err := e.Instant(context.Background(), expr, noon)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var out []string
	for _, s := range a.Value.(promql.Vector) {
		if s.H != nil {
			out = append(out, fmt.Sprintf("%s %s", s.Metric, s.H))
		} else {
			out = append(out, fmt.Sprintf("%s %.4g", s.Metric, s.F))
		}
	}
	return out
}

func want(t testing.TB, e *Engine, expr string, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, ask(t, e, expr)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", expr, diff)
	}
}

func TestOTLPAppearsUnderPrometheusNames(t *testing.T) {
	e, conn := open(t, Options{Promote: []string{"cloud.region"}})
	shop(t, conn)
	const who = `instance="pod-1", job="shop/checkout"`
	want(t, e, `http_server_active_requests`, `{__name__="http_server_active_requests", cloud_region="eu", http_request_method="GET", `+who+`} 0`)
	want(t, e, `rate(jobs_done_total[5m])`, `{cloud_region="eu", `+who+`, queue="a"} 0.2`)
	want(t, e, `cpu_utilization_ratio{job="shop/checkout"}`, `{__name__="cpu_utilization_ratio", cloud_region="eu", `+who+`} 0.25`)
	want(t, e, `rate(bytes_sent_total[5m])`, `{cloud_region="eu", `+who+`} 2`)
	want(t, e, `increase(bytes_sent_total[15m])`, `{cloud_region="eu", `+who+`} 1200`)
	want(t, e, `http_server_request_duration_seconds_bucket{le="0.1"}`, `{__name__="http_server_request_duration_seconds_bucket", cloud_region="eu", http_route="/pay", `+who+`, le="0.1"} 80`)
	want(t, e, `sum by (le) (rate(http_server_request_duration_seconds_bucket[5m]))`, `{le="+Inf"} 0.2667`, `{le="0.1"} 0.1333`, `{le="0.5"} 0.2`)
	want(t, e, `histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket[5m])))`, `{} 0.1`)
	want(t, e, `http_server_request_duration_seconds_count / http_server_request_duration_seconds_sum`, `{cloud_region="eu", http_route="/pay", `+who+`} 4`)
	want(t, e, `histogram_count(increase(queue_wait_milliseconds[15m]))`, `{cloud_region="eu", `+who+`} 120`)
	want(t, e, `histogram_quantile(1, rate(queue_wait_milliseconds[5m]))`, `{cloud_region="eu", `+who+`} 16`)
	want(t, e, `rpc_latency_seconds{quantile="0.99"}`, `{__name__="rpc_latency_seconds", cloud_region="eu", `+who+`, quantile="0.99"} 0.9`)
	want(t, e, `rpc_latency_seconds_sum`, `{__name__="rpc_latency_seconds_sum", cloud_region="eu", `+who+`} 80`)
	want(t, e, `target_info`, `{__name__="target_info", cloud_region="eu", `+who+`} 1`)
	want(t, e, `count({__name__=~"jobs.*|cpu.*", job!=""})`, `{} 2`)
	want(t, e, `count({job="shop/checkout"}) > bool 5`, `{} 1`)
}

func TestNamesAsSent(t *testing.T) {
	e, conn := open(t, Options{Translation: otlptranslator.NoTranslation})
	shop(t, conn)
	const who = `instance="pod-1", job="shop/checkout"`
	want(t, e, `{"http.server.active_requests", "http.request.method"="GET"}`, `{__name__="http.server.active_requests", "http.request.method"="GET", `+who+`} 0`)
	want(t, e, `{"jobs.done"}`, `{__name__="jobs.done", `+who+`, queue="a"} 120`)
	want(t, e, `{"target_info"}`, `{__name__="target_info", "cloud.region"="eu", `+who+`} 1`)
}

func TestCustomBuckets(t *testing.T) {
	e, conn := open(t, Options{CustomHistograms: true})
	shop(t, conn)
	want(t, e, `histogram_count(http_server_request_duration_seconds)`, `{http_route="/pay", instance="pod-1", job="shop/checkout"} 160`)
	want(t, e, `histogram_quantile(0.5, rate(http_server_request_duration_seconds[5m]))`, `{http_route="/pay", instance="pod-1", job="shop/checkout"} 0.1`)
}

func TestProcessesThatFollowOneAnotherAreOneSeries(t *testing.T) {
	e, conn := open(t, Options{})
	for i, from := range []time.Duration{10 * time.Minute, 4 * time.Minute} {
		exec(t, conn, fmt.Sprintf(`INSERT INTO resources (fingerprint, service, attributes, first_seen, last_seen) VALUES (%d, 'a', map('service.name', 'a', 'process.pid', '%d'), %s, %s)`, i+1, i, at(from), at(0)),
			fmt.Sprintf(`INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, resource, first_seen, last_seen) VALUES (%d, 'n', 'sum', 'cumulative', 1, %d, %s, %s)`, i+1, i+1, at(from), at(0)),
			fmt.Sprintf(`INSERT INTO metric_samples (name, series, ts, start_ts, value, flags) SELECT 'n', %d, %s + INTERVAL number * 30 SECOND, %s, number, 0 FROM numbers(8)`, i+1, at(from), at(from)))
	}
	want(t, e, `count_over_time(n_total[10m])`, `{job="a"} 15`)
	want(t, e, `resets(n_total[10m])`, `{job="a"} 1`)
}

func TestEndedSeriesAreStale(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	exec(t, conn, `INSERT INTO metric_samples (name, series, ts, value, flags) VALUES ('cpu.utilization', 3, `+at(-time.Second)+`, nan, 1)`)
	a, err := e.Instant(context.Background(), "cpu_utilization_ratio", noon.Add(2*time.Second))
	if err != nil || len(a.Value.(promql.Vector)) != 0 {
		t.Errorf("after the series ended: %v, %v", a, err)
	}
}

func TestLimits(t *testing.T) {
	e, conn := open(t, Options{MaxSamples: 30})
	shop(t, conn)
	if _, err := e.Instant(context.Background(), "sum_over_time(jobs_done_total[10m])", noon); err == nil || !strings.Contains(err.Error(), "query processing would load too many samples into memory") {
		t.Errorf("samples: %v", err)
	}
	e, _ = New(e.db, Options{DSN: e.o.DSN, MaxBytes: 300})
	if _, err := e.Instant(context.Background(), "sum_over_time(jobs_done_total[10m])", noon); err == nil || !strings.Contains(err.Error(), "more than 300 bytes") {
		t.Errorf("bytes: %v", err)
	}
	e, _ = New(e.db, Options{DSN: e.o.DSN, MaxSeries: 1})
	exec(t, conn, `INSERT INTO metric_series (fingerprint, name, type, first_seen, last_seen) VALUES (91, 'cpu.utilization', 'gauge', `+at(time.Minute)+`, `+at(0)+`)`)
	if _, err := e.Instant(context.Background(), "cpu_utilization", noon); err == nil || !strings.Contains(err.Error(), "--prom-max-series") {
		t.Errorf("series: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Instant(ctx, "jobs_done_total", noon); err == nil {
		t.Error("a question whose asker has gone is answered")
	}
}

func TestNewSeriesAreFound(t *testing.T) {
	e, conn := open(t, Options{Refresh: time.Nanosecond})
	shop(t, conn)
	want(t, e, `count(jobs_done_total)`, `{} 1`)
	exec(t, conn, `INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, resource, attributes, first_seen, last_seen)
VALUES (22, 'jobs.done', 'sum', 'cumulative', 1, '1', 7, map('queue', 'b'), `+at(time.Minute)+`, `+at(0)+`)`,
		`INSERT INTO metric_samples (name, series, ts, value, flags) VALUES ('jobs.done', 22, `+at(0)+`, 5, 0)`)
	want(t, e, `count(jobs_done_total)`, `{} 2`)
	want(t, e, `sum(jobs_done_total{queue=~"b|c"})`, `{} 5`)
}
