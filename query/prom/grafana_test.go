package prom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/query"
)

// hosts fills a database with what the Collector's hostmetrics receiver sends of one host.
func hosts(t testing.TB, conn driver.Conn) {
	t.Helper()
	exec(t, conn, `INSERT INTO resources (fingerprint, service, instance, attributes, first_seen, last_seen) VALUES
(70, 'otelcol', 'h1', map('service.name', 'otelcol', 'service.instance.id', 'h1', 'host.name', 'h1.example'), `+at(10*time.Minute)+`, `+at(0)+`)`)
	fp := 700
	add := func(name, typ, unit string, monotonic int, attributes, value string) {
		fp++
		exec(t, conn, fmt.Sprintf(`INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, resource, attributes, first_seen, last_seen) VALUES (%d, '%s', '%s', '%s', %d, '%s', 70, %s, %s, %s)`,
			fp, name, typ, map[string]string{"sum": "cumulative"}[typ], monotonic, unit, asMap(attributes), at(10*time.Minute), at(0)),
			fmt.Sprintf(`INSERT INTO metric_samples (name, series, ts, value, flags) SELECT '%s', %d, %s + INTERVAL number * 15 SECOND, %s, 0 FROM numbers(41)`, name, fp, at(10*time.Minute), value))
	}
	for _, state := range []string{"idle", "user"} {
		add("system.cpu.time", "sum", "s", 1, "'cpu', 'cpu0', 'state', '"+state+"'", "number * 7.5")
		add("system.filesystem.usage", "sum", "By", 0, "'mountpoint', '/', 'state', '"+map[string]string{"idle": "free", "user": "used"}[state]+"'", "100")
	}
	add("system.cpu.load_average.5m", "gauge", "{thread}", 0, "", "1.5")
	add("system.memory.usage", "sum", "By", 0, "'state', 'used'", "2e9")
	add("system.disk.io", "sum", "By", 1, "'device', 'sda', 'direction', 'read'", "number * 100")
	add("system.network.io", "sum", "By", 1, "'device', 'eth0', 'direction', 'receive'", "number * 100")
}

// grafana asks as Grafana's data source does.
type grafana struct {
	t       testing.TB
	handler http.Handler
}

// answer is what a client reads of any answer.
type answer struct {
	Status string `json:"status"`
	Data   struct {
		ResultType string            `json:"resultType"`
		Result     []json.RawMessage `json:"result"`
	} `json:"data"`
}

func (g grafana) do(method, path string, form url.Values) string {
	g.t.Helper()
	body := strings.NewReader(form.Encode())
	r := httptest.NewRequest(method, "/prometheus/"+path, body)
	if method == http.MethodGet {
		r = httptest.NewRequest(method, "/prometheus/"+path+"?"+form.Encode(), nil)
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), `{"status":"success","data":`) {
		g.t.Errorf("%s %s %s: %d %s", method, path, form, w.Code, w.Body)
	}
	return w.Body.String()
}

// series is how many series a query answers.
func (g grafana) series(path string, form url.Values) int {
	g.t.Helper()
	var a answer
	if err := json.Unmarshal([]byte(g.do(http.MethodPost, path, form)), &a); err != nil {
		g.t.Error(err)
	}
	return len(a.Data.Result)
}

func seconds(at time.Time) string { return fmt.Sprint(at.Unix()) }

func openGrafana(t *testing.T) grafana {
	e, conn := open(t, Options{})
	calls(t, conn)
	hosts(t, conn)
	db := query.New(conn, query.Options{Now: func() time.Time { return noon }})
	e.db, e.columns.db = db, db
	return grafana{t, e.Handler()}
}

