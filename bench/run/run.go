// Package run starts a built Tidemark for the tools that prove or measure something with the real binary. Its main type
// is Product, one running process and the data directory that outlives it. A product that was started is ended by Stop
// or Kill.
package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyWithin is how long a start may take.
const readyWithin = 90 * time.Second

// Product is a Tidemark in a directory of its own. Several may run in turn on one directory.
type Product struct {
	Bin string // the binary
	Dir string // the data directory; what the process says is in Dir.log
	// Args are the arguments, with fixed addresses where clients must find it again after a restart.
	Args []string

	mu    sync.Mutex
	cmd   *exec.Cmd         // guarded by mu, like ready
	ready map[string]string // what the line "ready" named
}

// Start runs the product and returns when it is ready.
func (p *Product) Start() error {
	cmd := exec.Command(p.Bin, append(append([]string{}, p.Args...), "--data-dir", p.Dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Bin, err)
	}
	said, err := os.OpenFile(p.Dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Bin, err)
	}
	defer said.Close()
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.Bin, err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- rest
			}
		}
	}()
	select {
	case line, ok := <-ready:
		if !ok {
			cmd.Wait()
			return fmt.Errorf("%s ended before it was ready; see %s.log", p.Bin, p.Dir)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cmd, p.ready = cmd, map[string]string{}
		for _, field := range strings.Fields(line) {
			name, value, _ := strings.Cut(field, "=")
			p.ready[name] = value
		}
		return nil
	case <-time.After(readyWithin):
		cmd.Process.Kill()
		cmd.Wait()
		return fmt.Errorf("%s is not ready after %s; see %s.log", p.Bin, readyWithin, p.Dir)
	}
}

// Named is a value of the line "ready": http, otlp_grpc, otlp_http, pid, …
func (p *Product) Named(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready[name]
}

// PID is the process's id.
func (p *Product) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Kill ends the process without warning.
func (p *Product) Kill() { p.end(syscall.SIGKILL) }

// Stop ends the process as an operator does.
func (p *Product) Stop() { p.end(syscall.SIGTERM) }

func (p *Product) end(s syscall.Signal) {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	if cmd != nil {
		cmd.Process.Signal(s)
		cmd.Wait()
	}
}

// KillEngine ends the embedded ClickHouse, which the product starts again, and reports whether there was one.
func (p *Product) KillEngine() bool {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return false
	}
	killed := false
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == p.PID() {
			killed = syscall.Kill(child, syscall.SIGKILL) == nil || killed
		}
	}
	return killed
}

// SQL asks the store; args are further arguments of the command.
func (p *Product) SQL(query string, args ...string) (string, error) {
	cmd := exec.Command(p.Bin, append(append([]string{"sql", "--data-dir", p.Dir}, args...), query)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s sql: %w: %s", p.Bin, err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Count is SQL for a query whose answer is one number.
func (p *Product) Count(query string) (int64, error) {
	out, err := p.SQL(query)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(out, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// Spool is what GET /api/v1/ingest says about batches kept aside.
type Spool struct{ Batches, Bytes, Quarantined int64 }

// Spool asks the product.
func (p *Product) Spool() (Spool, error) {
	var state struct{ Spool Spool }
	res, err := http.Get("http://" + p.Named("http") + "/api/v1/ingest")
	if err != nil {
		return Spool{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Spool{}, fmt.Errorf("GET /api/v1/ingest: %s", res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return Spool{}, fmt.Errorf("GET /api/v1/ingest: %w", err)
	}
	return state.Spool, nil
}

// Resident is the process's resident memory in bytes, 0 where /proc does not tell.
func (p *Product) Resident() int64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// FreeAddr is a loopback address at which nobody listens.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
