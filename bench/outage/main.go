// Command outage proves what happens while ClickHouse is away for long: one process stores, another takes OTLP in, and
// between them stands a proxy. The store's engine is killed, the proxy cut, and load goes on, an hour's worth or as
// much as is asked for, sent as fast as -rate says. Everything must be acknowledged, kept in the spool within bounded
// memory, and replayed when the proxy passes again, while the load goes on as before. At the end every acknowledged
// span must be stored, once, and every rollup must count in each of its periods what is stored.
//
//	go run ./bench/outage -bin bin/tidemark -spans 18000000 -rate 60000
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidemarkhq/tidemark/bench/run"
)

type options struct {
	bin, dir string
	spans    int64
	rate     float64
	before   time.Duration
	memory   int64
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tidemark", "the product")
	flag.StringVar(&o.dir, "dir", "", "where the data go, about 600 bytes a span; default the temporary directory")
	flag.Int64Var(&o.spans, "spans", 18_000_000, "spans sent while ClickHouse is away: an hour at 5,000 a second")
	flag.Float64Var(&o.rate, "rate", 40_000, "spans a second while it is away; before and after it is an eighth of that")
	flag.DurationVar(&o.before, "before", 10*time.Second, "how long to send before ClickHouse goes")
	flag.Int64Var(&o.memory, "memory", 1<<30, "resident bytes that the process taking OTLP in may reach")
	flag.Parse()
	if err := outage(o); err != nil {
		log.Fatal(err)
	}
}