// The requests of the data source's settings page, query editor, variables, annotations and exemplars.
func TestGrafanaDataSource(t *testing.T) {
	g := openGrafana(t)
	var health struct {
		Data struct {
			ResultType string
			Result     [2]any
		}
	}
	if err := json.Unmarshal([]byte(g.do("POST", "api/v1/query", url.Values{"query": {"1+1"}, "time": {"4"}})), &health); err != nil || health.Data.ResultType != "scalar" || health.Data.Result[1] != "2" {
		t.Errorf("health: %v %+v", err, health)
	}
	var build struct {
		Data struct {
			Version  string
			Features map[string]string
		}
	}
	if err := json.Unmarshal([]byte(g.do("GET", "api/v1/status/buildinfo", nil)), &build); err != nil || !strings.HasPrefix(build.Data.Version, "3.") || len(build.Data.Features) > 0 {
		t.Errorf("it is taken for another product than Prometheus: %v %+v", err, build) // features make it Mimir
	}
	around := url.Values{"start": {seconds(noon.Add(-time.Hour))}, "end": {seconds(noon)}}
	with := func(more ...string) url.Values {
		v := url.Values{"start": around["start"], "end": around["end"]}
		for i := 0; i < len(more); i += 2 {
			v.Add(more[i], more[i+1])
		}
		return v
	}
	for _, c := range []struct {
		method, path string
		form         url.Values
		want         string
	}{
		{"GET", "api/v1/metadata", url.Values{"limit": {"20000"}}, `"system_cpu_time_seconds_total":[{"type":"counter"`},
		{"GET", "api/v1/label/__name__/values", with("limit", "40000"), `"traces_span_metrics_calls_total"`},
		{"POST", "api/v1/labels", with("limit", "40000"), `"span_name"`},
		{"POST", "api/v1/labels", with("match[]", `traces_span_metrics_calls_total{service="frontend"}`), `"status_code"`},
		{"GET", "api/v1/label/service/values", with("match[]", "traces_span_metrics_calls_total"), `["frontend"]`},
		{"GET", "api/v1/label/service/values", with("match[]", `traces_span_metrics_calls_total{deployment_environment_name=~"(prod|test)"}`), `["frontend"]`},
		{"GET", "api/v1/label/host_name/values", with("match[]", "target_info"), `["h1.example"]`},
		{"POST", "api/v1/series", with("match[]", `system_cpu_time_seconds_total{state="idle"}`), `"state":"idle"`},
		{"GET", "api/v1/rules", nil, `"groups":[]`},
		{"POST", "api/v1/query_exemplars", with("query", `histogram_quantile(0.95, sum by (le) (rate(traces_span_metrics_duration_seconds_bucket{service="frontend"}[1m])))`), `"trace_id":"`},
		{"POST", "api/v1/query", url.Values{"query": {`query_result_is_this{}`}, "time": {seconds(noon)}}, `"result":[]`},
	} {
		if body := g.do(c.method, c.path, c.form); !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s has no %s:\n%.600s", c.method, c.path, c.form, c.want, body)
		}
	}
	// The list of names with a part of them typed.
	if body := g.do("GET", "api/v1/label/__name__/values", with("match[]", `{__name__=~".*cpu.*"}`)); strings.Contains(body, "disk") || !strings.Contains(body, "system_cpu_time_seconds_total") {
		t.Error(body)
	}
}

// Every query of the dashboards we ship answers something, variables put in as Grafana does.
func TestGrafanaDashboards(t *testing.T) {
	g := openGrafana(t)
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) != 2 {
		t.Fatalf("%v: %v", err, files)
	}
	put := strings.NewReplacer("$__rate_interval", "1m0s", "$__range", "600s", "$service", "(.*)", "$env", "(.*)", "$host", "(.*)")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Templating  struct{ List []struct{ Definition string } }
			Annotations struct{ List []struct{ Expr, Step string } }
			Panels      []struct {
				Title   string
				Targets []struct {
					Expr              string
					Instant, Exemplar bool
				}
			}
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			found := 0
			for _, target := range p.Targets {
				expr := put.Replace(target.Expr)
				if strings.Contains(expr, "$") {
					t.Errorf("%s: %s: a variable is left: %s", file, p.Title, expr)
				}
				if target.Instant {
					found += g.series("api/v1/query", url.Values{"query": {expr}, "time": {seconds(noon)}})
				} else {
					found += g.series("api/v1/query_range", url.Values{"query": {expr}, "start": {seconds(noon.Add(-10 * time.Minute))}, "end": {seconds(noon)}, "step": {"15"}})
				}
			}
			if found == 0 {
				t.Errorf("%s: %s shows nothing", file, p.Title)
			}
		}
		for _, a := range d.Annotations.List {
			g.series("api/v1/query_range", url.Values{"query": {put.Replace(a.Expr)}, "start": {seconds(noon.Add(-time.Hour))}, "end": {seconds(noon)}, "step": {"60"}})
		}
		for _, v := range d.Templating.List {
			name, rest, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")"), ", ")
			if body := g.do("GET", "api/v1/label/"+rest+"/values", url.Values{"match[]": {put.Replace(name)}, "start": {seconds(noon.Add(-time.Hour))}, "end": {seconds(noon)}}); strings.Contains(body, `"data":[]`) {
				t.Errorf("%s: %s has no values", file, v.Definition)
			}
		}
	}
}
