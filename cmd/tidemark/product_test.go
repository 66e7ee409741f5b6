// The tests of this package start the real program with its real engine and use it as its users do: over OTLP, HTTP,
// the websocket and the command line. product is one running program; share gives the one that tests use together,
// under services of their own names, and startProduct one that a test may stop or kill. The program is built once, or
// taken from TIDEMARK_BIN; the engine library is bin/lib/libchdb.so of the checkout, or TIDEMARK_ENGINE_LIB.
package main_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	scratch    string // directory of this run, removed at its end
	sharedOnce sync.Once
	shared     *product
)

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "tidemark-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	code := m.Run()
	if shared != nil {
		if exit := shared.stop(); exit != 0 {
			fmt.Fprintf(os.Stderr, "the shared product ended with exit code %d:\n%s\n", exit, shared.stderr.tail())
			return 1
		}
	}
	return code
}

// binary builds the program once a run.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("TIDEMARK_BIN"); b != "" {
		return filepath.Abs(b)
	}
	out := filepath.Join(scratch, "tidemark")
	cmd := exec.Command("go", "build", "-o", out, ".")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, said)
	}
	return out, nil
})

// engineLibrary finds the engine library: without it nothing here can run, and saying so is better than skipping.
func engineLibrary() (string, error) {
	path := os.Getenv("TIDEMARK_ENGINE_LIB")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "lib", "libchdb.so")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("these tests need the engine library, and %s is not there: run `make build` once, or set TIDEMARK_ENGINE_LIB", path)
	}
	return filepath.Abs(path)
}

// product is one running Tidemark.
type product struct {
	dir        string // data directory
	http       string // HOST:PORT of each port
	grpc       string
	otlpHTTP   string
	pid        int
	enginePID  int
	readyLine  string
	readyAfter time.Duration
	cmd        *exec.Cmd
	stderr     *output
	exited     chan struct{} // closed when the process has ended
}

// output collects what a process says.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) tail() string {
	s := o.String()
	return s[max(0, len(s)-4000):]
}

// ports picks free ones; everything else is as a user gets it.
var ports = []string{"--http-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"}

// command is the program with args, in an environment without settings of the developer's own.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	lib, err := engineLibrary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TIDEMARK_") && !strings.HasPrefix(kv, "OTEL_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "TIDEMARK_ENGINE_LIB="+lib)
	cmd.SysProcAttr = endsWithParent()
	return cmd
}

// share is the product that tests use together. It does not send telemetry about itself, so that what is in it is
// what tests sent.
func share(t testing.TB) *product {
	t.Helper()
	sharedOnce.Do(func() {
		p, err := start(t, filepath.Join(scratch, "shared"), "--self-telemetry=false")
		if err != nil {
			t.Fatal(err)
		}
		shared = p
	})
	if shared == nil {
		t.Fatal("the shared product did not start: see the first test that needed it")
	}
	return shared
}

// startProduct starts a product on dir for one test, and stops it at the test's end.
func startProduct(t testing.TB, dir string, args ...string) *product {
	t.Helper()
	p, err := start(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the product said:\n%s", p.stderr.tail())
		}
	})
	return p
}

func start(t testing.TB, dir string, args ...string) (*product, error) {
	p := &product{dir: dir, stderr: &output{}, exited: make(chan struct{})}
	p.cmd = command(t, append(append([]string{"--data-dir", dir}, ports...), args...)...)
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go p.readStdout(stdout, ready)
	select {
	case p.readyLine = <-ready:
		p.readyAfter = time.Since(began)
		return p, p.parseReady()
	case <-p.exited:
		return nil, fmt.Errorf("the product ended before it was ready:\n%s", p.stderr.tail())
	case <-time.After(90 * time.Second):
		p.kill()
		return nil, fmt.Errorf("the product was not ready within 90 s:\n%s", p.stderr.tail())
	}
}

func (p *product) readStdout(r io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready ") {
			ready <- lines.Text()
			break
		}
	}
	_, _ = io.Copy(io.Discard, r)
	_ = p.cmd.Wait()
	close(p.exited)
}

// readyForm is the line that scripts wait for.
var readyForm = regexp.MustCompile(`^ready http=(127\.0\.0\.1:\d+) otlp_grpc=((?:127\.0\.0\.1|\[::\]):\d+) otlp_http=(127\.0\.0\.1:\d+) pid=(\d+) engine_pid=(\d+)$`)

func (p *product) parseReady() error {
	m := readyForm.FindStringSubmatch(p.readyLine)
	if m == nil {
		p.kill()
		return fmt.Errorf("the ready line %q is not of the form %s", p.readyLine, readyForm)
	}
	p.http, p.grpc, p.otlpHTTP = m[1], m[2], m[3]
	p.pid, _ = strconv.Atoi(m[4])
	p.enginePID, _ = strconv.Atoi(m[5])
	return nil
}

// stop asks the product to end and returns its exit code.
func (p *product) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(60 * time.Second):
		p.kill()
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the product as a power cut would.
func (p *product) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// tidemark runs a command of the program beside the product, on its data directory.
func (p *product) tidemark(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, "TIDEMARK_DATA_DIR="+p.dir)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

// sql answers a query as `tidemark sql` prints it, without the last line break.
func (p *product) sql(t testing.TB, query string) string {
	t.Helper()
	out, said, err := p.tidemark(t, "sql", query)
	if err != nil {
		t.Fatalf("tidemark sql %q: %v\n%s", query, err, said)
	}
	return strings.TrimSuffix(out, "\n")
}

// count is an sql query of one number.
func (p *product) count(t testing.TB, query string) int {
	t.Helper()
	n, err := strconv.Atoi(p.sql(t, query))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// rows are a query's rows, each decoded from its JSON object.
func rows[T any](t testing.TB, p *product, query string) []T {
	t.Helper()
	out, said, err := p.tidemark(t, "sql", "--format", "JSONEachRow", query)
	if err != nil {
		t.Fatalf("tidemark sql %q: %v\n%s", query, err, said)
	}
	var all []T
	d := json.NewDecoder(strings.NewReader(out))
	for {
		var row T
		switch err := d.Decode(&row); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v in %.2000s", query, err, out)
		}
		all = append(all, row)
	}
}

// unique is a service name that no other test or run of a test on the same product has.
func unique(name string) string { return name + "-" + hex.EncodeToString(randomBytes(3)) }

// within asks until done, for what the product does in its own time; it fails the test when that takes longer than limit.
func within(t testing.TB, limit time.Duration, what string, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}
