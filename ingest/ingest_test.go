package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // tests of failures mostly wait
		panic(err)
	}
	storetest.Main(m)
}

func testOptions(t testing.TB, dsn string) Options {
	o := DefaultOptions()
	o.DSN, o.SpoolDir = dsn, t.TempDir()
	o.FlushInterval, o.FlushIntervalBusy, o.SpoolAfter = 20*time.Millisecond, 20*time.Millisecond, 200*time.Millisecond
	o.FlushIntervalAway = 50 * time.Millisecond
	o.EdgesInterval = 0
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return o
}

func start(t testing.TB, o Options) *Ingest {
	t.Helper()
	in, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		in.Close(ctx)
	})
	return in
}

// spansOf makes a request of n spans of one trace whose ids are first, first+1, …, starting now.
func spansOf(first uint64, n int) []byte {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	rs.Resource().Attributes().PutStr("deployment.environment.name", "test")
	ss := rs.ScopeSpans().AppendEmpty()
	var trace pcommon.TraceID
	binary.BigEndian.PutUint64(trace[8:], first+1)
	at := time.Now()
	for i := range n {
		s := ss.Spans().AppendEmpty()
		var id pcommon.SpanID
		binary.BigEndian.PutUint64(id[:], first+uint64(i)+1)
		s.SetTraceID(trace)
		s.SetSpanID(id)
		s.SetName("pay")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Millisecond)))
		s.Attributes().PutStr("http.route", "/pay")
		s.Attributes().PutInt("n", int64(i))
	}
	b, _ := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	return b
}

func count(t testing.TB, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// exactlyOnce waits until want spans are stored and checks that each is there once, in the rollups too.
func exactlyOnce(t testing.TB, conn driver.Conn, want uint64) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for count(t, conn, "SELECT uniqExact(span_id) FROM spans") < want || count(t, conn, "SELECT toUInt64(sum(calls)) FROM red_1h WHERE level = 'operation'") < want {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d spans stored", count(t, conn, "SELECT uniqExact(span_id) FROM spans"), want)
		}
		time.Sleep(20 * time.Millisecond)
	}
	for what, query := range map[string]string{
		"spans":                "SELECT count() FROM spans",
		"distinct spans":       "SELECT uniqExact(span_id) FROM spans",
		"spans in trace_index": "SELECT toUInt64(sum(spans)) FROM trace_index",
		"calls in red_10s":     "SELECT toUInt64(sum(calls)) FROM red_10s WHERE level = 'operation'",
		"calls in red_1m":      "SELECT toUInt64(sum(calls)) FROM red_1m WHERE level = 'service'",
		"calls in red_1h":      "SELECT toUInt64(sum(calls)) FROM red_1h WHERE level = 'operation'",
		"histogram":            "SELECT toUInt64(arraySum(mapValues(sumMap(duration_hist)))) FROM red_1h WHERE level = 'operation'",
	} {
		if got := count(t, conn, query); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
}

