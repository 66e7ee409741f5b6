package main_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// check waits until all that clients were told is stored can be seen, and then that nothing is there twice. It returns
// how many spans are there twice of requests that clients sent again.
func (l *ledger) check(t *testing.T, p *product, service string) (doubledAgain int) {
	t.Helper()
	c := l.compare(t, p, service)
	for began := time.Now(); c.missing > 0 && time.Since(began) < 30*time.Second; time.Sleep(200 * time.Millisecond) {
		c = l.compare(t, p, service)
	}
	p.waitSpooled(t)
	c = l.compare(t, p, service)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.missing > 0 || c.doubled > 0 {
		t.Errorf("of %d acknowledged spans in %d requests %d are missing; %d sent once are stored more than once", l.spans, len(l.acked), c.missing, c.doubled)
	}
	for i, err := range l.other {
		if i < 3 {
			t.Errorf("a client was told not to try again: %v", err)
		}
	}
	t.Logf("%d spans acknowledged in %d requests, %d of these sent again; %d traces stored", l.spans, len(l.acked), len(l.again), c.traces)
	return c.doubledAgain
}

// comparison is how what is stored differs from what clients were told, in spans.
type comparison struct {
	missing      int // acknowledged, not stored
	doubled      int // stored more than once though sent once
	doubledAgain int // stored more than once, sent more than once
	traces       int // stored
}

func (l *ledger) compare(t *testing.T, p *product, service string) (c comparison) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	type stored struct{ Trace, Rows, Distinct string }
	found := map[string]int{}
	for _, s := range rows[stored](t, p, fmt.Sprintf(`SELECT lower(hex(trace_id)) AS Trace, toString(count()) AS Rows,
		toString(uniqExact(span_id)) AS Distinct FROM spans WHERE service = '%s' GROUP BY trace_id`, service)) {
		distinct, _ := strconv.Atoi(s.Distinct)
		all, _ := strconv.Atoi(s.Rows)
		found[s.Trace] = distinct
		if l.again[s.Trace] {
			c.doubledAgain += all - distinct
		} else {
			c.doubled += all - distinct
		}
	}
	for id, n := range l.acked {
		c.missing += max(0, n-found[id])
	}
	c.traces = len(found)
	return c
}

// SIGKILL of the whole product under load, twice, while clients send what failed again until it is acknowledged, as
// SDKs do: every span is there, once.
func TestKillProduct(t *testing.T) {
	dir := t.TempDir()
	p := startProduct(t, dir, "--self-telemetry=false")
	l, stop := load(t, p, "killed", 8, 50, true)
	defer stop()
	for range 2 {
		before := l.size()
		within(t, 60*time.Second, "10000 spans acknowledged", func() bool { return l.size() >= before+10_000 })
		engine := p.enginePID
		p.kill()
		within(t, 15*time.Second, "the engine ends with its parent", func() bool { return !processLives(engine) })
		p = startProduct(t, dir, "--self-telemetry=false", "--otlp-grpc-addr", p.grpc)
		t.Logf("ready again after %v", p.readyAfter.Round(time.Millisecond))
	}
	before := l.size()
	within(t, 60*time.Second, "5000 more spans acknowledged", func() bool { return l.size() >= before+5_000 })
	stop()
	if n := l.check(t, p, "killed"); n > 0 {
		// The one limit of the promise, in docs/reliability.md: a request that was committed before its answer went out
		// is not recognised by the next process.
		t.Logf("%d spans are stored twice: their clients missed the answer and sent them to the next process", n)
	}
}

// SIGKILL of the engine alone: clients are told to try again or their spans are kept aside, the engine comes back by
// itself, and nothing acknowledged is lost or doubled, also what was sent a second time.
func TestKillEngine(t *testing.T) {
	p := startProduct(t, t.TempDir(), "--self-telemetry=false")
	l, stop := load(t, p, "survivor", 8, 50, true)
	defer stop()
	engine := p.enginePID
	for round := range 3 {
		before := l.size()
		within(t, 60*time.Second, "5000 more spans acknowledged", func() bool { return l.size() >= before+5_000 })
		if err := syscall.Kill(engine, syscall.SIGKILL); err != nil {
			t.Fatalf("kill the engine: %v", err)
		}
		at := l.size()
		took := within(t, 60*time.Second, "the engine answers again", func() bool {
			out, _, err := p.tidemark(t, "sql", "SELECT 1")
			return err == nil && strings.TrimSpace(out) == "1"
		})
		t.Logf("round %d: queries answered again after %v, %d spans acknowledged meanwhile", round+1, took.Round(time.Millisecond), l.size()-at)
		old := engine
		engine = p.currentEngine(t, old)
	}
	before := l.size()
	within(t, 60*time.Second, "5000 more spans acknowledged", func() bool { return l.size() >= before+5_000 })
	stop()
	if !processLives(p.pid) {
		t.Fatalf("the product went down with its engine:\n%s", p.stderr.tail())
	}
	if n := l.check(t, p, "survivor"); n > 0 {
		t.Errorf("%d spans that were sent again are stored more than once", n)
	}
}

// waitSpooled waits until what was kept aside is in the store.
func (p *product) waitSpooled(t *testing.T) {
	t.Helper()
	within(t, 30*time.Second, "the spool is empty", func() bool {
		var state struct {
			Spool struct{ Batches int }
		}
		p.get(t, "/api/v1/ingest", &state)
		return state.Spool.Batches == 0
	})
}

// currentEngine is the process id of the product's engine, once it is another than old.
func (p *product) currentEngine(t *testing.T, old int) int {
	t.Helper()
	var pid int
	within(t, 30*time.Second, "a new engine process", func() bool {
		out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
		if err != nil {
			t.Fatalf("list processes: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			var child, parent int
			if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == p.pid && child != old {
				pid = child
			}
		}
		return pid != 0
	})
	return pid
}
