package ingest

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// What is exposed is what docs/metrics.md says, and what it says is exposed. The numbers are those of the traffic.
func TestMetricsAreDocumentedAndCount(t *testing.T) {
	_, dsn := storetest.DB(t)
	o, registry := testOptions(t, dsn), prometheus.NewPedanticRegistry()
	o.Registerer, o.Limits.Operations = registry, 2
	in := start(t, o)
	submit(t, in, Traces, spansOf(0, 30))
	again := spansOf(100, 10)
	submit(t, in, Traces, again)
	submit(t, in, Traces, again)
	submit(t, in, Traces, named("crowded", "a", "b", "c"))
	in.Refuse(Logs, RefusedTooLarge, "too large")
	in.stats.insertFailed("spans", errShutDown)
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.stats.history.take(in.stats, time.Now())
	text := scrape(registry)
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := documented(text)
	for name, row := range rows {
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/metrics.md lacks %s as\n%s", name, row)
		}
	}
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `tidemark_ingest_"); ok && !strings.HasPrefix(name, "key") {
			name, _, _ := strings.Cut(name, "`")
			if _, ok := rows["tidemark_ingest_"+name]; !ok {
				t.Errorf("docs/metrics.md has tidemark_ingest_%s, which is not exposed", name)
			}
		}
	}
	for _, want := range []string{
		`items_total{signal="traces"} 43`,
		`stored_items_total{signal="traces"} 43`,
		`requests_total{signal="traces"} 3`,
		`duplicate_requests_total{signal="traces"} 1`,
		`refused_requests_total{signal="logs"} 1`,
		`reasons_total{reason="too_large",signal="logs"} 1`,
		`reasons_total{reason="operation_folded",signal="traces"} 1`,
		`insert_errors_total{table="spans"} 1`,
		`service_items_total{service="crowded",signal="traces"} 3`,
		`beyond_cap_total{kind="operations"} 1`,
		`names_beyond_cap{kind="operations"} 1`,
		`cap{kind="operations"} 2`,
		`folded_operations_total 1`,
		`storing 1`,
		`in_flight_limit_bytes 2.68435456e+08`,
	} {
		if !strings.Contains(text, "\ntidemark_ingest_"+want+"\n") {
			t.Errorf("not exposed: %s", want)
		}
	}
}

func scrape(registry *prometheus.Registry) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

var labelName = regexp.MustCompile(`(\w+)="`)

// documented is how metrics stand in docs/metrics.md, by name.
func documented(text string) map[string]string {
	help, kind, rows := map[string]string{}, map[string]string{}, map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.SplitN(line, " ", 4)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			help[words[2]] = words[3]
		case strings.HasPrefix(line, "# TYPE "):
			kind[words[2]] = words[3]
		default:
			name, _, _ := strings.Cut(words[0], "{")
			var labels []string
			for _, m := range labelName.FindAllStringSubmatch(line, -1) {
				labels = append(labels, "`"+m[1]+"`")
			}
			rows[name] = fmt.Sprintf("| `%s` | %s | %s | %s |", name, kind[name], strings.Join(labels, ", "), help[name])
		}
	}
	return rows
}

// named makes a request of spans of one service, one for each name.
func named(service string, names ...string) []byte {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(sentBy(service, "a", len(names), time.Now())); err != nil {
		panic(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i, name := range names {
		spans.At(i).SetName(name)
	}
	b, err := req.MarshalProto()
	if err != nil {
		panic(err)
	}
	return b
}