func submit(t testing.TB, in *Ingest, signal Signal, body []byte) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := in.Submit(ctx, signal, body)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestEverythingAcceptedIsStored(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	var taps atomic.Int64
	o.Tap = func(string) { taps.Add(1) }
	o.Limits.Ahead = 24 * time.Hour // the generator's clock stands still
	in := start(t, o)
	var items [signals]int
	for seed := range uint64(12) {
		g := newGenerator(seed)
		for signal, body := range [][]byte{g.traces(), g.logs(), g.metrics()} {
			items[signal] += submit(t, in, Signal(signal), body).Accepted
		}
	}
	if err := in.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"SELECT count() FROM spans": items[Traces], "SELECT count() FROM logs": items[Logs], "SELECT count() FROM metric_samples": items[Metrics],
		"SELECT count() FROM metric_samples WHERE series NOT IN (SELECT fingerprint FROM metric_series)": 0,
		"SELECT count() FROM spans WHERE resource NOT IN (SELECT fingerprint FROM resources)":            0,
		"SELECT count() FROM logs WHERE length(`attr.key`) != length(`attr.type`)":                       0,
		"SELECT toUInt64(sum(calls)) FROM red_1h WHERE level = 'operation'":                              items[Traces],
	} {
		if got := count(t, conn, query); got != uint64(want) {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if taps.Load() == 0 || count(t, conn, "SELECT count() FROM metric_distributions") == 0 || count(t, conn, "SELECT count() FROM metric_exemplars") == 0 {
		t.Error("no tap, distribution or exemplar")
	}
}

func TestSpanColumnsReadBack(t *testing.T) {
	conn, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	submit(t, in, Traces, spansOf(41, 1))
	if err := in.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	var service, name, kind, env string
	var keys, values []string
	var types []uint8
	var ns uint64
	err := conn.QueryRow(context.Background(), "SELECT s.service, name, toString(kind), duration_ns, `attr.key`, `attr.value`, `attr.type`, env FROM spans AS s JOIN resources AS r ON r.fingerprint = s.resource WHERE hex(span_id) = '000000000000002A'").
		Scan(&service, &name, &kind, &ns, &keys, &values, &types, &env)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(service, " ", name, " ", kind, " ", ns, keys, values, types, env)
	if want := "checkout pay server 1000000 [http.route n] [/pay 0] [0 2]test"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// proxy stands between ingest and ClickHouse and can be cut.
type proxy struct {
	l    net.Listener
	to   string
	up   atomic.Bool
	hang atomic.Bool // nothing passes, and nobody is told
	mu   sync.Mutex
	open []net.Conn
}

func newProxy(t testing.TB, dsn string) (*proxy, string) {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, to: u.Host}
	p.up.Store(true)
	t.Cleanup(func() { l.Close() })
	go p.serve()
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) serve() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		if !p.up.Load() {
			c.Close()
			continue
		}
		s, err := net.Dial("tcp", p.to)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, c, s)
		p.mu.Unlock()
		go p.pass(s, c)
		go p.pass(c, s)
	}
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	for buf := make([]byte, 32<<10); ; {
		n, err := from.Read(buf)
		for p.hang.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.up.Store(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

func TestClickHouseAway(t *testing.T) {
	conn, dsn := storetest.DB(t)
	p, via := newProxy(t, dsn)
	o := testOptions(t, via)
	o.keep = 10 * time.Millisecond
	var mu sync.Mutex
	var inserted []string // batches, in the order of their spans' inserts; guarded by mu
	o.insertFault = func(table, token string) (before, after error) {
		mu.Lock()
		defer mu.Unlock()
		if batch, _, _ := strings.Cut(token, "/"); table == "spans" && !slices.Contains(inserted, batch) {
			inserted = append(inserted, batch)
		}
		return nil, nil
	}
	in := start(t, o)
	submit(t, in, Traces, spansOf(0, 10))
	p.cut()
	for i := range uint64(30) {
		submit(t, in, Traces, spansOf(1000*(i+1), 10)) // acknowledged all the same
		time.Sleep(10 * time.Millisecond)
	}
	if in.Stats().Spool.Bytes == 0 {
		t.Error("nothing in the spool while ClickHouse is away")
	}
	in.replay.mu.Lock()
	waiting := slices.Clone(in.replay.pending)
	in.replay.mu.Unlock()
	mu.Lock()
	inserted = nil
	mu.Unlock()
	p.up.Store(true)
	exactlyOnce(t, conn, 310)
	waitFor(t, "an empty spool", func() bool { return in.spool.Files() == 0 && !in.away.Load() })
	mu.Lock()
	defer mu.Unlock()
	replayed := slices.DeleteFunc(inserted, func(batch string) bool { return !slices.Contains(waiting, batch) })
	if len(waiting) < 3 || !slices.Equal(replayed, waiting) {
		t.Errorf("replayed %v, want %v", replayed, waiting)
	}
}

// A ClickHouse that neither answers nor hangs up, as behind a broken network or with a stuck disk: requests are soon
// taken at full speed again, into the spool, and are there once when it goes on.
func TestClickHouseHangs(t *testing.T) {
	conn, dsn := storetest.DB(t)
	p, via := newProxy(t, dsn)
	o := testOptions(t, via)
	o.keep, o.stuck, o.InsertTimeout = 10*time.Millisecond, 200*time.Millisecond, 3*time.Second
	in := start(t, o)
	submit(t, in, Traces, spansOf(0, 10))
	exactlyOnce(t, conn, 10)
	p.hang.Store(true)
	sent := uint64(1)
	send := func() time.Duration {
		begun := time.Now()
		submit(t, in, Traces, spansOf(1000*sent, 10))
		sent++
		return time.Since(begun)
	}
	waitFor(t, "ClickHouse counts as away", func() bool { send(); return in.away.Load() })
	slow := 0
	for range 50 {
		if send() > 100*time.Millisecond {
			slow++
		}
		time.Sleep(5 * time.Millisecond)
	}
	if slow > 5 {
		t.Errorf("%d of 50 requests took over 100 ms although there is a spool", slow)
	}
	p.hang.Store(false)
	exactlyOnce(t, conn, 10*sent)
	waitFor(t, "an empty spool", func() bool { return in.spool.Files() == 0 && !in.away.Load() })
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A process that dies after acknowledging leaves its spool; the next one plays it, whether or not the first had stored
// the batch already.
func TestCrash(t *testing.T) {
	for _, storedFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%v", storedFirst), func(t *testing.T) {
			conn, dsn := storetest.DB(t)
			o := testOptions(t, dsn)
			o.FlushInterval = time.Hour
			first := start(t, o)
			submit(t, first, Traces, spansOf(0, 20))
			submit(t, first, Traces, spansOf(100, 20))
			after := testOptions(t, dsn)
			copySpool(t, o.SpoolDir, after.SpoolDir)
			if storedFirst {
				if err := first.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			} else {
				first.pool.fault = func(string, string) (error, error) { return errors.New("dead"), nil }
			}
			second := start(t, after)
			submit(t, second, Traces, spansOf(200, 20))
			exactlyOnce(t, conn, 60)
		})
	}
}