func outage(o options) error {
	root, err := os.MkdirTemp(o.dir, "tidemark-outage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	load, err := build(root)
	if err != nil {
		return err
	}
	store := &run.Product{Bin: o.bin, Dir: filepath.Join(root, "store"), Args: []string{"--self-telemetry=false",
		"--http-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"}}
	if err := store.Start(); err != nil {
		return err
	}
	defer store.Stop()
	via, dsn, err := between(store)
	if err != nil {
		return err
	}
	defer via.close()
	taker := &run.Product{Bin: o.bin, Dir: filepath.Join(root, "taker"), Args: []string{"ingest", "--self-telemetry=false", "--clickhouse-dsn", dsn,
		"--spool-bytes", fmt.Sprint(16 << 30), "--http-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"}}
	if err := taker.Start(); err != nil {
		return err
	}
	defer taker.Stop()
	load.addr = taker.Named("otlp_grpc")
	watch := newWatch(taker)
	defer watch.stop()

	say := func(format string, args ...any) {
		s := watch.take()
		fmt.Printf("%s  %-40s spool %5d MB, resident at most %4d MB, %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...), s.spool>>20, s.resident>>20, load.answers)
	}
	if err := load.send("-rate", fmt.Sprint(o.rate/8), "-duration", o.before.String()); err != nil {
		return err
	}
	say("before: %d spans", load.accepted)
	via.cut()
	store.KillEngine()
	begun := time.Now()
	if err := load.send("-rate", fmt.Sprint(o.rate), "-count", fmt.Sprint(o.spans), "-duration", "10h"); err != nil {
		return err
	}
	say("away for %s: %d spans", time.Since(begun).Round(time.Second), load.accepted)
	missed := load.accepted
	via.up.Store(true)
	begun = time.Now()
	for {
		if err := load.send("-rate", fmt.Sprint(o.rate/8), "-duration", "10s"); err != nil {
			return err
		}
		s, err := taker.Spool()
		if err != nil {
			return err
		}
		if s.Batches == 0 && s.Quarantined == 0 {
			break
		}
		if s.Quarantined > 0 || time.Since(begun) > time.Hour {
			return fmt.Errorf("not replayed: %+v", s)
		}
		say("replaying: %d batches left", s.Batches)
	}
	took := time.Since(begun)
	say("replayed in %s, %.0f spans/s", took.Round(time.Second), float64(missed)/took.Seconds())
	if watch.peak.Load() > o.memory {
		err = fmt.Errorf("%d MB resident, more than %d", watch.peak.Load()>>20, o.memory>>20)
	}
	return errors.Join(err, check(store, load))
}

// generator is bench/otlpgen, and what it was told in all its runs.
type generator struct {
	bin, addr string
	accepted  int64
	answers   string // how long the newest run waited for them
}

func build(root string) (*generator, error) {
	g := &generator{bin: filepath.Join(root, "otlpgen")}
	if out, err := exec.Command("go", "build", "-o", g.bin, "./bench/otlpgen").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the generator: %w: %s", err, out)
	}
	return g, nil
}

// send runs the generator; a request that is not acknowledged is an error.
func (g *generator) send(args ...string) error {
	cmd := exec.Command(g.bin, append([]string{"-signal", "traces", "-grpc", g.addr, "-conns", "8"}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("sending: %w: %s", err, said.String())
	}
	var report struct {
		Accepted int64          `json:"accepted_items"`
		Failed   int64          `json:"failed_items"`
		Rejected int64          `json:"rejected_items"`
		P50      float64        `json:"ack_ms_p50"`
		P99      float64        `json:"ack_ms_p99"`
		Errors   map[string]int `json:"errors"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("sending: %w: %s", err, out)
	}
	g.accepted += report.Accepted
	g.answers = fmt.Sprintf("answers after %.0f ms, p99 %.0f ms", report.P50, report.P99)
	if report.Failed+report.Rejected > 0 || report.Accepted == 0 {
		return fmt.Errorf("%d spans were not acknowledged: %v", report.Failed+report.Rejected, report.Errors)
	}
	return nil
}

// watch follows the memory and the spool of a process.
type watch struct {
	p     *run.Product
	peak  atomic.Int64 // of resident bytes, of all times
	part  atomic.Int64 // since take
	ended chan struct{}
}

type seen struct{ resident, spool int64 }

func newWatch(p *run.Product) *watch {
	w := &watch{p: p, ended: make(chan struct{})}
	go func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-tick.C:
				r := p.Resident()
				w.peak.Store(max(w.peak.Load(), r))
				w.part.Store(max(w.part.Load(), r))
			case <-w.ended:
				tick.Stop()
				return
			}
		}
	}()
	return w
}

func (w *watch) take() seen {
	s, err := w.p.Spool()
	if err != nil {
		log.Print(err)
	}
	return seen{w.part.Swap(0), s.Bytes}
}

func (w *watch) stop() { close(w.ended) }

// check compares what is stored with what was acknowledged, and the rollups with what is stored.
func check(store *run.Product, g *generator) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if n, err := store.Count("SELECT toInt64(count()) FROM spans"); err == nil && n >= g.accepted {
			break // the last batches have been committed
		}
	}
	var wrong []string
	expect := func(what, query string, want int64) error {
		got, err := store.Count(query)
		if err != nil {
			return err
		}
		fmt.Printf("%-60s %12d\n", what, got)
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, want %d", what, got, want))
		}
		return nil
	}
	err := expect("spans stored", "SELECT toInt64(count()) FROM spans", g.accepted)
	const parts = 16 // so that the ids of one fit into a query's memory
	var distinct int64
	for i := range parts {
		n, cerr := store.Count(fmt.Sprintf("SELECT toInt64(uniqExact(trace_id, span_id)) FROM spans WHERE cityHash64(trace_id) %% %d = %d", parts, i))
		err = errors.Join(err, cerr)
		distinct += n
	}
	if distinct != g.accepted {
		wrong = append(wrong, fmt.Sprintf("%d distinct spans, want %d", distinct, g.accepted))
	}
	err = errors.Join(err, expect("spans in the trace index", "SELECT toInt64(sum(spans)) FROM trace_index", g.accepted))
	for table, start := range map[string]string{"red_10s": "toStartOfInterval(ts, INTERVAL 10 SECOND)", "red_1m": "toStartOfMinute(ts)", "red_1h": "toStartOfHour(ts)"} {
		err = errors.Join(err, expect("calls in "+table, "SELECT toInt64(sum(calls)) FROM "+table+" WHERE level = 'operation'", g.accepted),
			expect("periods and services in which "+table+" and spans differ", fmt.Sprintf(`SELECT toInt64(countIf(a != b)) FROM (
				SELECT period, service, sum(x) AS a, sum(y) AS b FROM (
					SELECT toDateTime(%s) AS period, toString(service) AS service, toInt64(count()) AS x, toInt64(0) AS y FROM spans GROUP BY period, service
					UNION ALL SELECT toDateTime(ts), toString(service), 0, toInt64(sum(calls)) FROM %s WHERE level = 'operation' GROUP BY 1, 2)
				GROUP BY period, service)`, start, table), 0))
	}
	if err == nil && len(wrong) > 0 {
		err = errors.New(strings.Join(wrong, "; "))
	}
	return err
}
