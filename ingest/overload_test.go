package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// flood sends requests of 200 spans from n senders, as fast as each is answered, for a while. Refused ones are sent again
// a moment later, as clients do. It returns what was acknowledged and how often it was refused.
func flood(t *testing.T, in *Ingest, n int, d time.Duration, next *atomic.Uint64) (acked, refused int64) {
	var taken, again atomic.Int64
	var senders sync.WaitGroup
	until := time.Now().Add(d)
	for range n {
		senders.Go(func() {
			for time.Now().Before(until) {
				body := spansOf(1000*next.Add(1), 200)
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					_, err := in.Submit(ctx, Traces, body)
					cancel()
					if err == nil {
						taken.Add(200)
						break
					}
					var overload *OverloadError
					if !errors.As(err, &overload) || overload.RetryAfter == 0 {
						t.Errorf("%v is not retryable", err)
						return
					}
					again.Add(1)
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	senders.Wait()
	return taken.Load(), again.Load()
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Far more arrives than can be stored: memory stays bounded, what is accepted keeps flowing as fast as it would without
// the rest, which is refused retryably, and a moment after the flood everything is as before.
func TestOverload(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	o.InFlightBytes, o.FlushRows, o.Flushers, o.Lanes = 1<<20, 2000, 1, 1
	var slow atomic.Bool
	slow.Store(true)
	o.insertFault = func(table, _ string) (before, after error) {
		if table == "spans" && slow.Load() { // a ClickHouse of 10,000 spans a second
			time.Sleep(200 * time.Millisecond)
		}
		return nil, nil
	}
	in := start(t, o)
	var next atomic.Uint64
	flood(t, in, 2, 500*time.Millisecond, &next) // fills the caches
	before := heap()
	total := int64(next.Load()) * 200

	const d = 1500 * time.Millisecond
	full, _ := flood(t, in, 10, d, &next)
	var most atomic.Int64
	watched := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				most.Store(max(most.Load(), in.inFlight.Load()))
			}
		}
	}()
	over, refused := flood(t, in, 120, d, &next)
	close(stop)
	<-watched
	grown := heap() - before
	total += full + over
	t.Logf("%d spans in %v at full load; %d and %d refusals with twelve times the senders; %d KiB in flight at most, heap grown by %d KiB",
		full, d, over, refused, most.Load()>>10, grown>>10)
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if over < full/2 {
		t.Errorf("%d spans were accepted under overload, %d without", over, full)
	}
	if limit := o.InFlightBytes + 256<<10; most.Load() > limit { // a request is counted for a moment before it is refused
		t.Errorf("%d bytes in flight, bound %d", most.Load(), o.InFlightBytes)
	}
	if grown > 96<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	waitWithin(t, 10*time.Second, "nothing in flight", func() bool { return in.inFlight.Load() == 0 })
	slow.Store(false)
	submit(t, in, Traces, spansOf(1000*next.Add(1), 200))
	exactlyOnce(t, conn, uint64(total+200))
	shown := false
	for _, r := range in.Stats().Reasons {
		shown = shown || r.Reason == refusedInFlight && r.Count == refused
	}
	if !shown {
		t.Errorf("%d refusals, shown are %+v", refused, in.Stats().Reasons)
	}
}

func waitWithin(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// oddSpans are n spans as spansOf makes them, each changed.
func oddSpans(first uint64, n int, change func(i int, attrs pcommon.Map, name func(string))) []byte {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(spansOf(first, n)); err != nil {
		panic(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range n {
		change(i, spans.At(i).Attributes(), spans.At(i).SetName)
	}
	body, err := req.MarshalProto()
	if err != nil {
		panic(err)
	}
	return body
}

// A million distinct attribute keys: stored as sent, but not remembered one by one, and shown.
func TestMillionAttributeKeys(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	in := start(t, o)
	submit(t, in, Traces, spansOf(0, 1000))
	before := heap()
	const requests, spans, keys = 20, 500, 100
	key := 0
	for r := range uint64(requests) {
		submit(t, in, Traces, oddSpans(10_000*(r+1), spans, func(_ int, attrs pcommon.Map, _ func(string)) {
			for range keys {
				key++
				attrs.PutInt(fmt.Sprintf("k%d", key), 1)
			}
		}))
	}
	exactlyOnce(t, conn, requests*spans+1000)
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn, "SELECT uniqExact(k) FROM (SELECT arrayJoin(`attr.key`) AS k FROM spans) WHERE k LIKE 'k%'"); n != uint64(key) {
		t.Errorf("%d keys stored, want %d", n, key)
	}
	if n := count(t, conn, "SELECT uniqExact(key) FROM attribute_values"); n > maxValueKeys {
		t.Errorf("%d keys are offered, want at most %d", n, maxValueKeys)
	}
	if grown := heap() - before; grown > 128<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	shown := false
	for _, r := range in.Stats().Reasons {
		shown = shown || r.Reason == foldedKeys && r.Count > 100_000 && r.Example != ""
	}
	if !shown {
		t.Errorf("keys beyond the cap are not shown: %+v", in.Stats().Reasons)
	}
}

func TestIdleKeysGiveTheirPlacesFree(t *testing.T) {
	v := newValueSeen(newCaps(Limits{Values: 3}))
	for i := range maxValueKeys + 10 {
		v.list("traces", []keyValue{{key: fmt.Sprint("key-", i), value: "x"}}, 0, nil)
	}
	if got := v.keysBeyond(); len(got) != 1 || got[0].Times != 10 || got[0].Kept != maxValueKeys {
		t.Errorf("beyond the cap: %+v", got)
	}
	if rows := v.list("traces", []keyValue{{key: "new", value: "x"}}, 3600, nil); len(rows) != 0 {
		t.Error("a new key has a place although all were in use an hour ago")
	}
	if rows := v.list("traces", []keyValue{{key: "new", value: "x"}}, 2*3600, nil); len(rows) != 1 {
		t.Error("a new key finds no place although all others are idle")
	}
	if v.total != 1 || v.over != 0 {
		t.Errorf("%d hashes and %d overflows are counted", v.total, v.over)
	}
}

// Ten thousand operations of one service: the charts know a thousand and (other), the spans are stored as sent.
func TestTenThousandOperations(t *testing.T) {
	conn, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	const requests, spans = 10, 1000
	for r := range uint64(requests) {
		submit(t, in, Traces, oddSpans(10_000*r, spans, func(i int, _ pcommon.Map, name func(string)) {
			name(fmt.Sprintf("GET /orders/%d", int(r)*spans+i))
		}))
	}
	exactlyOnce(t, conn, requests*spans)
	if n := count(t, conn, "SELECT uniqExact(name) FROM spans"); n != requests*spans {
		t.Errorf("%d names stored, want %d", n, requests*spans)
	}
	if n := count(t, conn, "SELECT uniqExact(name) FROM red_10s WHERE level = 'operation'"); n != 1001 {
		t.Errorf("%d operations in the charts, want 1000 and (other)", n)
	}
	if n := count(t, conn, "SELECT toUInt64(sum(calls)) FROM red_1h WHERE level = 'operation' AND name = '(other)'"); n != 9000 {
		t.Errorf("%d calls under (other), want 9000", n)
	}
	if n := in.Stats().FoldedOperations["checkout"]; n != 9000 {
		t.Errorf("%d calls counted as folded", n)
	}
}

// lateSpans are n spans that began at a time.
func lateSpans(first uint64, n int, at time.Time) []byte {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(spansOf(first, n)); err != nil {
		panic(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range n {
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[:], first+uint64(i)+1)
		spans.At(i).SetTraceID(id)
		spans.At(i).SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		spans.At(i).SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Millisecond)))
	}
	body, err := req.MarshalProto()
	if err != nil {
		panic(err)
	}
	return body
}

// Spans that come hours or days late, or a little early, count in every rollup at the time at which they happened, also
// where other spans of that time are stored already, and their traces and resources are found at that time.
func TestLateAndEarlySpans(t *testing.T) {
	conn, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	now := time.Now().UTC()
	late := []time.Duration{0, time.Minute, 3 * time.Hour, 26 * time.Hour, 9 * 24 * time.Hour, -5 * time.Minute}
	var n uint64
	for range 2 {
		for _, by := range late {
			submit(t, in, Traces, lateSpans(1000*n, 10, now.Add(-by)))
			n++
		}
		if err := in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all spans", func() bool {
		return count(t, conn, "SELECT toUInt64(sum(calls)) FROM red_1h WHERE level = 'operation'") >= 10*n && count(t, conn, "SELECT count() FROM spans") >= 10*n
	})
	for table, step := range map[string]time.Duration{"red_10s": 10 * time.Second, "red_1m": time.Minute, "red_1h": time.Hour} {
		want := map[int64]uint64{}
		for _, by := range late {
			want[now.Add(-by).Truncate(step).Unix()] += 20
		}
		for at, calls := range want {
			if step < time.Minute && now.Unix()-at > 2*24*3600 { // these rollups are kept for three days only
				continue
			}
			for _, level := range []string{"operation", "service"} {
				got := count(t, conn, fmt.Sprintf("SELECT toUInt64(sum(calls)) FROM %s WHERE level = '%s' AND service = 'checkout' AND ts = toDateTime(%d)", table, level, at))
				if got != calls {
					t.Errorf("%s at %s: %d calls of the %s, want %d", table, time.Unix(at, 0).UTC(), got, level, calls)
				}
			}
		}
	}
	if n := count(t, conn, fmt.Sprintf("SELECT uniqExact(toDate(ts)) FROM spans WHERE ts < toDateTime(%d)", now.Add(-time.Hour).Unix())); n != 3 && n != 2 {
		t.Errorf("late spans lie in %d days", n)
	}
	first := count(t, conn, "SELECT toUInt64(toUnixTimestamp(min(first_seen))) FROM resources")
	if oldest := now.Add(-9 * 24 * time.Hour).Unix(); int64(first) > oldest {
		t.Errorf("the resource is known from %d on, its first span is of %d", first, oldest)
	}
}
