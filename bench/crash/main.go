// Command crash proves that what was acknowledged is stored, once: clients send spans with unique ids and remember
// what was acknowledged, while the product, its ClickHouse, or both are killed at random. At the end every
// acknowledged span must be stored, none twice, and the rollups must count what is stored.
//
//	go run ./bench/crash -duration 60s -bin bin/tidemark
package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tidemarkhq/tidemark/bench/run"
)

type options struct {
	bin      string
	duration time.Duration
	every    time.Duration
	senders  int
	spans    int
	seed     uint64
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tidemark", "the product")
	flag.DurationVar(&o.duration, "duration", 5*time.Minute, "how long to send and kill")
	flag.DurationVar(&o.every, "every", 5*time.Second, "time between kills, on average")
	flag.IntVar(&o.senders, "senders", 8, "clients")
	flag.IntVar(&o.spans, "spans", 50, "spans a request")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of the kills")
	flag.Parse()
	if err := crash(o); err != nil {
		log.Fatal(err)
	}
}

func crash(o options) error {
	root, err := os.MkdirTemp("", "tidemark-crash-")
	if err != nil {
		return err
	}
	var addrs [3]string // the clients must find it again
	for i := range addrs {
		if addrs[i], err = run.FreeAddr(); err != nil {
			return err
		}
	}
	p := &run.Product{Bin: o.bin, Dir: filepath.Join(root, "data"), Args: []string{"--self-telemetry=false",
		"--http-addr", addrs[0], "--otlp-grpc-addr", addrs[1], "--otlp-http-addr", addrs[2]}}
	if err := p.Start(); err != nil {
		return err
	}
	defer p.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), o.duration)
	defer cancel()
	var l ledger
	var clients sync.WaitGroup
	for range o.senders {
		clients.Go(func() { l.sender(ctx, addrs[1], o.spans) })
	}
	kills, err := kill(ctx, p, o)
	cancel()
	clients.Wait()
	if err != nil {
		return err
	}
	v, err := l.verify(p, o.spans)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d: killed %v; %d spans acknowledged, %d of unknown fate; missing %d, duplicates %d, rollups off by %d\n",
		o.seed, kills, len(l.acked)*o.spans, len(l.unsure)*o.spans, v.missing, v.twice, v.rollups)
	if v != (verdict{}) {
		return errors.New("the data are kept in " + root)
	}
	p.Stop()
	return os.RemoveAll(root)
}

// kill ends the product, its engine, or both, at random times without warning, and brings the product back.
func kill(ctx context.Context, p *run.Product, o options) (map[string]int, error) {
	r := rand.New(rand.NewPCG(o.seed, 1))
	kills := map[string]int{}
	for {
		select {
		case <-time.After(time.Duration((0.5 + r.Float64()) * float64(o.every))):
		case <-ctx.Done():
			return kills, nil
		}
		what := []string{"engine", "product", "both"}[r.IntN(3)]
		kills[what]++
		if what != "product" {
			p.KillEngine()
		}
		if what == "engine" {
			continue // the product starts it again
		}
		p.Kill()
		if err := p.Start(); err != nil {
			return nil, err
		}
	}
}

// ledger is what clients remember: the trace ids of their requests.
type ledger struct {
	mu            sync.Mutex
	acked, unsure [][16]byte // guarded by mu
}

// request makes spans that all carry one random trace id; span i has id i+1.
func request(id [16]byte, n int) *coltrace.ExportTraceServiceRequest {
	now := uint64(time.Now().UnixNano())
	spans := make([]*trace.Span, n)
	for i := range spans {
		var sid [8]byte
		binary.BigEndian.PutUint64(sid[:], uint64(i+1))
		spans[i] = &trace.Span{TraceId: id[:], SpanId: sid[:], Name: "crash", Kind: trace.Span_SPAN_KIND_SERVER, StartTimeUnixNano: now, EndTimeUnixNano: now + 1000}
	}
	return &coltrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: []*common.KeyValue{{Key: "service.name", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "crash"}}}}},
		ScopeSpans: []*trace.ScopeSpans{{Spans: spans}},
	}}}
}

// sender sends requests until ctx ends, each again and again until it is acknowledged.
func (l *ledger) sender(ctx context.Context, addr string, n int) {
	cc, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()
	client := coltrace.NewTraceServiceClient(cc)
	for ctx.Err() == nil {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
		req := request(id, n)
		ok := false
		for !ok && ctx.Err() == nil {
			call, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := client.Export(call, req)
			cancel()
			if ok = err == nil; !ok {
				time.Sleep(50 * time.Millisecond)
			}
		}
		l.mu.Lock()
		if ok {
			l.acked = append(l.acked, id)
		} else {
			l.unsure = append(l.unsure, id)
		}
		l.mu.Unlock()
	}
}

// verdict is how what is stored differs from what clients were told, in spans; rollups is how far their counts are
// from what is stored.
type verdict struct{ missing, twice, rollups int }

// settleWithin is how long the spool may take to empty itself after the last kill.
const settleWithin = 2 * time.Minute

// verify waits until everything kept aside is stored, and compares.
func (l *ledger) verify(p *run.Product, n int) (v verdict, err error) {
	for deadline := time.Now().Add(settleWithin); ; time.Sleep(time.Second) {
		var s run.Spool
		if s, err = p.Spool(); err == nil && s.Batches == 0 {
			if v, err = l.compare(p, n); err == nil && v.missing == 0 && v.rollups == 0 {
				return v, nil
			}
		}
		if time.Now().After(deadline) {
			return v, err
		}
	}
}

func (l *ledger) compare(p *run.Product, n int) (v verdict, err error) {
	rows, err := p.SQL("SELECT lower(hex(trace_id)), count(), uniqExact(span_id) FROM spans WHERE service = 'crash' GROUP BY trace_id", "--format", "TSV")
	if err != nil {
		return v, err
	}
	distinct := map[string]int{}
	stored := 0
	for line := range strings.Lines(rows) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return v, fmt.Errorf("unexpected answer %q", line)
		}
		all, _ := strconv.Atoi(f[1])
		distinct[f[0]], _ = strconv.Atoi(f[2])
		stored += all
		v.twice += all - distinct[f[0]]
	}
	for _, id := range l.acked {
		v.missing += n - distinct[hex.EncodeToString(id[:])]
	}
	for _, table := range []string{"red_10s", "red_1m", "red_1h"} {
		calls, err := p.Count("SELECT toInt64(sum(calls)) FROM " + table + " WHERE level = 'operation' AND service = 'crash'")
		if err != nil {
			return v, err
		}
		v.rollups += max(stored-int(calls), int(calls)-stored)
	}
	return v, nil
}
