package main_test

import (
	"net/http"
	"os"
	"regexp"
	"testing"
)

// Every metric of our own that a running product exposes has its row in docs/metrics.md, with its type.
func TestMetricsAreInTheManual(t *testing.T) {
	p := share(t)
	p.fetch(t, "/api/v1/services")
	status, body := p.fetch(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: status %d", status)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	exposed := regexp.MustCompile(`(?m)^# TYPE (tidemark_\w+) (\w+)$`).FindAllSubmatch(body, -1)
	if len(exposed) < 40 {
		t.Errorf("only %d metrics of our own", len(exposed))
	}
	for _, m := range exposed {
		if row := "| `" + string(m[1]) + "` | " + string(m[2]) + " | "; !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(row)).Match(page) {
			t.Errorf("docs/metrics.md has no row %s…", row)
		}
	}
}
