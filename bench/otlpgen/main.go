// Command otlpgen sends realistic OTLP traces, logs or metrics over gRPC or HTTP, as fast as they are acknowledged or
// at a rate, and prints what was acknowledged, how long acknowledgements took, and how much CPU the named server
// processes used meanwhile. Requests are encoded before the clock starts; while it runs only ids, times and values are
// patched in place (payload.go), so that the generator costs little and every item is unique and current.
//
//	otlpgen -signal logs -grpc 127.0.0.1:4317 -duration 60s -pids 123,456
//	otlpgen -signal metrics -http http://127.0.0.1:4318 -gzip
//	otlpgen -signal traces -grpc 127.0.0.1:4317 -conns 500 -items 1 -rate 500     # small senders
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	signal   string
	target   target
	conns    int
	duration time.Duration
	count    int64
	rate     float64
	pids     string
	seed     uint64
	shape    shape
	items    int
	distinct int
}

func main() {
	var o options
	flag.StringVar(&o.signal, "signal", "traces", "traces, logs or metrics")
	flag.StringVar(&o.target.grpc, "grpc", "", "OTLP/gRPC address, host:port")
	flag.StringVar(&o.target.http, "http", "", "OTLP/HTTP base URL, for instance http://127.0.0.1:4318")
	flag.BoolVar(&o.target.gzip, "gzip", false, "compress requests with gzip, level 1")
	flag.StringVar(&o.target.token, "token", "", "bearer token")
	flag.IntVar(&o.conns, "conns", 4, "parallel senders, one connection each")
	flag.DurationVar(&o.duration, "duration", 20*time.Second, "how long to send")
	flag.Int64Var(&o.count, "count", 0, "stop after so many items; 0: when the duration is over")
	flag.Float64Var(&o.rate, "rate", 0, "items a second in all; 0 is as fast as acknowledged")
	flag.StringVar(&o.pids, "pids", "", "server process ids whose CPU time to report, comma separated")
	flag.IntVar(&o.items, "items", 500, "items a request, about")
	flag.IntVar(&o.distinct, "payloads", 0, "distinct requests encoded beforehand; 0: 64, or as many as all services need; of metrics 200 (one a sending instance)")
	flag.IntVar(&o.shape.services, "services", 20, "services")
	flag.IntVar(&o.shape.routes, "routes", 20, "routes a service")
	flag.IntVar(&o.shape.attrs, "attrs", 10, "attributes a span or log record, at least")
	flag.Uint64Var(&o.seed, "seed", 1, "seed")
	flag.Parse()
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	payloads, err := encode(&o)
	if err != nil {
		return err
	}
	g := &generator{o: o, payloads: payloads, errors: map[string]int{}, start: time.Now()}
	g.next.Store(uint64(time.Now().UnixNano()))
	before := cpuOf(o.pids)
	ctx, cancel := context.WithTimeout(context.Background(), o.duration)
	defer cancel()
	var wg sync.WaitGroup
	for i := range o.conns {
		send, err := o.target.dial(o.signal)
		if err != nil {
			return err
		}
		wg.Go(func() { g.sender(ctx, i, send) })
	}
	wg.Wait()
	out, err := json.MarshalIndent(g.report(before), "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(out))
	return nil
}

// encode prepares the requests.
func encode(o *options) ([]*payload, error) {
	build := map[string]func(*rand.Rand, shape, int, int) (*payload, error){"traces": traces, "logs": logs, "metrics": metrics}[o.signal]
	if build == nil {
		return nil, fmt.Errorf("-signal %q: want traces, logs or metrics", o.signal)
	}
	if o.distinct == 0 {
		o.distinct = max(64, (o.shape.services+neighbours-1)/neighbours)
		if o.signal == "metrics" {
			o.distinct = 200
		}
	}
	r := rand.New(rand.NewPCG(o.seed, 7))
	payloads := make([]*payload, o.distinct)
	for i := range payloads {
		var err error
		if payloads[i], err = build(r, o.shape, o.items, i); err != nil {
			return nil, err
		}
	}
	return payloads, nil
}

// generator is one run.
type generator struct {
	o        options
	payloads []*payload
	start    time.Time
	next     atomic.Uint64

	accepted, rejected, failed, requests, bytes atomic.Int64

	mu     sync.Mutex
	acks   []float64 // ms, guarded by mu, like errors
	errors map[string]int
}

// sender sends one request after another over one connection. At a rate, each sender keeps its own timetable, begun at
// a random moment of its period, so that hundreds of them do not speak at once.
func (g *generator) sender(ctx context.Context, n int, send func([]byte) (int64, error)) {
	r := rand.New(rand.NewPCG(g.o.seed, uint64(n)+100))
	var buf []byte
	due := time.Now()
	period := func(items int) time.Duration {
		return time.Duration(float64(items) * float64(g.o.conns) / g.o.rate * float64(time.Second))
	}
	if g.o.rate > 0 {
		due = due.Add(time.Duration(r.Float64() * float64(period(g.payloads[0].items))))
	}
	for i := 0; ctx.Err() == nil; i++ {
		if g.o.count > 0 && g.accepted.Load() >= g.o.count {
			return
		}
		if g.o.rate > 0 && !sleepUntil(ctx, due) {
			return
		}
		p := g.payloads[r.IntN(len(g.payloads))]
		if g.o.signal == "metrics" { // the instances report in turn
			p = g.payloads[(n+i*g.o.conns)%len(g.payloads)]
		}
		due = due.Add(period(max(p.items, 1)))
		buf = p.patch(buf, g.next.Add(1), uint64(time.Now().Add(-time.Second).UnixNano()))
		g.deliver(p, buf, send)
	}
}

func (g *generator) deliver(p *payload, body []byte, send func([]byte) (int64, error)) {
	begun := time.Now()
	rejected, err := send(body)
	took := time.Since(begun)
	if err != nil {
		g.failed.Add(int64(p.items))
		g.mu.Lock()
		g.errors[err.Error()]++
		g.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		return
	}
	g.requests.Add(1)
	g.accepted.Add(int64(p.items) - rejected)
	g.rejected.Add(rejected)
	g.bytes.Add(int64(len(body)))
	g.mu.Lock()
	g.acks = append(g.acks, float64(took.Microseconds())/1000)
	g.mu.Unlock()
}

func sleepUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *generator) report(before map[string]float64) map[string]any {
	seconds := time.Since(g.start).Seconds()
	sort.Float64s(g.acks)
	q := func(p float64) float64 {
		if len(g.acks) == 0 {
			return 0
		}
		return g.acks[int(p*float64(len(g.acks)-1))]
	}
	accepted := float64(g.accepted.Load())
	items, bytes := 0, 0
	for _, p := range g.payloads {
		items, bytes = items+p.items, bytes+len(p.body)
	}
	out := map[string]any{
		"signal": g.o.signal, "seconds": seconds, "requests": g.requests.Load(),
		"accepted_items": g.accepted.Load(), "rejected_items": g.rejected.Load(), "failed_items": g.failed.Load(),
		"items_per_s": accepted / seconds, "mb_per_s": float64(g.bytes.Load()) / seconds / 1e6,
		"bytes_per_item": float64(bytes) / float64(items), "items_per_request": float64(items) / float64(len(g.payloads)),
		"ack_ms_p50": q(.5), "ack_ms_p95": q(.95), "ack_ms_p99": q(.99), "ack_ms_max": q(1), "errors": g.errors,
		"own_cpu_s": cpuSeconds(strconv.Itoa(os.Getpid())),
	}
	total := 0.0
	for pid, c := range before {
		used := cpuSeconds(pid) - c
		total += used
		out["cpu_s_"+pid] = used
		if used > 0 {
			out["items_per_cpu_s_"+pid] = accepted / used
		}
	}
	if total > 0 {
		out["items_per_cpu_s"] = accepted / total
	}
	return out
}

func cpuOf(pids string) map[string]float64 {
	out := map[string]float64{}
	for _, p := range strings.Split(pids, ",") {
		if p != "" {
			out[p] = cpuSeconds(p)
		}
	}
	return out
}

// cpuSeconds is a process's user and system time; 0 where there is no /proc. The kernel counts in hundredths.
func cpuSeconds(pid string) float64 {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}
