package main_test

import (
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestQueueEdges sends a message to two consumers, one that continues the sender's trace and one that links to it, and
// finds the way through the queue on the map.
func TestQueueEdges(t *testing.T) {
	p := share(t)
	s := newSender(t, p)
	from, continues, links, topic := unique("checkout"), unique("shipping"), unique("mail"), unique("orders")
	traceID, parent := randomBytes(16), randomBytes(8)
	span := func(service, name string, kind trace.Span_SpanKind, in, id, below []byte) *trace.ResourceSpans {
		now := uint64(time.Now().UnixNano())
		x := request(service, 1).ResourceSpans[0]
		x.Resource = &resource.Resource{Attributes: x.Resource.Attributes}
		sp := x.ScopeSpans[0].Spans[0]
		sp.Name, sp.Kind, sp.TraceId, sp.SpanId, sp.ParentSpanId, sp.StartTimeUnixNano, sp.EndTimeUnixNano = name, kind, in, id, below, now, now+1e6
		sp.Attributes = append(sp.Attributes, stringAttribute("messaging.system", "kafka"), stringAttribute("messaging.destination.name", topic))
		return x
	}
	err := s.send(t.Context(), &collectortrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{
		span(from, "send "+topic, trace.Span_SPAN_KIND_PRODUCER, traceID, parent, nil),
		span(continues, "process "+topic, trace.Span_SPAN_KIND_CONSUMER, traceID, randomBytes(8), parent),
		span(links, "process "+topic, trace.Span_SPAN_KIND_CONSUMER, randomBytes(16), randomBytes(8), nil),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{from + " > messaging:" + topic, "messaging:" + topic + " > " + continues, "messaging:" + topic + " > " + links}
	slices.Sort(want)
	within(t, 40*time.Second, "the edges to and from the queue", func() bool {
		var m struct {
			Nodes []struct{ ID, Name, Kind, System string }
			Edges []struct{ Source, Target string }
		}
		p.get(t, "/api/v1/map?from=now-15m&to=now&focus="+url.QueryEscape("messaging:"+topic)+"&depth=1", &m)
		var got []string
		for _, e := range m.Edges {
			got = append(got, e.Source+" > "+e.Target)
		}
		slices.Sort(got)
		queue := slices.IndexFunc(m.Nodes, func(n struct{ ID, Name, Kind, System string }) bool {
			return n.ID == "messaging:"+topic && n.Name == topic && n.Kind == "messaging" && n.System == "kafka"
		})
		return slices.Equal(got, want) && len(m.Nodes) == 4 && queue >= 0
	})
	var d struct {
		Callers []struct {
			Source     string
			SourceKind string `json:"source_kind"`
		}
	}
	p.get(t, "/api/v1/services/"+links+"/dependencies?from=now-15m&to=now", &d)
	if len(d.Callers) != 1 || d.Callers[0].Source != topic || d.Callers[0].SourceKind != "messaging" {
		t.Errorf("callers of the consumer: %+v", d.Callers)
	}
}

// TestEdgesOfHistory: of calls that are sent long after they were made, each counts once in its own minute, also where the
// edges of many minutes are computed together.
func TestEdgesOfHistory(t *testing.T) {
	p := share(t)
	s := newSender(t, p)
	from, to := unique("front"), unique("back")
	const minutes = 40
	began := time.Now().Add(-(minutes + 25) * time.Minute).Truncate(time.Minute)
	var all []*trace.ResourceSpans
	for i := range minutes {
		at := uint64(began.Add(time.Duration(i)*time.Minute + 59*time.Second + 990*time.Millisecond).UnixNano()) // the callee's side is in the next minute
		traceID, client := randomBytes(16), randomBytes(8)
		for _, side := range []struct {
			service    string
			kind       trace.Span_SpanKind
			id, parent []byte
			after      uint64
		}{{from, trace.Span_SPAN_KIND_CLIENT, client, nil, 0}, {to, trace.Span_SPAN_KIND_SERVER, randomBytes(8), client, 15e6}} {
			x := request(side.service, 1).ResourceSpans[0]
			sp := x.ScopeSpans[0].Spans[0]
			sp.TraceId, sp.SpanId, sp.ParentSpanId, sp.Kind, sp.StartTimeUnixNano, sp.EndTimeUnixNano = traceID, side.id, side.parent, side.kind, at+side.after, at+20e6
			all = append(all, x)
		}
	}
	if err := s.send(t.Context(), &collectortrace.ExportTraceServiceRequest{ResourceSpans: all}); err != nil {
		t.Fatal(err)
	}
	query := "SELECT count(), min(n), max(n), min(ts) = toDateTime(" + strconv.FormatInt(began.Unix(), 10) + ") FROM (SELECT ts, sum(calls) AS n FROM edges FINAL WHERE client = '" + from + "' AND target = '" + to + "' GROUP BY ts)"
	within(t, 60*time.Second, "the edges of "+strconv.Itoa(minutes)+" minutes", func() bool { return p.sql(t, query) == strconv.Itoa(minutes)+"\t1\t1\t1" })
}