// A process that dies after storing a request, but before its answer has reached the client, is asked to store it again.
func TestRequestSentAgainAfterACrash(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	first := start(t, o)
	body := spansOf(0, 20)
	submit(t, first, Traces, body)
	if err := first.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	after := testOptions(t, dsn)
	copySpool(t, o.SpoolDir, after.SpoolDir)
	second := start(t, after)
	submit(t, second, Traces, body)
	exactlyOnce(t, conn, 20)
}

func copySpool(t testing.TB, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.spool"))
	if err != nil || len(files) == 0 {
		t.Fatal("no spool files to copy", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRepeatedRequest(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	in := start(t, o)
	body := spansOf(0, 10)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { submit(t, in, Traces, body) })
	}
	wg.Wait()
	exactlyOnce(t, conn, 10)
	if got := in.Stats().Signals["traces"].Duplicates; got != 7 {
		t.Errorf("%d repetitions counted, want 7", got)
	}
}

func TestRejectedItemsLeaveTheirNeighbours(t *testing.T) {
	conn, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(spansOf(0, 5)); err != nil {
		t.Fatal(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(1).SetTraceID(pcommon.TraceID{})
	spans.At(2).SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(time.Hour)))
	spans.At(3).SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-9999 * time.Hour)))
	body, _ := req.MarshalProto()
	res := submit(t, in, Traces, body)
	if res.Accepted != 2 || res.Rejected != 3 {
		t.Errorf("accepted %d, rejected %d; want 2 and 3", res.Accepted, res.Rejected)
	}
	for _, part := range []string{"rejected 3", "1 with an invalid trace id", "1 more than 10m0s in the future", "1 older than 360h0m0s"} {
		if !strings.Contains(res.Message, part) {
			t.Errorf("message %q lacks %q", res.Message, part)
		}
	}
	exactlyOnce(t, conn, 2)
}

func TestOperationsFold(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	o.Limits.Operations = 3
	in := start(t, o)
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(spansOf(0, 10)); err != nil {
		t.Fatal(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range spans.Len() {
		spans.At(i).SetName(fmt.Sprintf("op-%d", i))
	}
	body, _ := req.MarshalProto()
	submit(t, in, Traces, body)
	exactlyOnce(t, conn, 10)
	if n := count(t, conn, "SELECT toUInt64(sum(calls)) FROM red_1m WHERE level = 'operation' AND name = '(other)'"); n != 7 {
		t.Errorf("%d calls under (other), want 7", n)
	}
	if n := in.Stats().FoldedOperations["checkout"]; n != 7 {
		t.Errorf("%d spans counted as folded, want 7", n)
	}
}

func TestMalformedRequest(t *testing.T) {
	_, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	var malformed *MalformedError
	if _, err := in.Submit(context.Background(), Traces, []byte{0x0a, 0xff}); !errors.As(err, &malformed) {
		t.Fatalf("got %v, want a MalformedError", err)
	}
	if res := submit(t, in, Traces, nil); res.Accepted != 0 {
		t.Error("an empty request is success")
	}
}

func TestOverloadIsRefusedRetryably(t *testing.T) {
	_, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	o.InFlightBytes = 1 << 20
	in := start(t, o)
	in.inFlight.Add(1 << 20)
	var overload *OverloadError
	if _, err := in.Submit(context.Background(), Traces, spansOf(0, 1)); !errors.As(err, &overload) || overload.RetryAfter == 0 {
		t.Fatalf("got %v, want an OverloadError", err)
	}
	in.inFlight.Add(-1 << 20)
	submit(t, in, Traces, spansOf(0, 1))
}

// A client that waits for the commit gives up and sends the request again: it is stored once.
func TestClientGivesUpAndRepeats(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	o.AckAfterCommit, o.FlushInterval = true, 300*time.Millisecond
	in := start(t, o)
	body := spansOf(0, 10)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := in.Submit(ctx, Traces, body); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the client's deadline", err)
	}
	submit(t, in, Traces, body)
	submit(t, in, Traces, body)
	exactlyOnce(t, conn, 10)
}
