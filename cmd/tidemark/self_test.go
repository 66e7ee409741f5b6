package main_test

import (
	"syscall"
	"testing"
	"time"
)

// Tidemark is its own first customer: its service appears by itself with traces, metrics and logs.
func TestSelfTelemetry(t *testing.T) {
	p := startProduct(t, t.TempDir())
	query := func(table string) string { return "SELECT count() FROM " + table + " WHERE service = 'tidemark'" }
	began := time.Now()
	if err := syscall.Kill(p.enginePID, syscall.SIGKILL); err != nil { // gives it something to log
		t.Fatal(err)
	}
	p.currentEngine(t, p.enginePID)
	within(t, 30*time.Second, "queries are answered again", func() bool {
		_, _, err := p.tidemark(t, "sql", "SELECT 1")
		return err == nil
	})
	for _, table := range []string{"metric_series", "logs", "spans"} {
		within(t, 45*time.Second, "rows of service tidemark in "+table, func() bool {
			p.fetch(t, "/api/v1/services") // gives it something to trace
			return p.count(t, query(table)) > 0
		})
		t.Logf("%s after %v", table, time.Since(began).Round(time.Millisecond))
	}
	var status struct {
		HasData bool `json:"has_data"`
	}
	p.get(t, "/api/v1/status", &status)
	if status.HasData {
		t.Error("GET /status: has_data is true although all there is is Tidemark's own")
	}
	s := newSender(t, p)
	s.mustSend(t, "somebody", 1)
	within(t, 10*time.Second, "has_data turns true with the first span of a service", func() bool {
		p.get(t, "/api/v1/status", &status)
		return status.HasData
	})
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d with own telemetry\n%s", code, p.stderr.tail())
	}
}

// The shared product has run for a while without the flag's default.
func TestNoSelfTelemetry(t *testing.T) {
	p := startProduct(t, t.TempDir(), "--self-telemetry=false")
	newSender(t, p).mustSend(t, "somebody", 1)
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p = startProduct(t, p.dir, "--self-telemetry=false") // what was sent while stopping would be there now
	for _, table := range []string{"spans", "logs", "metric_series"} {
		if n := p.count(t, "SELECT count() FROM "+table+" WHERE service = 'tidemark'"); n > 0 {
			t.Errorf("%d rows of Tidemark's own in %s", n, table)
		}
	}
}
