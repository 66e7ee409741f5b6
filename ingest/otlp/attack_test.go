package otlp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// tcp sends lines and returns the connection.
func tcp(t *testing.T, addr, lines string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, lines)
	return c
}

// hungUp waits until the server closes a connection and returns what it said before.
func hungUp(t *testing.T, c net.Conn, within time.Duration) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	said, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection still stands after %v", within)
	}
	return string(said)
}

// honest is a sender that must get through whatever others do.
func honest(t *testing.T, srv *Server, sent *sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for try := 0; ; try++ {
		_, err := client(t, srv).Export(ctx, payload())
		if err == nil {
			break
		}
		if status.Code(err) != codes.Unavailable || try == 50 {
			t.Fatalf("an honest sender: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	pb, _ := payload().MarshalProto()
	for try := 0; ; try++ {
		res, _ := post(t, srv, "/v1/traces", pb, "Content-Type", typeProtobuf)
		if res.StatusCode == http.StatusOK {
			break
		}
		if res.StatusCode != http.StatusServiceUnavailable || try == 50 {
			t.Fatalf("an honest sender: %s", res.Status)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

const oneLine = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"

func TestSlowlorisOverHTTP(t *testing.T) {
	ch, tell := told()
	k := &sink{}
	srv := serve(t, k, func(o *Options) { tell(o); o.ReadTimeout = 300 * time.Millisecond })
	headers := tcp(t, srv.HTTPAddr(), oneLine) // never ends its headers
	body := tcp(t, srv.HTTPAddr(), oneLine+"Content-Length: 1000\r\n\r\nabc")
	honest(t, srv, k)
	hungUp(t, headers, 10*time.Second)
	if said := hungUp(t, body, 10*time.Second); !strings.Contains(said, "408") {
		t.Errorf("answered %q, want 408", said)
	}
	expectTold(t, ch, "traces unreadable")
}

// rawGRPC opens an HTTP/2 connection and a stream for an export, and returns what to write further frames with.
func rawGRPC(t *testing.T, srv *Server, extra ...string) (net.Conn, *http2.Framer) {
	t.Helper()
	c := tcp(t, srv.GRPCAddr(), http2.ClientPreface)
	f := http2.NewFramer(c, bytes.NewReader(nil))
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	fields := []string{":method", "POST", ":scheme", "http", ":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
		":authority", "x", "content-type", "application/grpc", "te", "trailers"}
	for fields = append(fields, extra...); len(fields) > 0; fields = fields[2:] {
		e.WriteField(hpack.HeaderField{Name: fields[0], Value: fields[1]})
	}
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	return c, f
}

// message is how a gRPC message of n bytes begins.
func message(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, n) }

func TestSlowlorisOverGRPC(t *testing.T) {
	ch, tell := told()
	k := &sink{}
	srv := serve(t, k, func(o *Options) { tell(o); o.ReadTimeout = 300 * time.Millisecond })
	_, f := rawGRPC(t, srv)
	f.WriteData(1, false, message(1000)) // and never the message
	honest(t, srv, k)
	expectTold(t, ch, "traces too_many_requests")
	waitForNone(t, srv)
}

// waitForNone waits until no request is under way and nothing is held of any.
func waitForNone(t *testing.T, srv *Server) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		srv.reading.mu.Lock()
		none := srv.reading.oldest == nil
		srv.reading.mu.Unlock()
		if none && srv.requests.Load() == 0 && srv.reading.held.Load() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests under way, %d bytes held", srv.requests.Load(), srv.reading.held.Load())
		}
	}
}

// Many senders that each send all but the end of a large request over HTTP: what is held of them stays bounded, and who
// sends whole requests gets through.
func TestUnfinishedRequestsOverHTTP(t *testing.T) {
	k := &sink{}
	const bound = 8 << 20
	srv := serve(t, k, func(o *Options) { o.MaxReading = bound })
	var attack sync.WaitGroup
	for range 30 {
		attack.Go(func() {
			c := tcp(t, srv.HTTPAddr(), oneLine+"Content-Length: 1000000\r\n\r\n")
			c.Write(make([]byte, 900_000))
		})
	}
	if most := mostHeld(srv, &attack, bound/2); most > bound || most < bound/2 {
		t.Errorf("%d bytes held, bound %d", most, bound)
	}
	honest(t, srv, k)
}

// The same over gRPC, where those that stall are counted.
func TestUnfinishedRequestsOverGRPC(t *testing.T) {
	k := &sink{}
	srv := serve(t, k, func(o *Options) { o.MaxReading = 2 << 20 }) // 2 bodies, 8 stalled requests
	for range 20 {
		_, f := rawGRPC(t, srv)
		f.WriteData(1, false, message(1<<20))
		f.WriteData(1, false, make([]byte, 16<<10))
	}
	honest(t, srv, k)
	for deadline := time.Now().Add(15 * time.Second); srv.requests.Load() != 8; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests under way, want 8", srv.requests.Load())
		}
	}
	honest(t, srv, k)
}

// mostHeld follows what is held of unfinished requests until the attack is over and at least so much was held.
func mostHeld(srv *Server, attack *sync.WaitGroup, atLeast int64) (most int64) {
	done := make(chan struct{})
	go func() { attack.Wait(); close(done) }()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		most = max(most, srv.reading.held.Load())
		select {
		case <-done:
			if most >= atLeast {
				return most
			}
		default:
		}
	}
	return most
}

