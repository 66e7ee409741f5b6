// Package engine runs a whole ClickHouse as a child process of the same program, so that one command starts the
// product on a laptop. Start writes a private configuration with a generated password, runs this program again as
// `tidemark clickhouse …` (see Main), waits until it answers on a loopback port and keeps it running: after a crash
// it is started again on the same port with the same password, so that clients only have to reconnect. The child
// reads its standard input and ends when that closes, so it cannot outlive its parent, however that ends.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how to run the engine. The zero value of a field takes the default in brackets.
type Options struct {
	Dir         string        // holds configuration, logs and data; created where missing
	Library     string        // the engine library (see the function Library)
	Command     []string      // program and first arguments of the child (this program, Subcommand)
	Database    string        // default database named in DSN, created on start ("tidemark")
	MemoryRatio float64       // part of the machine's memory the engine may use (0.5)
	MaxMemory   uint64        // bytes the engine may use where that is less (no further limit)
	QueryMemory uint64        // bytes one query may use (4 GiB)
	MarkCache   uint64        // bytes of index marks kept in memory (256 MiB)
	Threads     int           // background merge threads (number of cores, at least 2)
	ReadyAfter  time.Duration // how long a start may take until it counts as failed (60 s)
	StopGrace   time.Duration // how long a clean end may take before the engine is killed (3 s)
	Logger      *slog.Logger  // (slog.Default())
}

func (o *Options) defaults() error {
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program to start the engine: %w", err)
		}
		o.Command = []string{self, Subcommand}
	}
	var err error
	if o.Library, err = Library(o.Library); err != nil {
		return err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil { // the child runs in it
		return fmt.Errorf("the engine's directory %q: %w", o.Dir, err)
	}
	set(&o.Database, "tidemark")
	set(&o.MemoryRatio, 0.5)
	set(&o.QueryMemory, 4<<30)
	set(&o.MarkCache, 256<<20)
	set(&o.Threads, max(2, runtime.NumCPU()))
	set(&o.ReadyAfter, 60*time.Second)
	set(&o.StopGrace, 3*time.Second)
	set(&o.Logger, slog.Default())
	return nil
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Engine is a running engine child and its supervisor.
type Engine struct {
	o        Options
	password string
	port     int // native protocol
	httpPort int // for output formats: the native protocol carries columns, not text
	config   string
	done     chan struct{} // closed when the supervisor has ended

	mu       sync.Mutex // guards what follows
	stop     bool
	stopped  chan struct{}
	child    *exec.Cmd
	pipe     io.Closer
	restarts int
}

// Start runs the engine and returns when it answers, or says why it does not. The engine runs until Stop.
func Start(ctx context.Context, o Options) (*Engine, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	for _, d := range []string{o.Dir, filepath.Join(o.Dir, "data"), filepath.Join(o.Dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("create the engine's directory: %w", err)
		}
	}
	password, err := secret(filepath.Join(o.Dir, "password"))
	if err != nil {
		return nil, err
	}
	e := &Engine{o: o, password: password, done: make(chan struct{}), stopped: make(chan struct{})}
	if e.config, err = writeConfig(o.Dir, password, o); err != nil {
		return nil, err
	}
	exited, err := e.first(ctx)
	if err != nil {
		return nil, err
	}
	go e.supervise(exited)
	return e, nil
}

// first starts the engine for the first time. It tries again where another process was faster to take a port, or
// where the engine of a killed Tidemark has not quite gone and still holds the data.
func (e *Engine) first(ctx context.Context) (*exit, error) {
	for attempt := 0; ; attempt++ {
		var err error
		if e.port, e.httpPort, err = freePorts(); err != nil {
			return nil, err
		}
		exited, err := e.spawn()
		if err != nil {
			return nil, err
		}
		err = e.waitReady(ctx, exited)
		if err == nil {
			return exited, nil
		}
		e.kill()
		<-exited.done
		if words := e.lastWords(); attempt == 20 || ctx.Err() != nil ||
			!strings.Contains(words, "Address already in use") && !strings.Contains(words, "Cannot lock file") {
			return nil, err
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// DSN is the engine's native address with credentials: tcp://127.0.0.1:PORT?username=…&password=…&database=….
func (e *Engine) DSN() string {
	q := url.Values{"username": {user}, "password": {e.password}, "database": {e.o.Database}}
	return (&url.URL{Scheme: "tcp", Host: e.addr(), RawQuery: q.Encode()}).String()
}

func (e *Engine) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(e.port)) }

// PID is the engine process's id, or 0 while it is being started again.
func (e *Engine) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.child == nil {
		return 0
	}
	return e.child.Process.Pid
}

// Restarts counts how often the engine had to be started again.
func (e *Engine) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// Done is closed when the engine has ended for good.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Stop ends the engine: it closes the child's input, waits for a clean end for as long as Options.StopGrace and ctx
// allow, and then kills it, which loses nothing that was acknowledged. It is idempotent.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	if !e.stop {
		e.stop = true
		close(e.stopped)
		if e.pipe != nil {
			e.pipe.Close()
		}
	}
	e.mu.Unlock()
	select {
	case <-e.done:
		return nil
	case <-time.After(e.o.StopGrace):
		// Its network layer may wait 5 or 10 s for connections that came or stayed open while it was ending.
		e.o.Logger.Info("the engine takes long to end and is killed", "after", e.o.StopGrace)
		e.kill()
		<-e.done
		return nil
	case <-ctx.Done():
		e.kill()
		<-e.done
		return fmt.Errorf("stop the engine: %w: it was killed", ctx.Err())
	}
}

