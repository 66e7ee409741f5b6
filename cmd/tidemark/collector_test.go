package main_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// collectorBinary builds bench/collector once a run; Go's build cache makes that quick after the first time on a machine.
var collectorBinary = sync.OnceValues(func() (string, error) {
	out := filepath.Join(scratch, "collector")
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir = filepath.Join("..", "..", "bench", "collector")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build bench/collector: %w\n%s", err, said)
	}
	return out, nil
})

// The Collector between the Go SDK and Tidemark, by each of its OTLP exporters, under their present names and their old
// ones: all arrives as it was sent. They compress with gzip unless told otherwise.
func TestCollector(t *testing.T) {
	for _, c := range []struct{ name, exporter string }{
		{"grpc", "otlp: {endpoint: '%s', tls: {insecure: true}}"},
		{"grpc zstd", "otlp_grpc: {endpoint: '%s', compression: zstd, tls: {insecure: true}}"},
		{"http", "otlphttp: {endpoint: 'http://%s'}"},
		{"http zstd", "otlp_http: {endpoint: 'http://%s', compression: zstd}"},
		{"http json", "otlp_http: {endpoint: 'http://%s', encoding: json, compression: none}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := share(t)
			addr := p.grpc
			if strings.HasPrefix(c.name, "http") {
				addr = p.otlpHTTP
			}
			receiver := startCollector(t, fmt.Sprintf(c.exporter, addr))
			exporters, err := overGRPC()(t.Context(), &product{grpc: receiver}, sdkmetric.DefaultTemporalitySelector)
			if err != nil {
				t.Fatal(err)
			}
			res := goResource("collector-" + strings.ReplaceAll(c.name, " ", "-"))
			where := fmt.Sprintf(" WHERE service = '%s'", serviceOf(res))
			through := func(count string) through { return through{t: t, p: p, count: count} }
			spans := through("SELECT count() FROM spans" + where)
			points := through("SELECT count() FROM metric_samples WHERE series IN (SELECT fingerprint FROM metric_series" + where + ")")
			logs := through("SELECT count() FROM logs" + where)
			t.Run("traces", func(t *testing.T) { goTraces(t, p, &throughSpans{exporters.traces, spans}, res) })
			t.Run("metrics", func(t *testing.T) { goMetrics(t, p, &throughMetrics{exporters.metrics, points}, res) })
			t.Run("logs", func(t *testing.T) { goLogs(t, p, goExporters{logs: &throughLogs{exporters.logs, logs}}, res) })
		})
	}
}

// startCollector runs a collector with one exporter and returns the address of its gRPC receiver.
func startCollector(t *testing.T, exporter string) string {
	t.Helper()
	addr := freeAddr(t)
	name, _, _ := strings.Cut(exporter, ":")
	pipeline := "{receivers: [otlp], processors: [batch], exporters: [" + name + "]}"
	runCollector(t, `receivers: {otlp: {protocols: {grpc: {endpoint: '`+addr+`'}}}}
processors: {batch: {timeout: 50ms}}
exporters: {`+exporter+`}
service: {pipelines: {traces: `+pipeline+`, metrics: `+pipeline+`, logs: `+pipeline+`}}
`, addr)
	return addr
}

// freeAddr is a loopback address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runCollector runs a collector until the test's end; it returns when receiver answers.
func runCollector(t *testing.T, config, receiver string) {
	t.Helper()
	bin, err := collectorBinary()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--config", "file:"+file, "--config", "yaml:service::telemetry::metrics::level: none")
	cmd.SysProcAttr = endsWithParent()
	said := &output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the collector said:\n%s", said.tail())
		}
	})
	within(t, 20*time.Second, "the collector listens", func() bool {
		c, err := net.DialTimeout("tcp", receiver, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// through waits, after each export to the collector, until what it passes on is stored.
type through struct {
	t     *testing.T
	p     *product
	count string // query
}

func (w through) wait(atLeast int) {
	within(w.t, 20*time.Second, fmt.Sprintf("%d rows by %s", atLeast, w.count), func() bool { return w.p.count(w.t, w.count) >= atLeast })
}

type throughSpans struct {
	sdktrace.SpanExporter
	through
}

func (e *throughSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		return err
	}
	e.wait(len(spans))
	return nil
}

type throughMetrics struct {
	sdkmetric.Exporter
	through
}

func (e *throughMetrics) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	before, sent := e.p.count(e.t, e.count), 0
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			points, _ := pointsOf(m)
			sent += len(points)
		}
	}
	if err := e.Exporter.Export(ctx, rm); err != nil {
		return err
	}
	e.wait(before + sent)
	return nil
}

type throughLogs struct {
	sdklog.Exporter
	through
}

func (e *throughLogs) Export(ctx context.Context, records []sdklog.Record) error {
	if err := e.Exporter.Export(ctx, records); err != nil {
		return err
	}
	e.wait(len(records))
	return nil
}