func TestHugeHeaders(t *testing.T) {
	k := &sink{}
	srv := serve(t, k, nil)
	c := tcp(t, srv.HTTPAddr(), oneLine)
	go func() {
		for line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"; ; {
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
		}
	}()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 431" {
		t.Errorf("answered %q, %v, want 431", head, err)
	}
	raw, _ := rawGRPC(t, srv, "x-filler", strings.Repeat("x", 64<<10))
	raw.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	io.Copy(io.Discard, raw)
	if n := len(k.got); n > 0 {
		t.Errorf("%d requests were taken", n)
	}
	honest(t, srv, k)
	waitForNone(t, srv)
}

// endless is a body without an end, which the transport may still be reading when the answer is there.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(b []byte) (int, error) {
	e.n.Add(int64(len(b)))
	return len(b), nil
}

func TestEndlessStreams(t *testing.T) {
	ch, tell := told()
	k := &sink{}
	srv := serve(t, k, tell)
	for _, headers := range [][]string{{"Content-Type", typeProtobuf}, {"Content-Type", typeJSON}} {
		body := &endless{}
		req, _ := http.NewRequest("POST", "http://"+srv.HTTPAddr()+"/v1/traces", body)
		req.Header.Set(headers[0], headers[1])
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		if err == nil && res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %s, want 413", res.Status)
		}
		if n := body.n.Load(); n > 16<<20 {
			t.Errorf("%d bytes were read of a body that may have 1 MiB", n)
		}
		expectTold(t, ch, "traces too_large")
	}
	_, f := rawGRPC(t, srv)
	f.WriteData(1, false, message(0)) // a second message where one is due
	f.WriteData(1, false, message(3<<20))
	for range 100 {
		if f.WriteData(1, false, make([]byte, 16<<10)) != nil {
			break
		}
	}
	honest(t, srv, k)
}

// A body that says that it has 100 MB is refused before it is read; gRPC reads the length first too.
func TestHugeBodies(t *testing.T) {
	ch, tell := told()
	k := &sink{}
	srv := serve(t, k, tell)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := tcp(t, srv.HTTPAddr(), oneLine+fmt.Sprintf("Content-Length: %d\r\n\r\n", 100<<20))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 413" {
		t.Errorf("answered %q, %v, want 413", head, err)
	}
	expectTold(t, ch, "traces too_large")
	_, f := rawGRPC(t, srv)
	f.WriteData(1, false, message(100<<20))
	expectTold(t, ch, "traces too_large")
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated for what was refused", grown)
	}
	honest(t, srv, k)
}

// A hundred requests at once that would each unpack to a gigabyte.
func TestManyBombs(t *testing.T) {
	k := &sink{}
	srv := serve(t, k, func(o *Options) { o.MaxReading = 8 << 20 })
	bombs := map[string][]byte{"gzip": gz(make([]byte, 64<<20)), "zstd": zst(make([]byte, 64<<20))}
	var wg sync.WaitGroup
	for i := range 100 {
		encoding := []string{"gzip", "zstd"}[i%2]
		wg.Go(func() {
			res, _ := post(t, srv, "/v1/traces", bombs[encoding], "Content-Type", typeProtobuf, "Content-Encoding", encoding)
			if res.StatusCode != http.StatusRequestEntityTooLarge && res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: %s", encoding, res.Status)
			}
		})
	}
	if most := mostHeld(srv, &wg, 0); most > 16<<20 {
		t.Errorf("%d bytes held, bound %d", most, 8<<20)
	}
	honest(t, srv, k)
	waitForNone(t, srv)
}

func TestConnectionsBeyondTheirBound(t *testing.T) {
	var mu sync.Mutex
	refused := map[string]int{}
	k := &sink{}
	srv := serve(t, k, func(o *Options) {
		o.MaxConnections = 5
		o.Refused = func(s ingest.Signal, reason, _ string) {
			mu.Lock()
			defer mu.Unlock()
			refused[s.String()+" "+reason]++
		}
	})
	var open []net.Conn
	for range 5 {
		c := tcp(t, srv.HTTPAddr(), oneLine)
		g, _ := rawGRPC(t, srv)
		g.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := g.Read(make([]byte, 1)); err != nil { // served
			t.Fatal(err)
		}
		open = append(open, c, g)
	}
	for _, addr := range []string{srv.HTTPAddr(), srv.GRPCAddr()} {
		for try := 0; ; try++ { // the servers count a connection a moment after they accept it
			c := tcp(t, addr, "")
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
				break
			}
			c.Close()
			time.Sleep(20 * time.Millisecond)
			if try == 100 {
				t.Fatalf("%s takes connections without end", addr)
			}
		}
	}
	mu.Lock()
	if refused["any too_many_connections"] < 2 {
		t.Errorf("counted %v", refused)
	}
	mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		pb, _ := payload().MarshalProto()
		res, err := http.Post("http://"+srv.HTTPAddr()+"/v1/traces", typeProtobuf, bytes.NewReader(pb))
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no connection although the others are closed")
		}
	}
	honest(t, srv, k)
}
