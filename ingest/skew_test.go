package ingest

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// sentBy makes a request of n spans of a service instance that start at a time and take a millisecond.
func sentBy(service, instance string, n int, at time.Time) []byte {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", service)
	rs.Resource().Attributes().PutStr("service.instance.id", instance)
	ss := rs.ScopeSpans().AppendEmpty()
	for i := range n {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i)})
		s.SetSpanID(pcommon.SpanID{1, byte(i)})
		s.SetName("tick")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Millisecond)))
	}
	b, _ := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	return b
}

func TestClockSkew(t *testing.T) {
	limits := DefaultLimits()
	d := newDecoder(&limits, newResources(100), newSeriesCache(100))
	d.skew = newSkews()
	c := newSpanColumns()
	now := time.Now()
	// Every 10 s for three minutes: one sender in time, one 30 s ahead, one an hour behind, one that catches up with
	// what it kept during an outage, and one so far ahead that its spans are rejected.
	for i := range 19 {
		at := now.Add(time.Duration(i) * 10 * time.Second)
		d.begin(at.UnixNano())
		for _, s := range []struct {
			instance string
			when     time.Time
		}{
			{"right", at.Add(-time.Second)}, {"ahead", at.Add(30 * time.Second)}, {"behind", at.Add(-time.Hour)},
			{"late", at.Add(-time.Hour).Add(time.Duration(i) * 3 * time.Minute)}, {"far ahead", at.Add(24 * time.Hour)},
		} {
			if err := d.traces(c, sentBy("clock", s.instance, 4, s.when)); err != nil {
				t.Fatal(err)
			}
		}
		d.skew.observe(c, at)
		c.reset()
	}
	got := d.skew.list(now.Add(3 * time.Minute))
	want := []struct {
		instance        string
		offset          time.Duration
		spans, rejected int64
	}{{"far ahead", 24 * time.Hour, 76, 76}, {"behind", -time.Hour, 76, 0}, {"ahead", 30 * time.Second, 76, 0}}
	if len(got) != len(want) {
		t.Fatalf("%d skewed senders, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Service != "clock" || g.Instance != w.instance || (g.Offset-w.offset).Abs() > 10*time.Millisecond || g.Spans != w.spans || g.Rejected != w.rejected {
			t.Errorf("got %+v, want %+v", g, w)
		}
	}
	if left := d.skew.list(now.Add(3 * time.Hour)); len(left) != 0 {
		t.Errorf("not forgotten: %+v", left)
	}
}

func TestClockSkewIsInTheStats(t *testing.T) {
	_, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	submit(t, in, Traces, sentBy("clock", "a", 3, time.Now().Add(time.Minute)))
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := in.Stats().ClockSkews; len(s) != 1 || s[0].Service != "clock" || s[0].Offset < 50*time.Second || s[0].Spans != 3 {
		t.Errorf("clock skews %+v", s)
	}
}
