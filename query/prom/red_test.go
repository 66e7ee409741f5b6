package prom

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemarkhq/tidemark/query"
)

// calls fills the rollups: for twenty minutes before noon, each 10 s, frontend answers 20 requests of 10 ms of which 2
// fail, and calls payment and a database; each second one record is logged, every tenth an error.
func calls(t testing.TB, conn driver.Conn) {
	t.Helper()
	bucket := 745 // ceil(32·log2(1e7))
	exec(t, conn, fmt.Sprintf(`INSERT INTO red_10s (level, ts, service, name, kind, env, version, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'operation', toDateTime(%d) + number * 10, 'frontend', 'GET /cart', 'server', 'prod', '1.0', 20, 2, 200000000, 10000000, map(%d, 20) FROM numbers(120)`, noon.Add(-20*time.Minute).Unix(), bucket),
		fmt.Sprintf(`INSERT INTO edges (ts, env, client, target, target_kind, target_system, calls, errors, duration_sum, duration_hist, computed)
SELECT toDateTime(%d) + intDiv(number, 2) * 60, 'prod', 'frontend', if(number %% 2 = 0, 'payment', 'orders'), if(number %% 2 = 0, 'service', 'database'), if(number %% 2 = 0, '', 'postgresql'), 60, 6, 600000000, map(%d, 60), now64(3) FROM numbers(40)`,
			noon.Add(-20*time.Minute).Unix(), bucket),
		fmt.Sprintf(`INSERT INTO logs (ts, observed_ts, service, severity, body) SELECT toDateTime64(%d, 9) + number, toDateTime64(%[1]d, 9) + number, 'frontend', if(number %% 10 = 0, 17, 9), 'x' FROM numbers(1200)`, noon.Add(-20*time.Minute).Unix()),
		fmt.Sprintf(`INSERT INTO spans (ts, duration_ns, trace_id, span_id, service, name, kind, status) SELECT toDateTime64(%d, 9) + number, 1000000 * (number + 1), unhex(leftPad(hex(number + 1), 32, '0')), unhex(leftPad(hex(number + 1), 16, '0')),
'frontend', 'GET /cart', 'server', 'unset' FROM numbers(60)`, noon.Add(-time.Minute).Unix()))
}

func openAtNoon(t testing.TB) *Engine {
	e, conn := open(t, Options{})
	calls(t, conn)
	db := query.New(conn, query.Options{Now: func() time.Time { return noon }})
	e.db, e.columns.db = db, db
	return e
}

func TestCallsAreSeries(t *testing.T) {
	e := openAtNoon(t)
	const op = `deployment_environment_name="prod", service="frontend", service_version="1.0", span_kind="SPAN_KIND_SERVER", span_name="GET /cart"`
	want(t, e, `rate(traces_span_metrics_calls_total{service="frontend"}[1m])`, `{`+op+`, status_code="STATUS_CODE_ERROR"} 0.2`, `{`+op+`, status_code="STATUS_CODE_UNSET"} 1.8`)
	want(t, e, `sum(rate(traces_span_metrics_calls_total{status_code="STATUS_CODE_ERROR"}[5m])) / sum(rate(traces_span_metrics_calls_total[5m]))`, `{} 0.1`)
	want(t, e, `increase(traces_span_metrics_duration_seconds_count[10m])`, `{`+op+`} 1200`)
	want(t, e, `rate(traces_span_metrics_duration_seconds_sum[5m]) / rate(traces_span_metrics_duration_seconds_count[5m])`, `{`+op+`} 0.01`)
	want(t, e, `histogram_quantile(0.99, sum by (le) (rate(traces_span_metrics_duration_seconds_bucket[5m]))) < 0.0168`, `{} 0.01669`)
	want(t, e, `histogram_quantile(0.5, sum(rate(traces_span_metrics_duration_seconds[5m])))`, `{} 0.01002`)
	want(t, e, `sum(traces_span_metrics_duration_seconds_bucket{le="0.016777216"}) == bool sum(traces_span_metrics_duration_seconds_count)`, `{} 1`)
	want(t, e, `count(traces_span_metrics_calls_total{service=~"no.*"})`)
}

