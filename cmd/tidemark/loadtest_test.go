package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// recorded is one request of k6 v1.8.1, as a server got it that kept every body: testdata/k6.
type recorded struct {
	Path, Type, Encoding, Version string
	Body                          []byte
}

// What k6 sends fills every panel of the dashboard for load tests, however it is told to send, and comes to the
// numbers that k6 printed at its end.
func TestLoadTestDashboard(t *testing.T) {
	p := share(t)
	for _, c := range []struct {
		name                       string
		requests, failed, iterated float64
		passed                     float64 // of the checks; 0: remote write tells a share for each of them only
	}{
		{"percentiles", 189, 83, 146, 0}, // -o experimental-prometheus-rw, K6_PROMETHEUS_RW_TREND_STATS=p(50),p(90),p(95),p(99),avg
		{"native", 184, 81, 143, 0},      // the same with K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM
		{"otlp", 175, 40, 135, 135},      // -o opentelemetry, K6_OTEL_METRIC_PREFIX=k6_
		{"otlp-pairs", 172, 37, 135, 135},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, now := unique(c.name), time.Now()
			replay(t, p, c.name, id, now.Add(-settled))
			panelsAnswer(t, p, id, now)
			for expr, want := range map[string]float64{
				`sum({__name__=~"(k6_)?http_reqs_total", testid="` + id + `"})`:                                                                                                  c.requests,
				`sum({__name__=~"(k6_)?http_reqs_total", testid="` + id + `", expected_response="false"})`:                                                                       c.failed,
				`sum({__name__=~"(k6_)?iterations_total", testid="` + id + `"})`:                                                                                                 c.iterated,
				`sum({__name__=~"(k6_)?checks_total", condition="nonzero", testid="` + id + `"} or {__name__=~"(k6_)?checks_occurred_total", testid="` + id + `"}) or vector(0)`: c.passed,
			} {
				if got := p.instant(t, expr, now); len(got) != 1 || got[0] != want {
					t.Errorf("%s = %v, k6 said %v", expr, got, want)
				}
			}
		})
	}
}

// TestLoadTestByK6 runs k6 itself: TIDEMARK_K6=$(which k6) go test -run TestLoadTestByK6 ./cmd/tidemark
func TestLoadTestByK6(t *testing.T) {
	bin := os.Getenv("TIDEMARK_K6")
	if bin == "" {
		t.Skip("TIDEMARK_K6 names no k6")
	}
	p := share(t)
	for name, c := range map[string]struct {
		output string
		env    []string
	}{
		"remote write": {"experimental-prometheus-rw", []string{"K6_PROMETHEUS_RW_TREND_STATS=p(50),p(90),p(95),p(99),avg"}},
		"native":       {"experimental-prometheus-rw", []string{"K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM=true"}},
		"otlp http":    {"opentelemetry", []string{"K6_OTEL_METRIC_PREFIX=k6_", "K6_OTEL_EXPORTER_PROTOCOL=http/protobuf"}},
		"otlp grpc":    {"opentelemetry", []string{"K6_OTEL_METRIC_PREFIX=k6_", "K6_OTEL_EXPORTER_PROTOCOL=grpc"}},
	} {
		t.Run(name, func(t *testing.T) {
			id := unique("k6")
			cmd := exec.Command(bin, "run", "--quiet", "--address", "localhost:0", "--tag", "testid="+id, "-o", c.output, filepath.Join("testdata", "k6", "script.js"))
			cmd.Env = append(os.Environ(), append(c.env, "K6_NO_USAGE_REPORT=true", "TARGET=http://"+p.http, "K6_PROMETHEUS_RW_SERVER_URL=http://"+p.otlpHTTP+"/api/v1/write", "K6_OTEL_EXPORT_INTERVAL=5s",
				"K6_OTEL_HTTP_EXPORTER_ENDPOINT="+p.otlpHTTP, "K6_OTEL_HTTP_EXPORTER_INSECURE=true", "K6_OTEL_GRPC_EXPORTER_ENDPOINT="+p.grpc, "K6_OTEL_GRPC_EXPORTER_INSECURE=true")...)
			said, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			panelsAnswer(t, p, id, time.Now())
		})
	}
}

// settled is how far before the moment that is asked for telemetry ends: more than a rollup's 10 s.
const settled = 20 * time.Second

