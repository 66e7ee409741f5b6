package main_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadyAnswersEverywhere(t *testing.T) {
	p := share(t)
	if p.pid != p.cmd.Process.Pid || p.enginePID == 0 || p.enginePID == p.pid {
		t.Errorf("%q: the process is %d and the engine must be another", p.readyLine, p.cmd.Process.Pid)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/status", "/"} {
		if status, body := p.fetch(t, path); status != http.StatusOK {
			t.Errorf("GET %s: status %d: %.200s", path, status, body)
		}
	}
	for _, addr := range []string{p.http, p.grpc, p.otlpHTTP} {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			t.Errorf("announced as ready: %v", err)
			continue
		}
		c.Close()
	}
}

// A stop writes what was accepted, ends with 0 and leaves a directory that the next start takes up at once.
func TestStopAndStartAgain(t *testing.T) {
	dir := t.TempDir()
	p := startProduct(t, dir, "--self-telemetry=false")
	first := p.readyAfter
	s := newSender(t, p)
	sent := s.mustSend(t, "stop-and-start", 100)
	if code := p.stop(); code != 0 {
		t.Fatalf("SIGTERM: exit code %d, want 0\n%s", code, p.stderr.tail())
	}
	if _, err := net.DialTimeout("tcp", p.http, time.Second); err == nil {
		t.Errorf("%s still answers after the stop", p.http)
	}
	if _, err := os.FindProcess(p.enginePID); err != nil || processLives(p.enginePID) {
		t.Errorf("the engine (process %d) outlived the stop", p.enginePID)
	}

	p = startProduct(t, dir, "--self-telemetry=false")
	t.Logf("first start ready after %v, second after %v", first.Round(time.Millisecond), p.readyAfter.Round(time.Millisecond))
	if p.readyAfter > 10*time.Second {
		t.Errorf("second start ready after %v: it should take about 2 s", p.readyAfter)
	}
	p.waitSpooled(t)
	if got := p.count(t, fmt.Sprintf(countSpans, "stop-and-start")); got != sent {
		t.Errorf("%d spans after the restart, want the %d acknowledged before", got, sent)
	}
}

// What keeps the product from starting is said in one sentence with a way out.
func TestRefusals(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "format"), []byte("999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want []string // all in the sentence
	}{
		{"busy HTTP port", []string{"--http-addr", taken}, []string{taken, "in use", "--http-addr"}},
		{"busy gRPC port", []string{"--otlp-grpc-addr", taken}, []string{taken, "in use", "--otlp-grpc-addr"}},
		{"busy OTLP HTTP port", []string{"--otlp-http-addr", taken}, []string{taken, "in use", "--otlp-http-addr"}},
		{"data directory below a file", []string{"--data-dir", filepath.Join(file, "data")}, []string{file, "--data-dir"}},
		{"data directory of a newer version", []string{"--data-dir", newer}, []string{newer, "newer", "--data-dir"}},
		{"data directory in use", []string{"--data-dir", share(t).dir}, []string{share(t).dir, "in use", "--data-dir"}},
		{"missing engine library", []string{"--engine-lib", "/nowhere/libchdb.so"}, []string{"/nowhere/libchdb.so", "--engine-lib"}},
		{"unknown flag", []string{"--colour", "blue"}, []string{"colour", "help"}},
		{"address that others reach", []string{"--http-addr", "0.0.0.0:0"}, []string{"0.0.0.0:0", "127.0.0.1", "--allow-open"}},
		{"malformed address", []string{"--otlp-grpc-addr", "here"}, []string{"--otlp-grpc-addr", `"here"`, "HOST:PORT"}},
		{"one role without a store", []string{"ingest"}, []string{"--clickhouse-dsn"}},
		{"unknown command", []string{"serve"}, []string{"serve", "help"}},
		{"missing configuration file", []string{"--config", "/nowhere/tidemark.yaml"}, []string{"/nowhere/tidemark.yaml", "--config"}},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.args, c.want) })
	}
}

// refused starts the program with args and expects it to end with one sentence. A command comes before its flags.
func refused(t *testing.T, args, want []string) {
	t.Helper()
	var given []string
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		given, args = args[:1], args[1:]
	}
	given = append(given, "--data-dir", t.TempDir())
	given = append(append(given, ports...), args...)
	cmd := command(t, given...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("still running after 60 s: %s", stderr.String())
	}
	if cmd.ProcessState.ExitCode() <= 0 {
		t.Errorf("exit code %d, want one above 0", cmd.ProcessState.ExitCode())
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout has %q, want nothing", stdout.String())
	}
	said := strings.TrimSpace(stderr.String())
	if said == "" || strings.Contains(said, "\n") {
		t.Errorf("stderr has %d lines, want one sentence:\n%s", strings.Count(said, "\n")+1, said)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("%q does not contain %q", said, w)
		}
	}
	t.Log(said)
}