func TestEdgesAreSeries(t *testing.T) {
	e := openAtNoon(t)
	want(t, e, `rate(traces_service_graph_request_total[10m])`,
		`{client="frontend", connection_type="database", deployment_environment_name="prod", server="orders", server_system="postgresql"} 1`,
		`{client="frontend", deployment_environment_name="prod", server="payment"} 1`)
	want(t, e, `sum(rate(traces_service_graph_request_failed_total{server="payment"}[10m]))`, `{} 0.1`)
	want(t, e, `histogram_quantile(0.5, sum by (le, server) (rate(traces_service_graph_request_client_seconds_bucket{connection_type="database"}[10m])))`, `{server="orders"} 0.01258`)
}

func TestLogCountsAreSeries(t *testing.T) {
	e := openAtNoon(t)
	want(t, e, `rate(log_records_total[5m])`, `{service="frontend", severity="error"} 0.1`, `{service="frontend", severity="info"} 0.9`)
}

func TestVirtualNamesAreListed(t *testing.T) {
	e := openAtNoon(t)
	_, body := get(t, e, `/api/v1/label/service/values?match[]=traces_span_metrics_calls_total`, nil)
	if !strings.Contains(body, `"data":["frontend"]`) {
		t.Error(body)
	}
	_, body = get(t, e, `/api/v1/label/__name__/values`, nil)
	if !strings.Contains(body, `"traces_span_metrics_duration_seconds_bucket"`) {
		t.Error(body)
	}
	_, body = get(t, e, `/api/v1/metadata?metric=traces_span_metrics_duration_seconds`, nil)
	if !strings.Contains(body, `"type":"histogram"`) {
		t.Error(body)
	}
}

func TestExemplars(t *testing.T) {
	e := openAtNoon(t)
	all, err := e.Exemplars(context.Background(), noon.Add(-time.Hour).UnixMilli(), noon.UnixMilli(), []*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, "__name__", "traces_span_metrics_duration_seconds_bucket"), labels.MustNewMatcher(labels.MatchEqual, "service", "frontend")})
	if err != nil || len(all) != 1 || len(all[0].Exemplars) == 0 {
		t.Fatalf("%v: %v", err, all)
	}
	last := all[0].Exemplars[len(all[0].Exemplars)-1]
	if last.Labels.Get("trace_id") != "0000000000000000000000000000003c" || last.Value != 0.06 {
		t.Errorf("the slowest span is %v", last)
	}
}

func TestStoredExemplars(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	exec(t, conn, `INSERT INTO metric_exemplars (name, series, ts, value, trace_id, span_id, attributes) VALUES
('http.server.request.duration', 5, `+at(time.Minute)+`, 0.4, unhex('0102030405060708090a0b0c0d0e0f10'), unhex('0102030405060708'), map('user', 'u1'))`)
	_, body := get(t, e, fmt.Sprintf("/api/v1/query_exemplars?query=rate(http_server_request_duration_seconds_bucket[5m])&start=%d&end=%d", noon.Add(-time.Hour).Unix(), noon.Unix()), nil)
	const wantBody = `{"status":"success","data":[{"seriesLabels":{"__name__":"http_server_request_duration_seconds_bucket","http_route":"/pay","instance":"pod-1","job":"shop/checkout","le":"0.5"},"exemplars":[{"labels":{"span_id":"0102030405060708","trace_id":"0102030405060708090a0b0c0d0e0f10","user":"u1"},"value":"0.4","timestamp":`
	if !strings.HasPrefix(body, wantBody) {
		t.Errorf("got  %s\nwant %s", body, wantBody)
	}
}
