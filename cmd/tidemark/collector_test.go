package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
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
			res := goResource(unique("collector-" + strings.ReplaceAll(c.name, " ", "-")))
			t.Run("traces", func(t *testing.T) { goTraces(t, p, exporters.traces, res) })
			t.Run("metrics", func(t *testing.T) { goMetrics(t, p, exporters.metrics, res) })
			t.Run("logs", func(t *testing.T) { goLogs(t, p, exporters.logs, res) })
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
	cmd := exec.Command(bin, "--config", "file:"+file, "--config", "yaml:service::telemetry: {metrics: {level: none}, logs: {level: warn}}")
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
