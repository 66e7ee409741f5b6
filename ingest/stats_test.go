package ingest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRecentForgetsAfterTwoMinutes(t *testing.T) {
	var r recent
	for i := range 100 {
		r.add(time.Duration(i+1) * time.Millisecond)
	}
	r.add(-time.Second) // a clock ahead of ours counts as no time at all
	q := r.quantiles()
	for _, c := range []struct{ got, want float64 }{{q.P50, 50}, {q.P95, 95}, {q.P99, 99}} {
		if math.Abs(c.got-c.want) > 0.1*c.want {
			t.Errorf("quantiles %+v, want %g within a tenth", q, c.want)
		}
	}
	r.since = r.since.Add(-61 * time.Second)
	if q := r.quantiles(); q.Count != 101 {
		t.Errorf("%d after a minute, want 101", q.Count)
	}
	r.since = r.since.Add(-61 * time.Second)
	if q := r.quantiles(); q != (Quantiles{}) {
		t.Errorf("%+v after two minutes, want nothing", q)
	}
}

func TestFlushesOfTheLastTwoMinutes(t *testing.T) {
	var r flushRing
	for i := range 10 {
		r.add(flushed{rows: 100 * (i + 1), bytes: 1000})
	}
	r.ring[9].at = r.ring[9].at.Add(-3 * time.Minute)
	got := r.stats(Quantiles{})
	if want := (FlushStats{PerMinute: 4.5, RowsP50: 500, RowsMax: 900, BytesP50: 1000, BytesMax: 1000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for range 700 {
		r.add(flushed{rows: 1})
	}
	for i := range r.ring {
		r.ring[i].at = time.Now().Add(-time.Minute)
	}
	if got := r.stats(Quantiles{}).PerMinute; math.Abs(got-600) > 6 {
		t.Errorf("%g a minute when the ring has turned over within one, want 600", got)
	}
}

func TestSendersBeyondTheirBoundShareOne(t *testing.T) {
	s := newSenders()
	for _, name := range numbered("service-", maxServices) {
		s.get(name)
	}
	s.get("one more").add(Logs, 3, 300)
	s.get("another").add(Logs, 4, 400)
	s.get("service-7").add(Traces, 9, 900)
	got := s.list(2, time.Now())
	want := []ServiceStats{{Service: "service-7", Signal: "traces", Items: 9, Bytes: 900}, {Service: foldedOperation, Signal: "logs", Items: 7, Bytes: 700}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestReasonsSayWhoseItemsTheyAre(t *testing.T) {
	limits := DefaultLimits()
	d := newDecoder(&limits, newResources(10), newSeriesCache(10))
	d.begin(time.Now().UnixNano())
	d.tally.service = "shop"
	d.tally.reject(rejectTooOld, []byte("GET /"))
	s := newStats(&Ingest{opts: DefaultOptions()})
	s.decoded(Traces, &d.tally, 100)
	r := s.reasons[reasonKey{Traces, rejectTooOld}]
	if r.Service != "shop" || r.Example != "GET /" || r.Message != "older than 360h0m0s" || r.Count != 1 {
		t.Errorf("%+v", r)
	}
}

// Every reason has a meaning to show.
func TestReasonsHaveMeanings(t *testing.T) {
	limits := DefaultLimits()
	for _, reason := range allReasons {
		if m := meaning(reason, &limits); m == "" || m == reason {
			t.Errorf("%s has no meaning", reason)
		}
		if remedy(reason) == "" {
			t.Errorf("nothing is said about what to do about %s", reason)
		}
	}
}

// allReasons has every constant that names a reason: those of limits.go and reasons.go.
func TestAllReasonsAreListed(t *testing.T) {
	for _, name := range []string{"limits.go", "reasons.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || value.Kind != token.STRING {
				return true
			}
			if reason, _ := strconv.Unquote(value.Value); !slices.Contains(allReasons, reason) {
				t.Errorf("%s: %s is not in allReasons", name, spec.Names[0])
			}
			return true
		})
	}
}

func TestRefusalsOfReceiversAreCounted(t *testing.T) {
	in := &Ingest{opts: DefaultOptions()}
	in.stats = newStats(in)
	in.Refuse(Logs, RefusedTooLarge, strings.Repeat("x", 1000))
	in.Refuse(Logs, RefusedTooLarge, "request is larger than 20971520 bytes")
	r := in.stats.reasons[reasonKey{Logs, RefusedTooLarge}]
	if r == nil || r.Count != 2 || r.Example != "request is larger than 20971520 bytes" || r.Fix == "" {
		t.Errorf("%+v", r)
	}
	if n := in.stats.signals[Logs].refused.Load(); n != 2 {
		t.Errorf("%d refused, want 2", n)
	}
}

func TestRatesOfSendersAreOverTheLastMarks(t *testing.T) {
	s := newSenders()
	at := time.Unix(1000, 0)
	for range 5 { // 10 a second, marked every five seconds
		s.get("shop").add(Traces, 50, 5000)
		at = at.Add(5 * time.Second)
		s.mark(at)
	}
	s.get("shop").add(Traces, 20, 2000)
	got := s.list(1, at.Add(2*time.Second))[0]
	if got.Items != 270 || got.ItemsPerS != 10 || got.BytesPerS != 1000 {
		t.Errorf("%+v, want 10 items and 1000 bytes a second", got)
	}
	if got := s.list(1, at.Add(12*time.Second))[0].ItemsPerS; got > 6 {
		t.Errorf("%g a second ten seconds after the last item, want less than 6", got)
	}
}