// replay sends what was recorded as if it had ended then, under a test id of its own.
func replay(t *testing.T, p *product, name, id string, then time.Time) {
	t.Helper()
	compressed, err := os.ReadFile(filepath.Join("testdata", "k6", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var bodies []shiftable
	newest := int64(math.MinInt64)
	for _, r := range all {
		b := read(t, r)
		bodies, newest = append(bodies, b), max(newest, b.newest())
	}
	by := then.UnixMilli() - newest
	for i, b := range bodies {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.otlpHTTP+all[i].Path, bytes.NewReader(b.shifted(t, by, id)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", all[i].Type)
		if all[i].Encoding != "" {
			req.Header.Set("Content-Encoding", all[i].Encoding)
			req.Header.Set("X-Prometheus-Remote-Write-Version", all[i].Version)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode/100 != 2 {
			t.Fatalf("request %d of %s: %s", i, name, res.Status)
		}
	}
}

// shiftable is a body whose moments, in milliseconds, can be others.
type shiftable interface {
	newest() int64
	shifted(t *testing.T, by int64, id string) []byte
}

func read(t *testing.T, r recorded) shiftable {
	t.Helper()
	if r.Encoding == "snappy" {
		b, err := snappy.Decode(nil, r.Body)
		if err != nil {
			t.Fatal(err)
		}
		w := &written{}
		if err := w.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		return w
	}
	e := &exported{}
	if err := proto.Unmarshal(r.Body, &e.ExportMetricsServiceRequest); err != nil {
		t.Fatal(err)
	}
	return e
}

type written struct{ prompb.WriteRequest }

func (w *written) newest() int64 {
	at := int64(math.MinInt64)
	for _, s := range w.Timeseries {
		for _, x := range s.Samples {
			at = max(at, x.Timestamp)
		}
	}
	return at
}

func (w *written) shifted(t *testing.T, by int64, id string) []byte {
	for i := range w.Timeseries {
		s := &w.Timeseries[i]
		for j := range s.Labels {
			if s.Labels[j].Name == "testid" {
				s.Labels[j].Value = id
			}
		}
		for j := range s.Samples {
			s.Samples[j].Timestamp += by
		}
		for j := range s.Histograms {
			s.Histograms[j].Timestamp += by
		}
	}
	b, err := w.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, b)
}

type exported struct {
	collectormetrics.ExportMetricsServiceRequest
}

// each visits the points of all kinds that k6 sends.
func (e *exported) each(visit func(start, at *uint64, attributes []*common.KeyValue)) {
	for _, r := range e.ResourceMetrics {
		for _, s := range r.ScopeMetrics {
			for _, m := range s.Metrics {
				var numbers []*metrics.NumberDataPoint
				switch d := m.Data.(type) {
				case *metrics.Metric_Gauge:
					numbers = d.Gauge.DataPoints
				case *metrics.Metric_Sum:
					numbers = d.Sum.DataPoints
				case *metrics.Metric_Histogram:
					for _, p := range d.Histogram.DataPoints {
						visit(&p.StartTimeUnixNano, &p.TimeUnixNano, p.Attributes)
					}
				}
				for _, p := range numbers {
					visit(&p.StartTimeUnixNano, &p.TimeUnixNano, p.Attributes)
				}
			}
		}
	}
}

func (e *exported) newest() int64 {
	at := int64(math.MinInt64)
	e.each(func(_, ts *uint64, _ []*common.KeyValue) { at = max(at, int64(*ts/1e6)) })
	return at
}

func (e *exported) shifted(t *testing.T, by int64, id string) []byte {
	e.each(func(start, at *uint64, attributes []*common.KeyValue) {
		*start += uint64(by) * 1e6
		*at += uint64(by) * 1e6
		for _, a := range attributes {
			if a.Key == "testid" {
				a.Value = stringAttribute("", id).Value
			}
		}
	})
	b, err := proto.Marshal(&e.ExportMetricsServiceRequest)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// panelsAnswer waits until each expression of the dashboard for load tests has data of one test at a moment, however
// long that takes.
func panelsAnswer(t *testing.T, p *product, id string, now time.Time) {
	t.Helper()
	service := unique("under-load")
	r := request(service, 20)
	for _, span := range r.ResourceSpans[0].ScopeSpans[0].Spans {
		span.StartTimeUnixNano = uint64(now.Add(-settled).UnixNano())
		span.EndTimeUnixNano = span.StartTimeUnixNano + uint64(2*time.Millisecond)
	}
	if err := newSender(t, p).send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Queries []struct{ Expr, Legend string }
		}
	}
	p.get(t, "/api/v1/dashboards/load-test", &d)
	chosen := strings.NewReplacer("$testid", id, "$scenario", ".*", "$window", "1m", "$service", service, "$p95_limit", "0.5", "$failed_limit", "0.01", "$checks_limit", "0.99")
	asked := 0
	for _, panel := range d.Panels {
		for _, q := range panel.Queries {
			expr := chosen.Replace(q.Expr)
			asked++
			within(t, time.Minute, fmt.Sprintf("data of %q, %q: %s", panel.Title, q.Legend, expr), func() bool { return len(p.instant(t, expr, now)) > 0 })
		}
	}
	if asked < 30 {
		t.Errorf("the dashboard asks %d questions", asked)
	}
}

// instant is what an expression comes to at a moment, without labels.
func (p *product) instant(t *testing.T, expr string, at time.Time) []float64 {
	t.Helper()
	var a struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	p.get(t, "/prometheus/api/v1/query?"+url.Values{"query": {expr}, "time": {at.UTC().Format(time.RFC3339Nano)}}.Encode(), &a)
	var out []float64
	for _, r := range a.Data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}
