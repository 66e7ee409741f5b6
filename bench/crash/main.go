// Command crash proves that what was acknowledged is stored, once: clients send spans with unique ids and remember
// what was acknowledged, while the product, its ClickHouse, or both are killed at random. At the end every
// acknowledged span must be stored, and none twice.
//
//	go run ./bench/crash -duration 60s -bin bin/tidemark
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// product is the process under test.
type product struct {
	bin, dir string
	args     []string
	mu       sync.Mutex
	cmd      *exec.Cmd // guarded by mu, like enginePID
	engine   int
}

// start runs the product and waits for its line "ready … pid=N engine_pid=N".
func (p *product) start() error {
	args := append([]string{"--data-dir", p.dir}, p.args...)
	cmd := exec.Command(p.bin, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(filepath.Dir(p.dir), "product.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd.Stderr = logFile
	if err := cmd.Start(); err != nil {
		return err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- lines.Text()
			}
		}
		close(ready)
	}()
	select {
	case line, ok := <-ready:
		if !ok {
			return fmt.Errorf("%s ended before it was ready; see product.log", p.bin)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cmd = cmd
		_, after, _ := strings.Cut(line, "engine_pid=")
		p.engine, _ = strconv.Atoi(strings.Fields(after + " 0")[0])
		return nil
	case <-time.After(60 * time.Second):
		cmd.Process.Kill()
		return fmt.Errorf("%s is not ready after 60 s", p.bin)
	}
}

// kill ends the product, its engine, or both, without warning, and brings the product back.
func (p *product) kill(what int) (string, error) {
	p.mu.Lock()
	cmd, engine := p.cmd, p.engine
	p.mu.Unlock()
	switch {
	case what == 0 && engine > 0:
		syscall.Kill(engine, syscall.SIGKILL) // the product restarts it; its pid is then unknown to us
		p.mu.Lock()
		p.engine = 0
		p.mu.Unlock()
		return "engine", nil
	case what == 1:
		cmd.Process.Kill()
		cmd.Wait()
		return "product", p.start()
	}
	if engine > 0 {
		syscall.Kill(engine, syscall.SIGKILL)
	}
	cmd.Process.Kill()
	cmd.Wait()
	return "both", p.start()
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

// sender sends requests until ctx ends, each again and again until it is acknowledged, and returns the acknowledged.
func sender(ctx context.Context, addr string, n int) (acked, unsure [][16]byte) {
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
		if ok {
			acked = append(acked, id)
		} else {
			unsure = append(unsure, id)
		}
	}
	return acked, unsure
}

// stored asks the product how often it has each span of each trace.
func (p *product) stored(query string) (string, error) {
	cmd := exec.Command(p.bin, "sql", "--data-dir", p.dir, "--format", "TSV", query)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s sql: %w: %s", p.bin, err, stderr.String())
	}
	return string(out), nil
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func main() {
	bin := flag.String("bin", "bin/tidemark", "the product")
	duration := flag.Duration("duration", 5*time.Minute, "how long to send and kill")
	senders := flag.Int("senders", 8, "clients")
	spans := flag.Int("spans", 50, "spans a request")
	every := flag.Duration("every", 7*time.Second, "time between kills, on average")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the kills")
	flag.Parse()

	root, err := os.MkdirTemp("", "tidemark-crash-")
	if err != nil {
		log.Fatal(err)
	}
	grpcAddr := freePort()
	p := &product{bin: *bin, dir: filepath.Join(root, "data"), args: []string{"--http-addr", freePort(), "--otlp-grpc-addr", grpcAddr, "--otlp-http-addr", freePort()}}
	if err := p.start(); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *duration)
	defer cancel()
	var mu sync.Mutex
	var acked, unsure [][16]byte
	var wg sync.WaitGroup
	for range *senders {
		wg.Go(func() {
			a, u := sender(ctx, grpcAddr, *spans)
			mu.Lock()
			defer mu.Unlock()
			acked, unsure = append(acked, a...), append(unsure, u...)
		})
	}
	r := rand.New(rand.NewPCG(*seed, 1))
	kills := map[string]int{}
	for ctx.Err() == nil {
		select {
		case <-time.After(time.Duration((0.5 + r.Float64()) * float64(*every))):
			what, err := p.kill(r.IntN(3))
			if err != nil {
				log.Fatal(err)
			}
			kills[what]++
		case <-ctx.Done():
		}
	}
	wg.Wait()
	missing, twice := p.verify(acked, *spans)
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	fmt.Printf("seed %d: killed %v; %d spans acknowledged, %d of unknown fate; missing %d, duplicates %d\n",
		*seed, kills, len(acked)**spans, len(unsure)**spans, missing, twice)
	if missing+twice > 0 {
		fmt.Println("data kept in", root)
		os.Exit(1)
	}
	os.RemoveAll(root)
}

// verify waits until nothing changes any more and counts what is missing and what is there twice.
func (p *product) verify(acked [][16]byte, n int) (missing, twice int) {
	var last string
	var rows string
	for range 60 {
		time.Sleep(2 * time.Second)
		out, err := p.stored("SELECT lower(hex(trace_id)), count(), uniqExact(span_id) FROM spans WHERE service = 'crash' GROUP BY trace_id ORDER BY trace_id")
		if err != nil {
			log.Print(err)
			continue
		}
		rows = out
		if out == last {
			break
		}
		last = out
	}
	type counts struct{ rows, distinct int }
	have := map[string]counts{}
	for _, line := range strings.Split(strings.TrimSpace(rows), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			continue
		}
		r, _ := strconv.Atoi(f[1])
		d, _ := strconv.Atoi(f[2])
		have[f[0]] = counts{r, d}
		twice += r - d
	}
	for _, id := range acked {
		missing += n - have[hex.EncodeToString(id[:])].distinct
	}
	return missing, twice
}