func (e *Engine) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.child != nil {
		_ = e.child.Process.Kill()
	}
}

// exit is a child's end: err is set before done is closed.
type exit struct {
	done chan struct{}
	err  error
}

// spawn starts the child.
func (e *Engine) spawn() (*exit, error) {
	args := append(append([]string{}, e.o.Command[1:]...), e.o.Library,
		"--config-file", e.config,
		"--path", filepath.Join(e.o.Dir, "data"),
		"--listen_host", "127.0.0.1",
		"--tcp_port", strconv.Itoa(e.port),
		"--http_port", strconv.Itoa(e.httpPort),
		// At its terminal (see holdOpen) the engine listens first and then waits for a next statement, which never comes.
		"--interactive", "--disable_suggestion", "--history_file", os.DevNull,
		"--query", "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP")
	cmd := exec.Command(e.o.Command[0], args...)
	cmd.Dir = e.o.Dir
	cmd.SysProcAttr = childAttributes()
	// The Go runtime only waits in the child: keep its preemption signals away from the engine's code.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "TERM=dumb")
	out, err := os.OpenFile(filepath.Join(e.o.Dir, "engine.out.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	defer out.Close()
	cmd.Stderr = out // what it prints at its terminal, prompts and the like, is of no use
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	// The parent-death signal follows the thread that forked: keep that thread for the child's life.
	started, exited := make(chan error, 1), &exit{done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start the engine: %w", err)
			return
		}
		started <- nil
		exited.err = cmd.Wait()
		close(exited.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.child, e.pipe = cmd, pipe
	if e.stop {
		pipe.Close()
	}
	return exited, nil
}

// supervise starts the engine again whenever it ends unasked.
func (e *Engine) supervise(exited *exit) {
	defer close(e.done)
	for attempt := 0; ; {
		began := time.Now()
		<-exited.done
		e.mu.Lock()
		e.child = nil
		stop := e.stop
		e.mu.Unlock()
		if stop {
			return
		}
		e.o.Logger.Error("the engine ended unasked and is started again", "error", exited.err, "last_words", e.lastWords())
		if time.Since(began) > time.Minute {
			attempt = 0
		}
		if exited = e.again(&attempt); exited == nil {
			return
		}
		switch err := e.waitReady(context.Background(), exited); {
		case errors.Is(err, errStopped):
		case err != nil:
			e.o.Logger.Error("the engine does not answer", "error", err)
		default:
			e.o.Logger.Info("the engine is back", "pid", e.PID())
		}
	}
}

// again spawns after a jittered back-off of 0.1 s doubling to 10 s; nil when stopped meanwhile.
func (e *Engine) again(attempt *int) *exit {
	for {
		wait := min(10*time.Second, 100*time.Millisecond<<min(*attempt, 7))
		wait = wait/2 + rand.N(wait/2)
		*attempt++
		select {
		case <-e.stopped:
			return nil
		case <-time.After(wait):
		}
		e.mu.Lock()
		e.restarts++
		e.mu.Unlock()
		exited, err := e.spawn()
		if err == nil {
			return exited
		}
		e.o.Logger.Error("the engine cannot be started", "error", err)
	}
}

var errStopped = errors.New("the engine was stopped")

// waitReady returns when the engine accepts connections on its native port.
func (e *Engine) waitReady(ctx context.Context, exited *exit) error {
	ctx, cancel := context.WithTimeout(ctx, e.o.ReadyAfter)
	defer cancel()
	for {
		if c, err := net.DialTimeout("tcp", e.addr(), time.Second); err == nil {
			c.Close()
			return nil
		}
		select {
		case <-exited.done:
			return fmt.Errorf("the engine did not start: %w; it said: %s", orEnded(exited.err), e.lastWords())
		case <-e.stopped:
			return errStopped
		case <-ctx.Done():
			return fmt.Errorf("the engine did not answer within %v; it said: %s", e.o.ReadyAfter, e.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
		// At its terminal it stays after an error: a port that another process took meanwhile.
		if words := e.printed(); strings.Contains(words, "DB::Exception") {
			return fmt.Errorf("the engine did not start; it said: %s", words)
		}
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("it ended at once")
	}
	return err
}

// lastWords is the end of what the child printed, or else of what it logged.
func (e *Engine) lastWords() string {
	return cmp.Or(e.printed(), e.words("engine.log"), "nothing")
}

// printed is the end of what this child printed.
func (e *Engine) printed() string { return e.words("engine.out.log") }

func (e *Engine) words(file string) string {
	var kept []string
	for line := range strings.Lines(string(tail(filepath.Join(e.o.Dir, file), 16<<10))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Logging ") { // says only where the log is
			kept = append(kept, line)
		}
	}
	said := strings.Join(kept, " ")
	return said[max(0, len(said)-2000):]
}

// tail is the last n bytes of a file, fewer where it is shorter, none where it cannot be read.
func tail(file string, n int64) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		_, _ = f.Seek(-n, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(f, n))
	return b
}

// freePorts picks two loopback ports that were free a moment ago. They lie below the range from which systems take
// the local ports of outgoing connections (32768 on Linux, 49152 elsewhere), so that a restart finds them free again.
func freePorts() (native, http int, err error) {
	var ports [2]int
	for i := range ports {
		for try := 0; ports[i] == 0; try++ {
			port := 20000 + rand.IntN(12000)
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err == nil {
				defer l.Close()
				ports[i] = port
			} else if try == 100 {
				return 0, 0, fmt.Errorf("find a free port for the engine: %w", err)
			}
		}
	}
	return ports[0], ports[1], nil
}
