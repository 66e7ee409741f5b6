package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/control"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/otlpsink"
)

// program is a demo running as from the command line.
type program struct {
	*testing.T
	control string      // address of the control page
	stop    func() int  // interrupts it and returns the exit code
	stderr  *lineBuffer // all it said there
	lines   chan string // what it says on stdout after the ready line
}

type lineBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lineBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var readyLine = regexp.MustCompile(`^ready control=http://(127\.0\.0\.1:\d+)/ otlp=127\.0\.0\.1:\d+ pid=\d+$`)

func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	p := &program{T: t, stderr: &lineBuffer{}, lines: make(chan string, 100)}
	go func() {
		code <- run(ctx, append([]string{"--control-addr", "127.0.0.1:0"}, args...), writer, p.stderr)
		writer.Close()
	}()
	p.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { p.stop() })

	lines := bufio.NewScanner(reader)
	if !lines.Scan() {
		t.Fatalf("no ready line; it said: %s", p.stderr)
	}
	found := readyLine.FindStringSubmatch(lines.Text())
	if found == nil {
		t.Fatalf("%q is no ready line", lines.Text())
	}
	p.control = found[1]
	go func() {
		for lines.Scan() {
			p.lines <- lines.Text()
		}
	}()
	return p
}

// command runs a command against the program, as from a second terminal.
func (p *program) command(args ...string) (code int, output string) {
	p.Helper()
	var out lineBuffer
	code = run(p.Context(), append(args, "--control-addr", p.control), &out, &out)
	return code, out.String()
}

func (p *program) state() (state control.State) {
	p.Helper()
	resp, err := http.Get("http://" + p.control + "/state")
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		p.Fatal(err)
	}
	return state
}

func (p *program) eventually(what string, holds func() bool) {
	p.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("after 20 s still not: %s; it said: %s", what, p.stderr)
		}
	}
}

func TestTheShopRunsUnderLoad(t *testing.T) {
	sink := otlpsink.Start(t)
	p := startProgram(t, "--otlp-endpoint", "http://"+sink.Address, "--rate", "60", "--metric-interval", "200ms")
	p.eventually("a hundred requests were made", func() bool { return p.state().Load.Requests > 100 })

	state := p.state()
	if len(state.Services) != 10 || !state.Telemetry.Connected || !state.Load.Running || state.Load.Skipped > 0 {
		t.Errorf("state: %+v", state)
	}
	if state.Load.Failed > 0 {
		t.Errorf("%d of %d requests failed in a healthy shop", state.Load.Failed, state.Load.Requests)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if said := p.stderr.String(); said != "" {
		t.Errorf("a healthy run says nothing on stderr, but: %s", said)
	}

	services := map[string]map[string]bool{} // trace → services
	for _, span := range sink.Spans() {
		if services[span.Trace()] == nil {
			services[span.Trace()] = map[string]bool{}
		}
		services[span.Trace()][span.Resource["service.name"]] = true
	}
	widest := 0
	for _, seen := range services {
		widest = max(widest, len(seen))
	}
	if widest < 4 {
		t.Errorf("the widest of %d traces spans %d services, want at least 4", len(services), widest)
	}
	if len(sink.Logs()) == 0 || len(sink.Metrics()) == 0 {
		t.Errorf("%d logs and %d metrics arrived", len(sink.Logs()), len(sink.Metrics()))
	}
}

func TestItWaitsQuietlyForTheEndpoint(t *testing.T) {
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := reserved.Addr().String()
	reserved.Close()

	p := startProgram(t, "--otlp-endpoint", address, "--rate", "50")
	if said := <-p.lines; !strings.HasPrefix(said, "waiting for an OTLP endpoint at "+address) {
		t.Errorf("it says %q", said)
	}
	if state := p.state(); state.Load.Running || state.Telemetry.Connected {
		t.Errorf("without an endpoint: %+v %+v", state.Load, state.Telemetry)
	}
	sink := otlpsink.StartAt(t, address)
	p.eventually("spans arrive", func() bool { return len(sink.Spans()) > 0 })
	if code := p.stop(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d, stderr: %s", code, p.stderr)
	}
}

func TestStoppingWithoutEndpointIsQuickAndQuiet(t *testing.T) {
	p := startProgram(t, "--otlp-endpoint", "127.0.0.1:1")
	start := time.Now()
	code := p.stop()
	if took := time.Since(start); code != 0 || took > 5*time.Second || p.stderr.String() != "" {
		t.Errorf("exit code %d after %v, stderr: %s", code, took, p.stderr)
	}
}

func TestDurationEndsTheRun(t *testing.T) {
	sink := otlpsink.Start(t)
	var out, errs lineBuffer
	start := time.Now()
	code := run(t.Context(), []string{"--otlp-endpoint", sink.Address, "--control-addr", "127.0.0.1:0", "--duration", "1s"}, &out, &errs)
	if took := time.Since(start); code != 0 || took < time.Second || took > 15*time.Second || errs.String() != "" {
		t.Errorf("exit code %d after %v, stderr: %s", code, took, errs.String())
	}
}

func TestInterruptedBeforeReady(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs lineBuffer
	if code := run(ctx, []string{"--control-addr", "127.0.0.1:0"}, &out, &errs); code != 0 || errs.String() != "" {
		t.Errorf("exit code %d, stderr: %s", code, errs.String())
	}
}

func TestFaultCommands(t *testing.T) {
	sink := otlpsink.Start(t)
	p := startProgram(t, "--otlp-endpoint", sink.Address, "--rate", "0")

	if code, out := p.command("fault", "n-plus-one", "on"); code != 0 || !strings.HasPrefix(out, "n-plus-one is on: ") {
		t.Errorf("fault n-plus-one on: code %d, %q", code, out)
	}
	code, out := p.command("faults")
	if code != 0 || !regexp.MustCompile(`(?m)^n-plus-one +on `).MatchString(out) || !regexp.MustCompile(`(?m)^slow-query +off `).MatchString(out) {
		t.Errorf("faults: code %d\n%s", code, out)
	}
	if code, out := p.command("fault", "n-plus-one", "off"); code != 0 || !strings.HasPrefix(out, "n-plus-one is off: ") {
		t.Errorf("fault n-plus-one off: code %d, %q", code, out)
	}
	if code, out := p.command("fault", "bad-weather", "on"); code != 1 || !strings.Contains(out, "bad-weather") || !strings.Contains(out, "slow-release") {
		t.Errorf("an unknown fault: code %d, %q", code, out)
	}
}

func TestMisuseIsToldInOneSentence(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out lineBuffer
		code := run(t.Context(), args, &out, &out)
		if code != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("%q: code %d, %q, want 2 and %q", args, code, out.String(), want)
		}
	}
	f("usage: tidemark-demo fault NAME on|off", "fault", "slow-query")
	f("usage: tidemark-demo fault NAME on|off", "fault", "slow-query", "maybe")
	f("is no command", "start")
	f("loopback only", "--control-addr", "0.0.0.0:8090")
	f("is not HOST:PORT", "--control-addr", "8090")
	f("outside 0 to 1000", "--rate", "-1")
	f("flag provided but not defined", "--colour")
}

func TestControlIsNotRunning(t *testing.T) {
	var out lineBuffer
	if code := run(t.Context(), []string{"faults", "--control-addr", "127.0.0.1:1"}, &out, &out); code != 1 || !strings.Contains(out.String(), "is it running?") {
		t.Errorf("code %d, %q", code, out.String())
	}
}
